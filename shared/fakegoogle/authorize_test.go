package fakegoogle

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestAuthorize(t *testing.T) {
	sentences(t, map[string]func(*world){
		"answers code, state, scope, iss, authuser and prompt": func(w *world) {
			q := w.consent(w.consentURL("openid email "+gmailLabels), Decision{})
			if q.Get("code") == "" || q.Get("state") != "state-1" || q.Get("iss") != issuer || q.Get("authuser") != "0" || q.Get("prompt") != "consent" {
				w.Errorf("answer %v", q)
			}
			if want := "openid " + scopeEmail + " " + gmailLabels; q.Get("scope") != want {
				w.Errorf("scope %q, want %q", q.Get("scope"), want)
			}
		},
		"sends no state that was not sent": func(w *world) {
			if q := w.consent(w.consentURL("openid", "state", ""), Decision{}); q.Has("state") {
				w.Errorf("answer %v", q)
			}
		},
		"picks the hinted account by email or subject": func(w *world) {
			w.consent(w.consentURL("openid", "login_hint", "grace@example.com"), Decision{})
			w.consent(w.consentURL("openid", "login_hint", grace), Decision{})
			if len(w.GrantedScopes(grace, "app-1")) != 1 || w.GrantedScopes(ada, "app-1") != nil {
				w.Error("another account")
			}
		},
		"lets the user pick another account than the hinted one": func(w *world) {
			w.consent(w.consentURL("openid", "login_hint", ada), Decision{User: "grace@example.com"})
			if len(w.GrantedScopes(grace, "app-1")) != 1 {
				w.Error("the hint won")
			}
		},
		"fails for an unknown user": func(w *world) {
			if _, err := w.Authorize(w.consentURL("openid"), Decision{User: "nobody"}); err == nil {
				w.Error("no error")
			}
		},
		"answers access_denied and grants nothing when the user cancels": func(w *world) {
			q := w.consent(w.consentURL("openid "+gmailLabels), Decision{Deny: true})
			if q.Get("error") != "access_denied" || q.Get("state") != "state-1" || q.Get("iss") != issuer || q.Has("code") {
				w.Errorf("answer %v", q)
			}
			if got := w.GrantedScopes(ada, "app-1"); got != nil {
				w.Errorf("granted %v", got)
			}
		},
		"passes an error of Google's own on": func(w *world) {
			if q := w.consent(w.consentURL("openid"), Decision{Error: "admin_policy_enforced"}); q.Get("error") != "admin_policy_enforced" || q.Has("code") {
				w.Errorf("answer %v", q)
			}
		},
		"leaves an unticked scope out": func(w *world) {
			q := w.consent(w.consentURL("openid "+gmailLabels+" "+driveFile), Decision{Untick: []string{driveFile}})
			if want := "openid " + gmailLabels; q.Get("scope") != want {
				w.Errorf("scope %q, want %q", q.Get("scope"), want)
			}
			if slices.Contains(w.GrantedScopes(ada, "app-1"), driveFile) {
				w.Error("granted all the same")
			}
		},
		"answers access_denied when nothing at all is left ticked": func(w *world) {
			q := w.consent(w.consentURL(gmailLabels), Decision{Untick: []string{gmailLabels}})
			if q.Get("error") != "access_denied" {
				w.Errorf("answer %v", q)
			}
		},
		"fails to untick what has no box": func(w *world) {
			if _, err := w.Authorize(w.consentURL("openid "+gmailLabels), Decision{Untick: []string{"openid"}}); err == nil {
				w.Error("openid has no box")
			}
		},
		"shows no page for what is granted": func(w *world) {
			w.consent(w.consentURL("openid "+gmailLabels), Decision{})
			if q := w.consent(w.consentURL("openid "+gmailLabels), Decision{}); q.Get("prompt") != "none" || q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
			if _, err := w.Authorize(w.consentURL("openid"), Decision{Deny: true}); err == nil {
				w.Error("denied without a page")
			}
			if q := w.consent(w.consentURL("openid", "prompt", "consent"), Decision{Deny: true}); q.Get("error") != "access_denied" {
				w.Errorf("answer %v", q)
			}
		},
		"answers interaction_required to prompt none before the consent, and a code after it": func(w *world) {
			if q := w.consent(w.consentURL("openid", "prompt", "none"), Decision{}); q.Get("error") != "interaction_required" {
				w.Errorf("answer %v", q)
			}
			w.consent(w.consentURL("openid"), Decision{})
			if q := w.consent(w.consentURL("openid", "prompt", "none"), Decision{}); q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
		},
		"answers all granted scopes only with include_granted_scopes": func(w *world) {
			w.consent(w.consentURL("openid "+gmailLabels), Decision{})
			if q := w.consent(w.consentURL(driveFile), Decision{}); q.Get("scope") != driveFile+" openid "+gmailLabels {
				w.Errorf("with: %q", q.Get("scope"))
			}
			if q := w.consent(w.consentURL(eventsOwned, "include_granted_scopes", ""), Decision{}); q.Get("scope") != eventsOwned {
				w.Errorf("without: %q", q.Get("scope"))
			}
		},
		"keeps the grants of two clients apart": func(w *world) {
			w.consent(w.consentURL(gmailLabels), Decision{})
			if got := w.GrantedScopes(ada, "app-2"); got != nil {
				w.Errorf("granted %v", got)
			}
		},
	})
}

