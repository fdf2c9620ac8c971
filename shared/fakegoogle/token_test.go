package fakegoogle

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestToken(t *testing.T) {
	sentences(t, map[string]func(*world){
		"answers what Google answers": func(w *world) {
			body := w.tokens("", "openid email profile "+gmailLabels)
			if body["expires_in"] != 3599.0 || body["token_type"] != "Bearer" {
				w.Errorf("%v", body)
			}
			if want := joinScopes([]string{"openid", scopeEmail, scopeProfile, gmailLabels}); body["scope"] != want {
				w.Errorf("scope %v, want %v", body["scope"], want)
			}
			for _, name := range []string{"access_token", "refresh_token", "id_token"} {
				if text, _ := body[name].(string); text == "" {
					w.Errorf("no %s", name)
				}
			}
			if _, ok := body["refresh_token_expires_in"]; ok {
				w.Error("refresh_token_expires_in outside of Testing mode")
			}
		},
		"answers no ID token without openid": func(w *world) {
			if body := w.tokens("", gmailLabels); body["id_token"] != nil {
				w.Errorf("%v", body)
			}
		},
		"refuses a second use of a code and keeps the tokens alive": func(w *world) {
			code := w.code("", gmailLabels)
			_, first := w.exchange(code)
			status, body := w.exchange(code)
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			if resp, _ := w.get("/gmail/v1/users/me/labels", "Bearer "+first["access_token"].(string)); resp.StatusCode != 200 {
				w.Errorf("the first token answers %d", resp.StatusCode)
			}
		},
		"lets one of fifty simultaneous uses of a code win": func(w *world) {
			code := w.code("", "openid")
			var wins atomic.Int32
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if status, _ := w.exchange(code); status == 200 {
						wins.Add(1)
					}
				})
			}
			all.Wait()
			if wins.Load() != 1 {
				w.Errorf("%d uses won", wins.Load())
			}
		},
		"takes a code just before its ten minutes end": func(w *world) {
			code := w.code("", "openid")
			w.clock.advance(10*time.Minute - time.Second)
			if status, body := w.exchange(code); status != 200 {
				w.Errorf("%d %v", status, body)
			}
		},
		"refuses a code after ten minutes": func(w *world) {
			code := w.code("", "openid")
			w.clock.advance(10 * time.Minute)
			status, body := w.exchange(code)
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"refuses an unknown code": func(w *world) {
			status, body := w.exchange("4/0nothing")
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"refuses no code": func(w *world) {
			status, body := w.exchange("")
			wantOAuthError(w.T, status, body, 400, "invalid_request")
		},
		"refuses another redirect URI than the consent's": func(w *world) {
			status, body := w.exchange(w.code("", "openid"), "redirect_uri", callback+"/")
			wantOAuthError(w.T, status, body, 400, "redirect_uri_mismatch")
		},
		"refuses no redirect URI": func(w *world) {
			status, body := w.exchange(w.code("", "openid"), "redirect_uri", "")
			wantOAuthError(w.T, status, body, 400, "redirect_uri_mismatch")
		},
		"refuses another client's code, and its own client can still use it": func(w *world) {
			code := w.code("", "openid")
			status, body := w.exchange(code, "client_id", "app-2", "client_secret", "secret-2")
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			if status, body := w.exchange(code); status != 200 {
				w.Errorf("%d %v", status, body)
			}
		},
		"refuses another grant type": func(w *world) {
			status, body := w.exchange(w.code("", "openid"), "grant_type", "password")
			wantOAuthError(w.T, status, body, 400, "unsupported_grant_type")
		},
		"refuses no grant type": func(w *world) {
			status, body := w.exchange(w.code("", "openid"), "grant_type", "")
			wantOAuthError(w.T, status, body, 400, "invalid_request")
		},
		"refuses a parameter that comes twice": func(w *world) {
			code := w.code("", "openid")
			status, body := w.post("/token", url.Values{
				"grant_type": {"authorization_code"}, "code": {code, code}, "redirect_uri": {callback},
				"client_id": {"app-1"}, "client_secret": {"secret-1"},
			})
			wantOAuthError(w.T, status, body, 400, "invalid_request")
		},
		"reads nothing from the query": func(w *world) {
			status, body := w.post("/token?grant_type=authorization_code&client_id=app-1&client_secret=secret-1", url.Values{})
			wantOAuthError(w.T, status, body, 401, "invalid_client")
		},
		"is found by POST only": func(w *world) {
			if resp, _ := w.get("/token", ""); resp.StatusCode != 404 {
				w.Errorf("status %d", resp.StatusCode)
			}
		},
		"may not be kept by a cache": func(w *world) {
			resp, err := http.PostForm(w.url+"/token", url.Values{})
			if err != nil {
				w.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				w.Errorf("Cache-Control %q", got)
			}
		},
		"applies the hook on the response": func(w *world) {
			w.EditTokenResponse(func(body map[string]any) { delete(body, "scope") })
			if body := w.tokens("", "openid"); body["scope"] != nil {
				w.Errorf("%v", body)
			}
			w.EditTokenResponse(nil)
			if body := w.tokens("", "openid"); body["scope"] == nil {
				w.Errorf("%v", body)
			}
		},
	})
}

