package fakegoogle

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestConsentRefuses asks the page and Authorize with the same URL: both must refuse, and the browser
// must not be sent anywhere.
func TestConsentRefuses(t *testing.T) {
	tests := []struct {
		name string
		set  []string
		code string
	}{
		{"no client", []string{"client_id", ""}, "invalid_request"},
		{"an unknown client", []string{"client_id", "nobody"}, "invalid_client"},
		{"no redirect URI", []string{"redirect_uri", ""}, "invalid_request"},
		{"a redirect URI with one more slash", []string{"redirect_uri", callback + "/"}, "redirect_uri_mismatch"},
		{"a redirect URI in other letters", []string{"redirect_uri", "http://LOCALHOST:8080/oauth2callback"}, "redirect_uri_mismatch"},
		{"a redirect URI with a query", []string{"redirect_uri", callback + "?a=b"}, "redirect_uri_mismatch"},
		{"a popup of an unregistered origin", []string{"redirect_uri", "postmessage", "origin", "https://evil.example"}, "origin_mismatch"},
		{"a popup without origin", []string{"redirect_uri", "postmessage"}, "origin_mismatch"},
		{"a popup of a client without origins", []string{"redirect_uri", "postmessage", "origin", appPage, "client_id", "app-2"}, "origin_mismatch"},
		{"no response type", []string{"response_type", ""}, "invalid_request"},
		{"the implicit flow", []string{"response_type", "token"}, "unsupported_response_type"},
		{"no scope", []string{"scope", ""}, "invalid_request"},
		{"only blanks as scope", []string{"scope", " "}, "invalid_request"},
		{"a scope that Google cannot know", []string{"scope", "openid gmail.labels"}, "invalid_scope"},
		{"a plain PKCE challenge", []string{"code_challenge", challenge43, "code_challenge_method", "plain"}, "invalid_request"},
		{"a PKCE challenge without method", []string{"code_challenge", challenge43}, "invalid_request"},
		{"a PKCE method without challenge", []string{"code_challenge_method", "S256"}, "invalid_request"},
		{"a PKCE challenge that is no SHA-256 sum", []string{"code_challenge", "short", "code_challenge_method", "S256"}, "invalid_request"},
		{"an unknown access type", []string{"access_type", "Offline"}, "invalid_request"},
		{"an unknown value of include_granted_scopes", []string{"include_granted_scopes", "1"}, "invalid_request"},
		{"an unknown prompt", []string{"prompt", "login"}, "invalid_request"},
		{"prompt none with another", []string{"prompt", "none consent"}, "invalid_request"},
		{"a client secret in the URL", []string{"client_secret", "secret-1"}, "invalid_request"},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			w := newWorld(t)
			refused(t, w, w.consentURL("openid "+gmailLabels, tt.set...), tt.code)
		})
	}
	for _, name := range []string{"state", "redirect_uri", "scope", "client_id"} {
		t.Run("refuses two values of "+name, func(t *testing.T) {
			w := newWorld(t)
			refused(t, w, w.consentURL("openid")+"&"+name+"=again", "invalid_request")
		})
	}
	t.Run("refuses another path", func(t *testing.T) {
		w := newWorld(t)
		if got, err := w.Authorize(strings.Replace(w.consentURL("openid"), "/v2/", "/v3/", 1), Decision{}); err == nil {
			t.Fatalf("went to %s", got)
		}
	})
	t.Run("accepts the path that client_secret.json names", func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.Authorize(strings.Replace(w.consentURL("openid"), "/v2/", "/", 1), Decision{}); err != nil {
			t.Fatal(err)
		}
	})
}

const challenge43 = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

func refused(t *testing.T, w *world, consentURL, code string) {
	t.Helper()
	if redirect, err := w.Authorize(consentURL, Decision{}); err == nil || !strings.Contains(err.Error(), code+":") {
		t.Errorf("Authorize = %q, %v; want %s", redirect, err, code)
	}
	noFollow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := noFollow.Get(consentURL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" {
		t.Errorf("page: %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if !strings.Contains(string(page), "Error 400: "+code+"<") {
		t.Errorf("page does not say %s: %s", code, page)
	}
}