func TestPopupCode(t *testing.T) {
	sentences(t, map[string]func(*world){
		"gives a code for redirect_uri postmessage, with offline access": func(w *world) {
			code, err := w.PopupCode("app-1", appPage, "openid "+gmailLabels, Decision{User: grace})
			if err != nil {
				w.Fatal(err)
			}
			status, body := w.exchange(code, "redirect_uri", "postmessage")
			if status != 200 || body["refresh_token"] == nil {
				w.Errorf("%d %v", status, body)
			}
		},
		"gives a code that no other redirect URI redeems": func(w *world) {
			code, err := w.PopupCode("app-1", appPage, "openid", Decision{})
			if err != nil {
				w.Fatal(err)
			}
			status, body := w.exchange(code)
			wantOAuthError(w.T, status, body, 400, "redirect_uri_mismatch")
		},
		"fails for an unregistered origin": func(w *world) {
			if _, err := w.PopupCode("app-1", "https://evil.example", "openid", Decision{}); err == nil {
				w.Error("no error")
			}
		},
		"fails when the user cancels": func(w *world) {
			if _, err := w.PopupCode("app-1", appPage, "openid", Decision{Deny: true}); err == nil || !strings.Contains(err.Error(), "access_denied") {
				w.Errorf("error %v", err)
			}
		},
		"is not what Authorize is for": func(w *world) {
			if _, err := w.Authorize(w.consentURL("openid", "redirect_uri", "postmessage", "origin", appPage), Decision{}); err == nil {
				w.Error("no error")
			}
		},
	})
}

func TestDeviceCode(t *testing.T) {
	device := func(w *world, d Decision) string {
		w.Helper()
		code, err := w.DeviceCode("app-1", "openid email "+gmailLabels, d)
		if err != nil {
			w.Fatal(err)
		}
		return code
	}
	post := func(w *world, code string, redirect ...string) (int, map[string]any) {
		w.Helper()
		f := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"app-1"}, "client_secret": {"secret-1"}}
		if len(redirect) > 0 {
			f["redirect_uri"] = redirect
		}
		return w.post("/token", f)
	}
	sentences(t, map[string]func(*world){
		"is redeemed with an empty redirect URI, for offline access": func(w *world) {
			status, body := post(w, device(w, Decision{User: grace}), "")
			if status != 200 || body["refresh_token"] == nil || w.claims(body)["sub"] != grace || w.claims(body)["azp"] != "app-1" {
				w.Errorf("%d %v", status, body)
			}
		},
		"is refused without the parameter": func(w *world) {
			status, body := post(w, device(w, Decision{}))
			wantOAuthError(w.T, status, body, 400, "invalid_request")
		},
		"is refused with another redirect URI": func(w *world) {
			for _, redirect := range []string{"postmessage", callback} {
				status, body := post(w, device(w, Decision{}), redirect)
				wantOAuthError(w.T, status, body, 400, "redirect_uri_mismatch")
			}
		},
		"alone is redeemed with an empty redirect URI": func(w *world) {
			popup, err := w.PopupCode("app-1", appPage, "openid", Decision{})
			if err != nil {
				w.Fatal(err)
			}
			for _, code := range []string{popup, w.code("", "openid")} {
				status, body := post(w, code, "")
				wantOAuthError(w.T, status, body, 400, "redirect_uri_mismatch")
			}
		},
		"is not given when the user cancels": func(w *world) {
			if code, err := w.DeviceCode("app-1", "openid", Decision{Deny: true}); err == nil {
				w.Errorf("code %q", code)
			}
		},
		"is no way round the redirect URI of a page": func(w *world) {
			if redirect, err := w.Authorize(w.consentURL("openid", "redirect_uri", ""), Decision{}); err == nil {
				w.Errorf("sent to %s", redirect)
			}
		},
	})
	t.Run("has a counterpart: the code of a redirect is refused as a popup's", func(t *testing.T) {
		w := newWorld(t)
		status, body := w.exchange(w.code("", "openid"), "redirect_uri", "postmessage")
		wantOAuthError(t, status, body, 400, "redirect_uri_mismatch")
	})
}