func TestClientAuthentication(t *testing.T) {
	for name, set := range map[string][]string{
		"an unknown client":      {"client_id", "nobody"},
		"no client":              {"client_id", ""},
		"a wrong secret":         {"client_secret", "secret-2"},
		"no secret":              {"client_secret", ""},
		"another client's names": {"client_id", "app-2"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			w := newWorld(t)
			code := w.code("", "openid")
			status, body := w.exchange(code, set...)
			wantOAuthError(t, status, body, 401, "invalid_client")
			if status, body := w.exchange(code); status != 200 {
				t.Errorf("the code was spent: %d %v", status, body)
			}
		})
	}
	for name, style := range map[string]oauth2.AuthStyle{"HTTP Basic": oauth2.AuthStyleInHeader, "the form": oauth2.AuthStyleInParams} {
		t.Run("lets golang.org/x/oauth2 in by "+name, func(t *testing.T) {
			w := newWorld(t)
			w.AddClient(Client{ID: "app 3%", Secret: "sécret+/=&", RedirectURIs: []string{callback}})
			w.config.ClientID, w.config.ClientSecret = "app 3%", "sécret+/=&"
			w.config.Endpoint.AuthStyle = style
			w.config.Scopes = []string{"openid", gmailLabels}
			code := w.consent(w.config.AuthCodeURL("s", oauth2.AccessTypeOffline), Decision{}).Get("code")
			token, err := w.config.Exchange(w.ctx(), code)
			if err != nil || token.RefreshToken == "" || token.Extra("scope") != "openid "+gmailLabels {
				t.Fatalf("%v, %v", token != nil, err)
			}
			w.config.ClientSecret = "wrong"
			_, err = w.config.Exchange(w.ctx(), code)
			if fault, ok := err.(*oauth2.RetrieveError); !ok || fault.ErrorCode != "invalid_client" || fault.Response.StatusCode != 401 {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("refuses both ways at once", func(t *testing.T) {
		w := newWorld(t)
		req, err := http.NewRequest("POST", w.url+"/token", strings.NewReader("grant_type=refresh_token&client_id=app-1&client_secret=secret-1"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("app-1", "secret-1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		wantOAuthError(t, resp.StatusCode, decode(t, resp), 400, "invalid_request")
	})
}

func TestPKCE(t *testing.T) {
	verifier := oauth2.GenerateVerifier()
	challenged := []string{"code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256"}
	sentences(t, map[string]func(*world){
		"takes the right verifier": func(w *world) {
			if status, body := w.exchange(w.code("", "openid", challenged...), "code_verifier", verifier); status != 200 {
				w.Errorf("%d %v", status, body)
			}
		},
		"refuses a wrong verifier": func(w *world) {
			status, body := w.exchange(w.code("", "openid", challenged...), "code_verifier", oauth2.GenerateVerifier())
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			if body["error_description"] != "Invalid code verifier." {
				w.Errorf("%v", body)
			}
		},
		"refuses no verifier": func(w *world) {
			status, body := w.exchange(w.code("", "openid", challenged...))
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"refuses a verifier for a code without challenge": func(w *world) {
			status, body := w.exchange(w.code("", "openid"), "code_verifier", verifier)
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"spends the code on a wrong verifier": func(w *world) {
			code := w.code("", "openid", challenged...)
			w.exchange(code, "code_verifier", oauth2.GenerateVerifier())
			status, body := w.exchange(code, "code_verifier", verifier)
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"goes with golang.org/x/oauth2": func(w *world) {
			w.config.Scopes = []string{"openid"}
			code := w.consent(w.config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)), Decision{}).Get("code")
			if _, err := w.config.Exchange(w.ctx(), code, oauth2.VerifierOption(verifier)); err != nil {
				w.Error(err)
			}
		},
	})
}
