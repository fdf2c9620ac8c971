package oauthflow

import (
	"golang.org/x/oauth2"

	"functions.local/oauth/shared/seal"
)

// A Request is what a user is to be asked.
type Request struct {
	Browser       string   // the browser's id
	Scopes        []string // asked for, besides openid and email
	ReturnTo      string   // local path to come back to
	LoginHint     string   // the signed-in account's email address or subject, or ""
	SelectAccount bool     // have the user choose the account
	Refused       bool     // Google refused a call for want of a scope, though none of Scopes was missing
}

// Begin returns the URL of Google's consent page for a new flow.
func (f *Flow) Begin(r Request) (string, error) {
	return f.consentURL(&state{Scopes: r.Scopes, ReturnTo: r.ReturnTo, Browser: seal.HashID(r.Browser), Refused: r.Refused}, r.LoginHint, r.SelectAccount)
}

// consentURL makes s a fresh attempt and returns its consent URL. prompt=consent is sent only where s
// says so: each time uses up one of Google's 100 live refresh tokens per account and client.
func (f *Flow) consentURL(s *state, hint string, selectAccount bool) (string, error) {
	s.Flow, s.Nonce, s.Verifier = seal.NewID(), seal.NewID(), oauth2.GenerateVerifier()
	s.Issued = f.Now()
	sealed, err := s.seal(f.Keys)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{
		oauth2.AccessTypeOffline,
		oauth2.S256ChallengeOption(s.Verifier),
		oauth2.SetAuthURLParam("include_granted_scopes", "true"),
		oauth2.SetAuthURLParam("nonce", s.Nonce),
	}
	if hint != "" && !selectAccount {
		options = append(options, oauth2.SetAuthURLParam("login_hint", hint))
	}
	switch {
	case s.Consent:
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent"))
	case selectAccount:
		options = append(options, oauth2.SetAuthURLParam("prompt", "select_account"))
	}
	c := f.oauth
	c.Scopes = append([]string{"openid", "email"}, s.Scopes...)
	return c.AuthCodeURL(sealed, options...), nil
}
