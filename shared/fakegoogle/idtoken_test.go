package fakegoogle

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// verify checks an ID token as a client of Google does, with the key set of the fake.
func (w *world) verify(raw, audience string) (*oidc.IDToken, error) {
	ctx := oidc.ClientContext(context.Background(), w.http)
	keys := oidc.NewRemoteKeySet(ctx, "https://www.googleapis.com/oauth2/v3/certs")
	return oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: audience, Now: w.clock.now}).Verify(ctx, raw)
}

func (w *world) claims(body map[string]any) map[string]any {
	w.Helper()
	token, err := w.verify(body["id_token"].(string), "app-1")
	if err != nil {
		w.Fatal(err)
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		w.Fatal(err)
	}
	return claims
}

func TestIDToken(t *testing.T) {
	sentences(t, map[string]func(*world){
		"tells who signed in, to whom and for how long": func(w *world) {
			body := w.tokens(grace, "openid email profile", "nonce", "nonce-1")
			claims := w.claims(body)
			sum := sha256.Sum256([]byte(body["access_token"].(string)))
			now := float64(w.clock.now().Unix())
			for name, want := range map[string]any{
				"iss": issuer, "aud": "app-1", "azp": "app-1", "sub": grace, "nonce": "nonce-1", "name": "Grace Hopper",
				"email": "grace@example.com", "email_verified": true, "iat": now, "exp": now + 3600,
				"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
			} {
				if claims[name] != want {
					w.Errorf("%s = %v, want %v", name, claims[name], want)
				}
			}
		},
		"holds no email, name or nonce that was not asked for": func(w *world) {
			claims := w.claims(w.tokens("", "openid"))
			for _, name := range []string{"email", "email_verified", "name", "nonce"} {
				if claims[name] != nil {
					w.Errorf("%s = %v", name, claims[name])
				}
			}
		},
		"names the Workspace of those who belong to one": func(w *world) {
			if c := w.claims(w.tokens("", "openid")); c["hd"] != nil {
				w.Errorf("%v", c)
			}
			w.AddUser(User{Subject: "113000000000000000001", Email: "kate@corp.example", Name: "Kate", Domain: "corp.example"})
			first := w.tokens("kate@corp.example", "openid email")
			if c := w.claims(first); c["hd"] != "corp.example" || c["email"] != "kate@corp.example" {
				w.Errorf("%v", c)
			}
		},
		"has no nonce after a refresh": func(w *world) {
			first := w.tokens("", "openid email", "nonce", "nonce-1")
			_, body := w.refreshWith(first["refresh_token"].(string))
			if claims := w.claims(body); claims["nonce"] != nil || claims["sub"] != ada || claims["email"] != "ada@example.com" {
				w.Errorf("%v", claims)
			}
		},
		"expires after an hour": func(w *world) {
			raw := w.tokens("", "openid")["id_token"].(string)
			w.clock.advance(time.Hour + time.Second)
			if _, err := w.verify(raw, "app-1"); err == nil {
				w.Error("still good")
			}
		},
		"carries what the hook puts into it": func(w *world) {
			w.EditIDToken(func(claims map[string]any) { claims["sub"] = ""; claims["azp"] = "other" })
			if claims := w.claims(w.tokens("", "openid")); claims["sub"] != "" || claims["azp"] != "other" {
				w.Errorf("%v", claims)
			}
			w.EditIDToken(nil)
			if claims := w.claims(w.tokens("", "openid")); claims["sub"] != ada {
				w.Errorf("%v", claims)
			}
		},
		"can be signed for a service account": func(w *world) {
			raw := w.SignIDToken(map[string]any{"aud": "https://job.example", "email": "scheduler@example.iam.gserviceaccount.com", "sub": "1"})
			if _, err := w.verify(raw, "https://job.example"); err != nil {
				w.Error(err)
			}
			if _, err := w.verify(raw, "https://other.example"); err == nil {
				w.Error("another audience is good")
			}
			if _, err := w.verify(w.SignIDToken(map[string]any{"aud": "a", "exp": nil}), "a"); err == nil {
				w.Error("without exp is good")
			}
		},
		"does not verify when another key signed it": func(w *world) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				w.Fatal(err)
			}
			if _, err := w.verify(w.SignIDTokenWith(key, map[string]any{"aud": "app-1", "sub": ada}), "app-1"); err == nil || !strings.Contains(err.Error(), "signature") {
				w.Errorf("error %v", err)
			}
		},
	})
}

func TestKeys(t *testing.T) {
	sentences(t, map[string]func(*world){
		"may be kept by a cache": func(w *world) {
			resp, err := http.Get(w.url + "/oauth2/v3/certs")
			if err != nil {
				w.Fatal(err)
			}
			if cc := resp.Header.Get("Cache-Control"); !strings.Contains(cc, "max-age=") || !strings.Contains(cc, "public") {
				w.Errorf("Cache-Control %q", cc)
			}
			keys := decode(w.T, resp)["keys"].([]any)
			if key := keys[0].(map[string]any); len(keys) != 1 || key["kty"] != "RSA" || key["alg"] != "RS256" || key["use"] != "sig" || key["e"] != "AQAB" {
				w.Errorf("%v", keys)
			}
		},
		"stay published for one rotation": func(w *world) {
			old := w.tokens("", "openid")["id_token"].(string)
			w.RotateKeys()
			if _, err := w.verify(old, "app-1"); err != nil {
				w.Errorf("after one: %v", err)
			}
			if _, err := w.verify(w.tokens("", "openid")["id_token"].(string), "app-1"); err != nil {
				w.Errorf("the new one: %v", err)
			}
			w.RotateKeys()
			if _, err := w.verify(old, "app-1"); err == nil {
				w.Error("after two: still good")
			}
		},
	})
}

func TestClientJSON(t *testing.T) {
	got := Client{ID: "id", Secret: "s", RedirectURIs: []string{callback}, Origins: []string{appPage}}.JSON()
	for _, part := range []string{`{"web":{`, `"client_id":"id"`, `"client_secret":"s"`, `"redirect_uris":["` + callback + `"]`, `"javascript_origins":["` + appPage + `"]`, `"token_uri":"https://oauth2.googleapis.com/token"`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
}

func TestUsers(t *testing.T) {
	s := New(Options{})
	s.AddUser(User{Subject: "2", Email: "b@example.com"})
	s.AddUser(User{Subject: ada, Email: "c@example.com", Labels: []string{"x"}})
	s.SetLabels("2", []string{"y"})
	got := s.Users()
	if len(got) != 3 || got[0].Email != "c@example.com" || !slices.Equal(got[2].Labels, []string{"y"}) {
		t.Errorf("%+v", got)
	}
}

func TestNewMakesItsOwnKey(t *testing.T) {
	s := New(Options{})
	if s.SignIDToken(nil) == "" || s.keys.current().key == testKey() {
		t.Error("no key of its own")
	}
}
