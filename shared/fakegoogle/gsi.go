package fakegoogle

import (
	_ "embed"
	"net/http"
)

//go:embed gsi.js
var identityServices []byte

// serveIdentityServices serves the script of Google Identity Services: initCodeClient, One Tap and the sign-in button.
func (s *Server) serveIdentityServices(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	w.Write(identityServices)
}
