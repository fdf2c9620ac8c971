package oauthflow

import (
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// A Request is what a user is to be asked. Either Browser or Owner is set.
type Request struct {
	Browser       string            // the browser's id
	Owner         string            // an app's user, who comes back to a page of Config.FrontEnds
	Grant         *tokenstore.Grant // of who asks, or nil
	Scopes        []string          // asked for, besides openid and email
	ReturnTo      string            // where to come back to: a local path, or a page of Config.FrontEnds
	SelectAccount bool              // have the user choose the account
	IdentityOnly  bool              // ask for openid and email and nothing else
	Renew         bool              // have Google give a new refresh token: ConsentError.Renew
}

// Begin returns the URL of Google's consent page for a new flow.
//
// A permission that is kept apart is asked for alone, and only where the grant is usable. Anybody else signs in first,
// and can be asked for it afterwards.
func (f *Flow) Begin(r Request) (string, error) {
	s := &state{ReturnTo: r.ReturnTo, SelectAccount: r.SelectAccount, IdentityOnly: r.IdentityOnly}
	if r.Owner != "" {
		s.Owner = seal.HashID(r.Owner)
	} else {
		s.Browser = seal.HashID(r.Browser)
	}
	if !r.IdentityOnly {
		s.Scopes = without(r.Scopes, f.config.Apart...)
	}
	g, hint := r.Grant, ""
	if r.SelectAccount {
		g = nil
	}
	if g != nil {
		hint = f.hint(g)
	}
	switch {
	case len(r.Scopes) > 0 && len(s.Scopes) == 0 && !r.IdentityOnly && g != nil && f.usable(g):
		s.Apart, s.Scopes = true, r.Scopes
	case g != nil:
		s.Consent = r.Renew || g.Narrower
		// A refresh token that includes all that was granted would include what is kept apart.
		if len(g.Apart.Scopes) > 0 || r.Renew && len(f.config.Apart) > 0 {
			s.setExact(g)
		}
	default:
		s.Consent, s.Exact = r.Renew, r.Renew && len(f.config.Apart) > 0
	}
	return f.consentURL(s, hint)
}

// setExact makes s name the scopes that the grant holds, instead of including whatever was granted.
func (s *state) setExact(g *tokenstore.Grant) {
	s.Exact = true
	if !s.IdentityOnly {
		s.Held = without(permissions(g.Scopes), s.Scopes...)
	}
}

// hint returns a login_hint for the grant's Google account: its email address or subject, or "".
func (f *Flow) hint(g *tokenstore.Grant) string {
	if g.Email != "" || isApp(g.Owner) {
		return g.Email
	}
	return g.Account()
}

// isApp reports whether an owner is an app's user and not a Google account.
func isApp(owner string) bool { return strings.HasPrefix(owner, "app:") }

// consentURL gives s a new id, nonce and PKCE verifier, and returns its consent URL. It sends prompt=consent only where
// s says so: each refresh token that comes of it uses up one of the 100 that an account and a client can have
// [Google: refresh token expiration].
func (f *Flow) consentURL(s *state, hint string) (string, error) {
	s.Flow, s.Nonce, s.Verifier = seal.NewID(), seal.NewID(), oauth2.GenerateVerifier()
	s.Issued = f.config.Now()
	sealed, err := s.seal(f.config.Keys)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(s.Verifier), oauth2.SetAuthURLParam("nonce", s.Nonce)}
	add := func(name, value string) { options = append(options, oauth2.SetAuthURLParam(name, value)) }
	if s.Apart {
		options = append(options, oauth2.AccessTypeOnline)
	} else {
		options = append(options, oauth2.AccessTypeOffline)
		if !s.Exact {
			add("include_granted_scopes", "true")
		}
	}
	var prompt []string
	if hint != "" {
		add("login_hint", hint)
	} else if s.SelectAccount {
		prompt = append(prompt, "select_account")
	}
	if s.Consent {
		prompt = append(prompt, "consent")
	}
	if len(prompt) > 0 {
		add("prompt", strings.Join(prompt, " "))
	}
	if len(f.config.Domains) == 1 {
		add("hd", f.config.Domains[0])
	}
	c := f.oauth(f.config.RedirectURI)
	c.Scopes = slices.Concat([]string{"openid", "email"}, s.Scopes, s.Held)
	return c.AuthCodeURL(sealed, options...), nil
}
