package httpfunc

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"functions.local/oauth/shared/seal"
)

func TestFrontEndsAreExact(t *testing.T) {
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"BASE_URL": "https://functions.example", "OAUTH_CLIENT_JSON": `{"web":{"client_id":"c","client_secret":"s"}}`,
		"TOKEN_STORE": "memory", "TOKEN_KEYSET": string(keys.JSON()), "FRONT_ENDS": "https://app.example/ https://app.example/settings http://localhost:5173/"}
	app, err := New(Options{Getenv: func(name string) string { return env[name] }, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	h := app.Show("page", func(*http.Request) (*View, error) { return ValuePage.View("x"), nil })
	ask := func(method, origin string, headers ...string) http.Header {
		t.Helper()
		r := httptest.NewRequest(method, "/page", nil)
		r.Header.Set("Origin", origin)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if method == http.MethodOptions && (w.Code == http.StatusNoContent) != (w.Header().Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s: status %d with %v", origin, w.Code, w.Header())
		}
		return w.Header()
	}
	preflight := []string{"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization"}
	bearer := []string{"Authorization", "Bearer forged"}

	for _, origin := range []string{"https://app.example", "http://localhost:5173"} {
		t.Run("lets the page at "+origin+" call with a bearer", func(t *testing.T) {
			got := ask(http.MethodOptions, origin, preflight...)
			for name, want := range map[string]string{"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Headers": "Authorization, Content-Type",
				"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Credentials": "", "Vary": "Origin"} {
				if got.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, got.Get(name), want)
				}
			}
			if got := ask(http.MethodGet, origin, bearer...); got.Get("Access-Control-Allow-Origin") != origin || got.Get("Vary") != "Origin" ||
				got.Get("Access-Control-Expose-Headers") != "Retry-After" {
				t.Errorf("a refused bearer, or when to come again, cannot be read: %v", got)
			}
		})
	}
	for _, origin := range []string{"https://other.example", "http://app.example", "https://app.example:8443", "https://app.example.other.example",
		"https://www.app.example", "https://APP.example", "http://localhost:5174", "http://localhost", "https://functions.example", "null", "", "https://app.example/"} {
		t.Run("gives the origin "+origin+" nothing", func(t *testing.T) {
			for _, got := range []http.Header{ask(http.MethodOptions, origin, preflight...), ask(http.MethodGet, origin, bearer...)} {
				if got.Get("Access-Control-Allow-Origin") != "" || got.Get("Access-Control-Allow-Headers") != "" {
					t.Errorf("%v", got)
				}
			}
		})
	}
	t.Run("gives nothing to what comes with a cookie", func(t *testing.T) {
		if got := ask(http.MethodGet, "https://app.example", "Cookie", "__Host-session=x"); got.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", got)
		}
	})
}
