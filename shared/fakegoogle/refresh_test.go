package fakegoogle

import (
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestRefreshTokenIsIssued(t *testing.T) {
	has := func(w *world, body map[string]any, want bool) {
		w.Helper()
		if _, got := body["refresh_token"]; got != want {
			w.Errorf("refresh token: %v, want %v", got, want)
		}
	}
	sentences(t, map[string]func(*world){
		"at the first consent only": func(w *world) {
			has(w, w.tokens("", "openid"), true)
			has(w, w.tokens("", "openid"), false)
			has(w, w.tokens("", "openid "+gmailLabels), false)
		},
		"not for online access": func(w *world) {
			has(w, w.tokens("", "openid", "access_type", "online"), false)
		},
		"not for access_type left out": func(w *world) {
			has(w, w.tokens("", "openid", "access_type", ""), false)
		},
		"again with prompt=consent": func(w *world) {
			w.tokens("", "openid")
			has(w, w.tokens("", "openid", "prompt", "consent"), true)
			has(w, w.tokens("", "openid", "prompt", "select_account"), false)
			has(w, w.tokens("", "openid", "prompt", "select_account consent"), true)
		},
		"again after a revocation": func(w *world) {
			w.tokens("", "openid")
			w.Revoke(ada)
			has(w, w.tokens("", "openid"), true)
		},
		"to every user and every client": func(w *world) {
			has(w, w.tokens(ada, "openid"), true)
			has(w, w.tokens(grace, "openid"), true)
			code := w.code(ada, "openid", "client_id", "app-2")
			_, body := w.exchange(code, "client_id", "app-2", "client_secret", "secret-2")
			has(w, body, true)
		},
		"at the consent that follows a cancelled one": func(w *world) {
			w.consent(w.consentURL("openid"), Decision{Deny: true})
			has(w, w.tokens("", "openid"), true)
		},
	})
}

func TestRefresh(t *testing.T) {
	sentences(t, map[string]func(*world){
		"answers a new access token, scope and ID token, and no refresh token": func(w *world) {
			first := w.tokens("", "openid email "+gmailLabels)
			status, body := w.refreshWith(first["refresh_token"].(string))
			if status != 200 || body["access_token"] == first["access_token"] || body["scope"] != first["scope"] ||
				body["expires_in"] != 3599.0 || body["token_type"] != "Bearer" || body["id_token"] == nil || body["refresh_token"] != nil {
				w.Errorf("%d %v", status, body)
			}
		},
		"leaves the older access token alive": func(w *world) {
			first := w.tokens("", gmailLabels)
			w.refreshWith(first["refresh_token"].(string))
			if resp, _ := w.get("/gmail/v1/users/me/labels", "Bearer "+first["access_token"].(string)); resp.StatusCode != 200 {
				w.Errorf("status %d", resp.StatusCode)
			}
		},
		"is done by golang.org/x/oauth2 once the access token has expired": func(w *world) {
			first := w.tokens("", gmailLabels)
			w.ExpireAccessTokens()
			client := w.config.Client(w.ctx(), &oauth2.Token{
				AccessToken: first["access_token"].(string), RefreshToken: first["refresh_token"].(string), Expiry: time.Now().Add(-time.Hour),
			})
			resp, err := client.Get("https://gmail.googleapis.com/gmail/v1/users/me/labels")
			if err != nil || resp.StatusCode != 200 {
				w.Fatalf("%v, %v", resp, err)
			}
			resp.Body.Close()
		},
		"covers what was granted later, when granted scopes were included": func(w *world) {
			first := w.tokens("", "openid "+gmailLabels)
			w.tokens("", driveFile)
			if _, body := w.refreshWith(first["refresh_token"].(string)); body["scope"] != "openid "+gmailLabels+" "+driveFile {
				w.Errorf("scope %v", body["scope"])
			}
		},
		"covers only its own scopes, when they were not": func(w *world) {
			first := w.tokens("", "openid "+gmailLabels, "include_granted_scopes", "")
			w.tokens("", driveFile)
			if _, body := w.refreshWith(first["refresh_token"].(string)); body["scope"] != "openid "+gmailLabels {
				w.Errorf("scope %v", body["scope"])
			}
		},
		"can ask for fewer scopes and not for more": func(w *world) {
			first := w.tokens("", "openid "+gmailLabels)
			if _, body := w.refreshWith(first["refresh_token"].(string), "scope", gmailLabels); body["scope"] != gmailLabels {
				w.Errorf("%v", body)
			}
			status, body := w.refreshWith(first["refresh_token"].(string), "scope", driveFile)
			wantOAuthError(w.T, status, body, 400, "invalid_scope")
		},
		"refuses an unknown token": func(w *world) {
			status, body := w.refreshWith("1//nothing")
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			if body["error_description"] != "Token has been expired or revoked." {
				w.Errorf("%v", body)
			}
		},
		"refuses no token": func(w *world) {
			status, body := w.refreshWith("")
			wantOAuthError(w.T, status, body, 400, "invalid_request")
		},
		"refuses another client's token": func(w *world) {
			first := w.tokens("", "openid")
			status, body := w.refreshWith(first["refresh_token"].(string), "client_id", "app-2", "client_secret", "secret-2")
			wantOAuthError(w.T, status, body, 401, "unauthorized_client")
		},
		"refuses a withdrawn token": func(w *world) {
			first := w.tokens("", "openid")
			w.Revoke(ada)
			status, body := w.refreshWith(first["refresh_token"].(string))
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"fails with the reason that was set, until it is taken back": func(w *world) {
			first := w.tokens("", "openid")
			w.SetRefreshError(ada, "invalid_grant", "invalid_rapt")
			status, body := w.refreshWith(first["refresh_token"].(string))
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			if body["error_subtype"] != "invalid_rapt" || body["error_description"] != "reauth related error (invalid_rapt)" {
				w.Errorf("%v", body)
			}
			w.SetRefreshError(ada, "admin_policy_enforced", "")
			status, body = w.refreshWith(first["refresh_token"].(string))
			wantOAuthError(w.T, status, body, 400, "admin_policy_enforced")
			w.SetRefreshError(ada, "", "")
			if status, body := w.refreshWith(first["refresh_token"].(string)); status != 200 {
				w.Errorf("%d %v", status, body)
			}
		},
		"lets the oldest of more than a hundred tokens die silently": func(w *world) {
			oldest := w.tokens("", "openid")["refresh_token"].(string)
			second := w.tokens("", "openid", "prompt", "consent")["refresh_token"].(string)
			for range maxRefreshTokens - 2 {
				w.tokens("", "openid", "prompt", "consent")
			}
			if status, _ := w.refreshWith(oldest); status != 200 || w.RefreshTokens(ada) != maxRefreshTokens {
				w.Fatalf("%d, %d live", status, w.RefreshTokens(ada))
			}
			newest := w.tokens("", "openid", "prompt", "consent")["refresh_token"].(string)
			status, body := w.refreshWith(oldest)
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			for _, token := range []string{second, newest} {
				if status, body := w.refreshWith(token); status != 200 {
					w.Errorf("%d %v", status, body)
				}
			}
			if n := w.RefreshTokens(ada); n != maxRefreshTokens {
				w.Errorf("%d live", n)
			}
		},
		"ends after seven days in Testing mode": func(w *world) {
			w.SetTesting(true)
			first := w.tokens("", gmailLabels)
			if first["refresh_token_expires_in"] != 604799.0 {
				w.Errorf("refresh_token_expires_in %v", first["refresh_token_expires_in"])
			}
			w.clock.advance(24 * time.Hour)
			if _, body := w.refreshWith(first["refresh_token"].(string)); body["refresh_token_expires_in"] != 518399.0 {
				w.Errorf("a refresh a day later: %v", body)
			}
			w.clock.advance(6*24*time.Hour - time.Second)
			if status, body := w.refreshWith(first["refresh_token"].(string)); status != 200 {
				w.Errorf("%d %v", status, body)
			}
			w.clock.advance(time.Second)
			status, body := w.refreshWith(first["refresh_token"].(string))
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			if n := w.RefreshTokens(ada); n != 0 {
				w.Errorf("%d live", n)
			}
		},
		"does not end in Testing mode when it only tells who the user is": func(w *world) {
			w.SetTesting(true)
			first := w.tokens("", "openid email")
			w.clock.advance(8 * 24 * time.Hour)
			if status, body := w.refreshWith(first["refresh_token"].(string)); status != 200 {
				w.Errorf("%d %v", status, body)
			}
		},
	})
}

func TestRevoke(t *testing.T) {
	for _, kind := range []string{"access_token", "refresh_token"} {
		t.Run("ends the whole grant by its "+kind, func(t *testing.T) {
			w := newWorld(t)
			first := w.tokens(ada, "openid "+gmailLabels)
			second := w.tokens(ada, driveFile, "prompt", "consent")
			pending := w.code(ada, "openid")
			foreign := w.tokens(grace, gmailLabels)
			if status, body := w.post("/revoke", url.Values{"token": {second[kind].(string)}}); status != 200 {
				t.Fatalf("%d %v", status, body)
			}
			if resp, _ := w.get("/gmail/v1/users/me/labels", "Bearer "+first["access_token"].(string)); resp.StatusCode != 401 {
				t.Errorf("an access token lives: %d", resp.StatusCode)
			}
			for _, body := range []map[string]any{first, second} {
				if status, _ := w.refreshWith(body["refresh_token"].(string)); status != 400 {
					t.Error("a refresh token lives")
				}
			}
			if status, _ := w.exchange(pending); status != 400 {
				t.Error("a code lives")
			}
			if got := w.GrantedScopes(ada, "app-1"); got != nil {
				t.Errorf("still granted: %v", got)
			}
			if status, _ := w.refreshWith(foreign["refresh_token"].(string)); status != 200 {
				t.Error("another user's grant ended too")
			}
		})
	}
	sentences(t, map[string]func(*world){
		"refuses an unknown token": func(w *world) {
			status, body := w.post("/revoke", url.Values{"token": {"nothing"}})
			wantOAuthError(w.T, status, body, 400, "invalid_token")
		},
		"refuses a token for the second time": func(w *world) {
			f := url.Values{"token": {w.accessToken("", "openid")}}
			w.post("/revoke", f)
			status, body := w.post("/revoke", f)
			wantOAuthError(w.T, status, body, 400, "invalid_token")
		},
		"refuses no token": func(w *world) {
			status, body := w.post("/revoke", url.Values{})
			wantOAuthError(w.T, status, body, 400, "invalid_request")
		},
		"refuses an expired access token": func(w *world) {
			token := w.accessToken("", "openid")
			w.clock.advance(time.Hour)
			status, body := w.post("/revoke", url.Values{"token": {token}})
			wantOAuthError(w.T, status, body, 400, "invalid_token")
		},
	})
}
