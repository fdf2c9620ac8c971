package oauthflow

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"functions.local/oauth/shared/tokenstore"
)

const (
	labels   = "https://www.googleapis.com/auth/gmail.labels"
	drive    = "https://www.googleapis.com/auth/drive.file"
	calendar = "https://www.googleapis.com/auth/calendar.events.owned"
	cloud    = "https://www.googleapis.com/auth/cloud-platform.read-only"
)

// TestConsentURL pins the whole URL. What is random in it is taken out of the sealed state.
func TestConsentURL(t *testing.T) {
	const first = "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&client_id=client-1" +
		"&code_challenge=CHALLENGE&code_challenge_method=S256&include_granted_scopes=true&nonce=NONCE" +
		"&redirect_uri=https%3A%2F%2Ffunctions.example%2Foauth2callback&response_type=code" +
		"&scope=openid+email+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fgmail.labels&state=STATE"
	replaced := func(pairs ...string) string {
		url := first
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(url, pairs[i]) {
				t.Fatalf("%q is not in the URL", pairs[i])
			}
			url = strings.Replace(url, pairs[i], pairs[i+1], 1)
		}
		return url
	}
	const labelsOnly = "+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fgmail.labels"
	const hint, hd, include = "&login_hint=ada%40example.com&nonce", "&hd=example.com&include", "&include_granted_scopes=true"
	google := newFlow(t, nil)
	with := func(change func(*Config)) *Flow {
		c := newFlow(t, nil).config
		change(&c)
		return New(c)
	}
	standIn := with(func(c *Config) { c.GoogleBase = &url.URL{Scheme: "http", Host: "127.0.0.1:9700"} })
	oneDomain := with(func(c *Config) { c.Domains = []string{"example.com"} })
	twoDomains := with(func(c *Config) { c.Domains = []string{"example.com", "example.org"} })
	keptApart := with(func(c *Config) { c.Apart = []string{cloud} })
	ada := func(change func(*tokenstore.Grant)) *tokenstore.Grant {
		g := &tokenstore.Grant{Owner: "1", Email: "ada@example.com", RefreshToken: "r", Status: tokenstore.Active,
			Scopes: parseScope("openid email " + drive)}
		change(g)
		return g
	}
	as := func(g *tokenstore.Grant) {}
	for name, c := range map[string]struct {
		flow    *Flow
		request Request
		want    string
	}{
		"of a newcomer":                        {google, Request{Scopes: []string{labels}}, first},
		"of somebody signed in":                {google, Request{Scopes: []string{labels}, Grant: ada(as)}, replaced("&nonce", hint)},
		"of somebody without an email address": {google, Request{Scopes: []string{labels}, Grant: ada(func(g *tokenstore.Grant) { g.Email = "" })}, replaced("&nonce", "&login_hint=1&nonce")},
		"of an app's user":                     {google, Request{Owner: "app:x:1", Scopes: []string{labels}}, first},
		"of an app's user, connected before":   {google, Request{Owner: "app:x:1", Scopes: []string{labels}, Grant: ada(func(g *tokenstore.Grant) { g.Owner = "app:x:1" })}, replaced("&nonce", hint)},
		"of an app's user, not connected":      {google, Request{Owner: "app:x:1", Scopes: []string{labels}, Grant: &tokenstore.Grant{Owner: "app:x:1"}}, first},
		"for another account":                  {google, Request{Scopes: []string{labels}, Grant: ada(as), SelectAccount: true}, replaced("&redirect", "&prompt=select_account&redirect")},
		"for another account, narrower before": {google, Request{Scopes: []string{labels}, Grant: ada(func(g *tokenstore.Grant) { g.Narrower = true }), SelectAccount: true}, replaced("&redirect", "&prompt=select_account&redirect")},
		"for who one is":                       {google, Request{}, replaced(labelsOnly, "")},
		"for identity only":                    {google, Request{Scopes: []string{labels}, IdentityOnly: true}, replaced(labelsOnly, "")},
		"of a stand-in":                        {standIn, Request{Scopes: []string{labels}}, replaced("https://accounts.google.com", "http://127.0.0.1:9700")},
		"with a return_to, unseen":             {google, Request{Scopes: []string{labels}, ReturnTo: "/createfile?name=a", Browser: "b"}, first},
		"for a new refresh token":              {google, Request{Scopes: []string{labels}, Renew: true}, replaced("&redirect", "&prompt=consent&redirect")},
		"with a refresh token that is narrower": {google, Request{Scopes: []string{labels}, Grant: ada(func(g *tokenstore.Grant) { g.Narrower = true })},
			replaced("&nonce", hint, "&redirect", "&prompt=consent&redirect")},
		"where one domain is let in":   {oneDomain, Request{Scopes: []string{labels}}, replaced("&include", hd)},
		"where two domains are let in": {twoDomains, Request{Scopes: []string{labels}}, first},
		"for what is kept apart": {keptApart, Request{Scopes: []string{cloud}, Grant: ada(as)},
			replaced("offline", "online", include, "", "&nonce", hint, "gmail.labels", "cloud-platform.read-only")},
		"for what is kept apart, not signed in": {keptApart, Request{Scopes: []string{cloud}}, replaced(labelsOnly, "")},
		"for what is kept apart, consent withdrawn": {keptApart, Request{Scopes: []string{cloud}, Grant: ada(func(g *tokenstore.Grant) { g.Status = tokenstore.NeedsConsent })},
			replaced(labelsOnly, "", "&nonce", hint)},
		"after something was given apart": {keptApart, Request{Scopes: []string{labels}, Grant: ada(func(g *tokenstore.Grant) { g.Apart.Scopes = []string{cloud} })},
			replaced(include, "", "&nonce", hint, labelsOnly, labelsOnly+"+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdrive.file")},
		"for a new refresh token where something is kept apart": {keptApart, Request{Scopes: []string{labels}, Grant: ada(as), Renew: true},
			replaced(include, "", "&nonce", hint, "&redirect", "&prompt=consent&redirect", labelsOnly, labelsOnly+"+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdrive.file")},
		"for identity only after something was given apart": {keptApart, Request{IdentityOnly: true, Grant: ada(func(g *tokenstore.Grant) { g.Apart.Scopes = []string{cloud} })},
			replaced(include, "", "&nonce", hint, labelsOnly, "")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.flow.Begin(c.request)
			if err != nil {
				t.Fatal(err)
			}
			q := query(t, got)
			s, err := openState(c.flow.config.Keys, q.Get("state"), noon)
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
		s, err := openState(f.config.Keys, query(t, address).Get("state"), noon)
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
