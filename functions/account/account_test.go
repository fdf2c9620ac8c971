package account

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

func TestNobodySignedIn(t *testing.T) {
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"BASE_URL":          "https://functions.example",
		"OAUTH_CLIENT_JSON": `{"web":{"client_id":"id","client_secret":"secret"}}`,
		"TOKEN_KEYSET":      string(keys.JSON()),
		"TOKEN_STORE":       "memory",
	}
	app, err := httpfunc.New(httpfunc.Options{Getenv: func(name string) string { return env[name] }, Store: tokenstore.NewMemory(), Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, target, accept string
		status                 int
		says                   string
	}{
		"a program is told where to send its user":   {"GET", "/account", "application/json", http.StatusUnauthorized, `"consent_url":"https://functions.example/account"`},
		"a browser is sent to Google":                {"GET", "/account", "text/html", http.StatusFound, ""},
		"the page of a sign-out can be loaded again": {"GET", "/account?done=sign_out", "text/html", http.StatusOK, "This browser is signed out"},
		"so can the one of a disconnect":             {"GET", "/account?done=not_confirmed", "text/html", http.StatusOK, "https://myaccount.google.com/connections"},
		"the page of no such ending is none":         {"GET", "/account?done=nonsense", "text/html", http.StatusFound, ""},
		"nothing is ended for nobody":                {"POST", "/account?done=sign_out", "text/html", http.StatusUnauthorized, "not signed in any more"},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(c.method, c.target, nil)
			r.Header.Set("Accept", c.accept)
			app.Handler("account").ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d, want %d and %q: %s", w.Code, c.status, c.says, w.Body)
			}
		})
	}
}
