package oauthflow

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// TestConsentURL pins the whole URL. What is random in it is taken out of the sealed state.
func TestConsentURL(t *testing.T) {
	const labels = "https://www.googleapis.com/auth/gmail.labels"
	const first = "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&client_id=client-1" +
		"&code_challenge=CHALLENGE&code_challenge_method=S256&include_granted_scopes=true&nonce=NONCE" +
		"&redirect_uri=https%3A%2F%2Ffunctions.example%2Foauth2callback&response_type=code" +
		"&scope=openid+email+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fgmail.labels&state=STATE"
	f := newFlow(t, nil)
	standIn := newFlow(t, nil)
	standIn.Config.GoogleBase = &url.URL{Scheme: "http", Host: "127.0.0.1:9700"}
	standIn = New(standIn.Config)
	for name, c := range map[string]struct {
		flow    *Flow
		request Request
		want    string
	}{
		"of a newcomer":             {f, Request{Scopes: []string{labels}}, first},
		"of somebody signed in":     {f, Request{Scopes: []string{labels}, LoginHint: "ada@example.com"}, strings.Replace(first, "&nonce", "&login_hint=ada%40example.com&nonce", 1)},
		"for another account":       {f, Request{Scopes: []string{labels}, LoginHint: "ada@example.com", SelectAccount: true}, strings.Replace(first, "&redirect", "&prompt=select_account&redirect", 1)},
		"for who one is":            {f, Request{}, strings.Replace(first, "+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fgmail.labels", "", 1)},
		"of a stand-in":             {standIn, Request{Scopes: []string{labels}}, strings.Replace(first, "https://accounts.google.com", "http://127.0.0.1:9700", 1)},
		"with a return_to, unseen":  {f, Request{Scopes: []string{labels}, ReturnTo: "/createfile?name=a", Browser: "b"}, first},
		"with prompt=consent again": {f, Request{Scopes: []string{labels}, LoginHint: "consent"}, strings.Replace(strings.Replace(first, "&nonce", "&login_hint=consent&nonce", 1), "&redirect", "&prompt=consent&redirect", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.flow.Begin(c.request)
			if c.request.LoginHint == "consent" {
				got, err = c.flow.consentURL(&state{Scopes: c.request.Scopes, Browser: "b", Consent: true}, "consent", false)
			}
			if err != nil {
				t.Fatal(err)
			}
			q := query(t, got)
			s, err := openState(c.flow.Keys, q.Get("state"), noon)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256([]byte(s.Verifier))
			challenge := base64.RawURLEncoding.EncodeToString(sum[:])
			want := strings.NewReplacer("CHALLENGE", challenge, "NONCE", s.Nonce, "STATE", q.Get("state")).Replace(c.want)
			if got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if len(s.Verifier) < 43 || len(s.Nonce) < 22 || len(s.Flow) < 22 || !s.Issued.Equal(noon) {
				t.Errorf("verifier %d, nonce %d, flow id %d characters, issued %v", len(s.Verifier), len(s.Nonce), len(s.Flow), s.Issued)
			}
		})
	}
}

func TestEveryAttemptIsFresh(t *testing.T) {
	f := newFlow(t, nil)
	seen := map[string]bool{}
	for range 100 {
		address, err := f.Begin(Request{Browser: "b"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := openState(f.Keys, query(t, address).Get("state"), noon)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{s.Flow, s.Nonce, s.Verifier} {
			if seen[value] {
				t.Fatalf("%q came twice", value)
			}
			seen[value] = true
		}
	}
}
