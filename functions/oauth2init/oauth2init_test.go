package oauth2init

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// TestConsentURL pins the consent URL whole, at the real Google.
func TestConsentURL(t *testing.T) {
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"BASE_URL":          "https://functions.example",
		"OAUTH_CLIENT_JSON": `{"web":{"client_id":"id.apps.googleusercontent.com","client_secret":"secret"}}`,
		"TOKEN_KEYSET":      string(keys.JSON()),
		"TOKEN_STORE":       "memory",
	}
	app, err := httpfunc.New(httpfunc.Options{Getenv: func(name string) string { return env[name] }, Store: tokenstore.NewMemory(), Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "text/html")
	app.Handler("oauth2init").ServeHTTP(w, r)
	if w.Code != http.StatusFound {
		t.Fatalf("status %d", w.Code)
	}
	u, err := url.Parse(w.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	fresh := u.Query() // what differs from one flow to the next
	for name, length := range map[string]int{"state": 300, "nonce": 22, "code_challenge": 43} {
		if len(fresh.Get(name)) < length {
			t.Errorf("%s is %q", name, fresh.Get(name))
		}
	}
	want := "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&client_id=id.apps.googleusercontent.com" +
		"&code_challenge=" + fresh.Get("code_challenge") + "&code_challenge_method=S256&include_granted_scopes=true" +
		"&nonce=" + fresh.Get("nonce") + "&redirect_uri=https%3A%2F%2Ffunctions.example%2Foauth2callback&response_type=code" +
		"&scope=openid+email+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fgmail.labels&state=" + fresh.Get("state")
	if u.String() != want {
		t.Errorf("consent URL\n%s, want\n%s", u, want)
	}
}
