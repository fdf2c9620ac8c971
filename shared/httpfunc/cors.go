package httpfunc

import (
	"net/http"
	"slices"
	"strings"
)

// cors lets the pages of FRONT_ENDS call with a bearer [Fetch: CORS protocol]. It reports whether it
// has answered the request, which is so for a preflight. It allows no cookies, and nothing to other origins.
func (a *App) cors(h *handler, w http.ResponseWriter, r *http.Request) (done bool) {
	origin, preflight := r.Header.Get("Origin"), r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	_, bearer := bearerToken(r)
	if !preflight && !bearer {
		return false
	}
	w.Header().Add("Vary", "Origin")
	if !slices.Contains(a.config.Origins(), origin) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	if !preflight {
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", strings.Join(h.methods, ", "))
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	w.Header().Set("Access-Control-Max-Age", "3600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
