package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// A Browser is who came back from Google: the browser's id, and the session that it is in, if any.
type Browser struct {
	ID      string
	Subject string
	Session string // the session's id
}

// An Outcome is how a flow went on. Either Redirect is set, or Grant and Session are.
type Outcome struct {
	Redirect string            // Google's consent page, which the browser has to visit once more
	Grant    *tokenstore.Grant // as stored
	Session  string            // the id of the new session
	ReturnTo string            // where the user wanted to go
	Missing  []string          // scopes that were asked for and not granted
	Refused  bool              // the Request's
}

// Finish takes the parameters of Google's redirect, exchanges the code, verifies who it is, and
// stores the grant and a new session. The code is exchanged only for a state of this browser that was
// never used before [RFC 9700 §2.1, §4.7; RFC 9207].
//
// It returns ErrCallback, ErrState, ErrCode, ErrIDToken, ErrClient, ErrNonsense, ErrUnavailable, a
// *DeniedError, or an error of the store.
func (f *Flow) Finish(ctx context.Context, query url.Values, b Browser) (*Outcome, error) {
	if len(query["state"]) != 1 || len(query["code"])+len(query["error"]) != 1 || query.Get("code")+query.Get("error") == "" {
		return nil, ErrCallback
	}
	s, err := openState(f.Keys, query.Get("state"), f.Now())
	if err != nil {
		return nil, err
	}
	if s.Browser != seal.HashID(b.ID) {
		if b.ID == "" || s.Restarted {
			return nil, fmt.Errorf("%w: of another browser", ErrState)
		}
		s.Restarted, s.Browser = true, seal.HashID(b.ID)
		return f.again(s, "")
	}
	if err := f.Store.UseOnce(ctx, s.Flow, s.Issued.Add(stateLifetime)); errors.Is(err, tokenstore.ErrUsed) {
		return nil, fmt.Errorf("%w: used before", ErrState)
	} else if err != nil {
		return nil, err
	}
	if iss, ok := query["iss"]; ok && (len(iss) != 1 || iss[0] != Issuer) {
		return nil, fmt.Errorf("%w: iss", ErrCallback)
	}
	if query.Has("error") {
		code := query.Get("error")
		if !isErrorCode(code) {
			code = "unknown"
		}
		f.Audit(ctx, "consent refused", b.Subject, "error", code)
		return nil, &DeniedError{Code: code, ReturnTo: s.ReturnTo}
	}
	t, who, err := f.exchange(ctx, &f.oauth, query.Get("code"), s.Nonce, oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return nil, err
	}
	if t.scopes == nil {
		t.scopes = parseScope("openid email " + strings.Join(s.Scopes, " "))
	}
	out, err := f.signIn(ctx, t, who, b)
	if errors.Is(err, errNoRefreshToken) && !s.Consent {
		s.Consent = true
		return f.again(s, who.email)
	}
	if err != nil {
		return nil, err
	}
	out.ReturnTo, out.Refused = s.ReturnTo, s.Refused
	out.Missing = slices.DeleteFunc(s.Scopes, func(scope string) bool {
		return slices.Contains(out.Grant.Scopes, normalizeScope(scope))
	})
	return out, nil
}

// isErrorCode reports whether code looks like one of Google's.
func isErrorCode(code string) bool {
	return code != "" && len(code) <= 64 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") == ""
}

func (f *Flow) again(s *state, hint string) (*Outcome, error) {
	redirect, err := f.consentURL(s, hint, false)
	return &Outcome{Redirect: redirect}, err
}

// exchange redeems a code and verifies the ID token that comes with the tokens. Google's keys are
// fetched at the same time as the tokens.
func (f *Flow) exchange(ctx context.Context, c *oauth2.Config, code, nonce string, options ...oauth2.AuthCodeOption) (*tokens, identity, error) {
	go f.keys.get(ctx, nil)
	t, err := f.call(ctx, func(ctx context.Context) (*oauth2.Token, error) { return c.Exchange(ctx, code, options...) })
	var refused *refusal
	if errors.As(err, &refused) {
		return nil, identity{}, fmt.Errorf("%w: %w", refused.kind(), err)
	}
	if err != nil {
		return nil, identity{}, err
	}
	who, err := f.verifyIDToken(ctx, t.idToken, t.access, expected{nonce: nonce})
	return t, who, err
}

// errNoRefreshToken means that there is no refresh token, neither a new one nor a stored one that works.
// After prompt=consent that makes no sense.
var errNoRefreshToken = fmt.Errorf("%w: no refresh token", ErrNonsense)

// signIn stores what was granted, opens a new session and ends the one that the browser was in.
func (f *Flow) signIn(ctx context.Context, t *tokens, who identity, b Browser) (*Outcome, error) {
	id := seal.NewID()
	var event string
	g, err := tokenstore.Upsert(ctx, f.Store, who.subject, func(g *tokenstore.Grant) error {
		now := f.Now()
		if t.refresh == "" && !g.Usable() {
			return errNoRefreshToken
		}
		switch {
		case !g.Usable():
			event = "consent given"
		case covers(g.Scopes, t.scopes):
			event = "signed in"
		default:
			event = "consent extended"
		}
		if t.refresh != "" {
			g.RefreshToken, g.RefreshExpiry, g.Consented = t.refresh, t.refreshExpiry, now
		}
		if g.Created.IsZero() {
			g.Created = now
		}
		g.AccessToken, g.Expiry, g.Scopes = t.access, t.expiry, t.scopes
		g.Email = who.email
		g.Status, g.Reason = tokenstore.Active, ""
		if b.Subject == who.subject {
			g.EndSession(seal.HashID(b.Session))
		}
		g.AddSession(tokenstore.Session{Hash: seal.HashID(id), Start: now})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if b.Subject != "" && b.Subject != who.subject {
		if err := f.EndSession(ctx, b.Subject, b.Session); err != nil {
			return nil, err
		}
	}
	f.Audit(ctx, event, who.subject, "scopes", g.Scopes)
	return &Outcome{Grant: g, Session: id}, nil
}

func covers(have, want []string) bool {
	return !slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(have, s) })
}
