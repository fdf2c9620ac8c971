package oauth2callback

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

func TestStrayCallback(t *testing.T) {
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
	for _, query := range []string{"", "?code=x", "?state=x", "?state=x&code=y"} {
		w := httptest.NewRecorder()
		app.Handler("oauth2callback").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+query, nil))
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "https://functions.example/oauth2init") {
			t.Errorf("%q: %d without a way to start again: %s", query, w.Code, w.Body)
		}
	}
}
