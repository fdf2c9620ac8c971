package fakegoogle

import (
	"testing"
	"time"
)

func TestRefreshRules(t *testing.T) {
	scopes := func(w *world, refresh any) any {
		w.Helper()
		status, body := w.refreshWith(refresh.(string))
		if status != 200 {
			w.Fatalf("%d %v", status, body)
		}
		return body["scope"]
	}
	const corp = "113000000000000000001"
	// workspace signs somebody of a Workspace in and returns the refresh token.
	workspace := func(w *world, scope string) string {
		w.Helper()
		w.AddUser(User{Subject: corp, Email: "kate@corp.example", Name: "Kate", Domain: "corp.example"})
		return w.tokens(corp, scope)["refresh_token"].(string)
	}
	sentences(t, map[string]func(*world){
		"Narrow covers what the token's own consent did": func(w *world) {
			first := w.tokens("", "openid "+gmailLabels)
			w.tokens("", driveFile)
			w.SetRefreshRules(RefreshRules{Narrow: true})
			if got := scopes(w, first["refresh_token"]); got != "openid "+gmailLabels {
				w.Errorf("scope %v", got)
			}
			again := w.tokens("", driveFile, "prompt", "consent")
			if got := scopes(w, again["refresh_token"]); got != driveFile+" openid "+gmailLabels {
				w.Errorf("scope %v after one more consent", got)
			}
		},
		"NoIDToken leaves it out of a refresh alone": func(w *world) {
			w.SetRefreshRules(RefreshRules{NoIDToken: true})
			first := w.tokens("", "openid")
			if _, body := w.refreshWith(first["refresh_token"].(string)); first["id_token"] == nil || body["id_token"] != nil {
				w.Errorf("%v, then %v", first, body)
			}
		},
		"CloudSession ends tokens that reach Google Cloud, for a Workspace's user, until a new consent": func(w *world) {
			w.SetRefreshRules(RefreshRules{CloudSession: 16 * time.Hour})
			refresh := workspace(w, "openid "+cloudRead)
			w.clock.advance(16*time.Hour - time.Second)
			if status, body := w.refreshWith(refresh); status != 200 {
				w.Errorf("%d %v", status, body)
			}
			w.clock.advance(time.Second)
			status, body := w.refreshWith(refresh)
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
			if body["error_subtype"] != "invalid_rapt" {
				w.Errorf("%v", body)
			}
			again := w.tokens(corp, "openid "+cloudRead, "prompt", "consent")["refresh_token"].(string)
			if status, body := w.refreshWith(again); status != 200 {
				w.Errorf("%d %v", status, body)
			}
		},
		"CloudSession counts what was granted later": func(w *world) {
			w.SetRefreshRules(RefreshRules{CloudSession: time.Hour})
			refresh := workspace(w, "openid "+gmailLabels)
			w.clock.advance(2 * time.Hour)
			if status, body := w.refreshWith(refresh); status != 200 {
				w.Errorf("%d %v", status, body)
			}
			w.tokens(corp, cloudRead)
			status, body := w.refreshWith(refresh)
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"CloudSession means nobody else": func(w *world) {
			w.SetRefreshRules(RefreshRules{CloudSession: time.Hour})
			refresh := w.tokens("", cloudRead)["refresh_token"].(string)
			w.clock.advance(24 * time.Hour)
			if status, body := w.refreshWith(refresh); status != 200 {
				w.Errorf("%d %v", status, body)
			}
		},
	})
}

func TestLimitAccess(t *testing.T) {
	left := func(w *world, refresh any) any {
		w.Helper()
		_, body := w.refreshWith(refresh.(string))
		return body["refresh_token_expires_in"]
	}
	sentences(t, map[string]func(*world){
		"tells the end with every answer, and ends then": func(w *world) {
			w.LimitAccess(ada, w.clock.now().Add(2*time.Hour))
			first := w.tokens("", gmailLabels)
			if first["refresh_token_expires_in"] != 7199.0 {
				w.Errorf("%v", first)
			}
			w.clock.advance(time.Hour)
			if got := left(w, first["refresh_token"]); got != 3599.0 {
				w.Errorf("an hour later: %v", got)
			}
			w.clock.advance(time.Hour)
			status, body := w.refreshWith(first["refresh_token"].(string))
			wantOAuthError(w.T, status, body, 400, "invalid_grant")
		},
		"can be given later, put off and taken away": func(w *world) {
			first := w.tokens("", gmailLabels)
			if first["refresh_token_expires_in"] != nil || left(w, first["refresh_token"]) != nil {
				w.Errorf("an end without LimitAccess: %v", first)
			}
			for _, hours := range []time.Duration{1, 5} {
				w.LimitAccess(ada, w.clock.now().Add(hours*time.Hour))
				if got := left(w, first["refresh_token"]); got != float64(hours)*3600-1 {
					w.Errorf("%d hours: %v", int(hours), got)
				}
			}
			w.LimitAccess(ada, time.Time{})
			if got := left(w, first["refresh_token"]); got != nil {
				w.Errorf("no end: %v", got)
			}
		},
		"is told of a Testing app's refreshes, too": func(w *world) {
			w.SetTesting(true)
			first := w.tokens("", gmailLabels)
			w.clock.advance(24 * time.Hour)
			if got := left(w, first["refresh_token"]); got != 6*24*3600.0-1 {
				w.Errorf("%v", got)
			}
		},
		"means nobody else": func(w *world) {
			w.LimitAccess(ada, w.clock.now().Add(time.Hour))
			if body := w.tokens(grace, gmailLabels); body["refresh_token_expires_in"] != nil {
				w.Errorf("%v", body)
			}
		},
	})
}
