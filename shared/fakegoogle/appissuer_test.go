package fakegoogle

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// app checks a token of the app's issuer as a client does that knows the issuer's URL only.
func (w *world) app(raw string) (*oidc.IDToken, error) {
	provider, err := oidc.NewProvider(context.Background(), w.AppIssuer())
	if err != nil {
		return nil, err
	}
	return provider.Verifier(&oidc.Config{ClientID: AppAudience, Now: w.clock.now}).Verify(context.Background(), raw)
}

// newAppWorld is a world whose app issuer is known.
func newAppWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.appKeys.rotate(appKey())
	w.SetPublic(w.url)
	return w
}

func (w *world) postFrom(origin, path, body string) (*http.Response, map[string]any) {
	w.Helper()
	req, err := http.NewRequest("POST", w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	return resp, decode(w.T, resp)
}

func TestAppIssuer(t *testing.T) {
	for name, f := range map[string]func(*world){
		"signs its users in, to those who know its URL only": func(w *world) {
			resp, body := w.postFrom("http://localhost:5173", "/app/token", `{"user":"mary@app.example"}`)
			if resp.StatusCode != 200 || resp.Header.Get("Access-Control-Allow-Origin") != "http://localhost:5173" {
				w.Fatalf("%d %v", resp.StatusCode, resp.Header)
			}
			token, err := w.app(body["id_token"].(string))
			var claims struct{ Email, Name string }
			if err != nil || token.Subject != "mary-7f3a" || token.Claims(&claims) != nil || claims.Email != "mary@app.example" || claims.Name == "" {
				w.Errorf("%+v %+v, %v", token, claims, err)
			}
		},
		"signs nobody else in": func(w *world) {
			for body, code := range map[string]string{`{"user":"ada@example.com"}`: "unknown_user", `{}`: "unknown_user", `user=mary`: "invalid_request"} {
				if resp, got := w.postFrom("http://localhost:5173", "/app/token", body); resp.StatusCode != 400 || got["error"] != code {
					w.Errorf("%s: %d %v", body, resp.StatusCode, got)
				}
			}
		},
		"lets pages of this machine read its answers and no others": func(w *world) {
			for origin, want := range map[string]bool{
				"http://127.0.0.1:3000": true, "http://[::1]:3000": true, "https://localhost": true,
				"https://example.com": false, "http://localhost.example.com": false, "null": false,
			} {
				req, _ := http.NewRequest("OPTIONS", w.url+"/app/token", nil)
				req.Header.Set("Origin", origin)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					w.Fatal(err)
				}
				resp.Body.Close()
				if got := resp.Header.Get("Access-Control-Allow-Origin") == origin && resp.Header.Get("Access-Control-Allow-Headers") == "Content-Type"; got != want {
					w.Errorf("%s: %v, want %v", origin, got, want)
				}
			}
		},
		"makes tokens as a test wants them": func(w *world) {
			token, err := w.app(w.AppToken("110248495921238986420", nil))
			if err != nil || token.Subject != "110248495921238986420" {
				w.Errorf("%+v, %v", token, err)
			}
			if _, err := w.app(w.AppToken("mary-7f3a", func(c map[string]any) { c["aud"] = "another" })); err == nil {
				w.Error("took another audience")
			}
			if _, err := w.app(w.AppToken("mary-7f3a", func(c map[string]any) { c["exp"] = nil })); err == nil {
				w.Error("took a token without end")
			}
		},
		"has no key of Google's": func(w *world) {
			if _, err := w.app(w.SignIDToken(map[string]any{"iss": w.AppIssuer(), "aud": AppAudience, "sub": "mary-7f3a"})); err == nil {
				w.Error("took Google's key")
			}
		},
		"can be down": func(w *world) {
			w.Fail("/app/", 1, Failure{Status: 503})
			if _, err := w.app(w.AppToken("mary-7f3a", nil)); err == nil {
				w.Error("no error")
			}
		},
		"is found under the public URL": func(w *world) {
			public := w.behind()
			if w.AppIssuer() != public+"/app" {
				w.Errorf("issuer %s", w.AppIssuer())
			}
			if _, err := w.app(w.AppToken("mary-7f3a", nil)); err != nil {
				w.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { f(newAppWorld(t)) })
	}
}
