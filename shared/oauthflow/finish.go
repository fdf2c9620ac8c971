package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// A Browser is who came back from Google: the browser's id, and the session that it is in, if any.
type Browser struct {
	ID      string // "" where the browser sent no cookie
	Subject string
	Session string // the session's id
	// SignedOut says that somebody signed out here, so that Google is to ask for the account.
	SignedOut bool
	Name      string // browser and system in words, for the list of sessions
}

// An Outcome is how a flow went on: exactly one of Consent, HandOn, Retry, GoOn and Grant is set.
type Outcome struct {
	Consent string // Google's consent page, which the browser has to visit once more
	HandOn  string // the page of an app that gets code and state, or the error, in its fragment
	Retry   string // the callback's own address, to be called once more from a page of ours that sets no cookie: the browser sent none
	GoOn    bool   // nothing was done: this browser is signed in and has what was asked for

	Grant   *tokenstore.Grant // as stored
	Session string            // the id of the new session; "" for an app's user

	Browser  string   // with Consent, the id for a browser that had none
	Cause    string   // with Consent or GoOn, what was wrong with the state, for the log; or ""
	ReturnTo string   // where the user wanted to go
	Missing  []string // scopes that were asked for and not granted
}

// retryMark is the query parameter of a callback that a page of ours has called once more.
const retryMark = "retry"

// Finish takes the parameters of Google's redirect, exchanges the code, verifies who it is, and
// stores the grant and a new session. The code is exchanged only for a state of this browser that was
// never used before [RFC 9700 §2.1, §4.7; RFC 9207]. A person whose state is another browser's, late or used is sent
// on without an exchange: to where they wanted to go, or to Google once more. For an app's user Finish exchanges
// nothing and only hands code and state on.
//
// It returns ErrCallback, ErrState, ErrInvalidGrant, ErrIDToken, ErrInvalidClient, ErrBadResponse, ErrUnavailable,
// ErrRateLimited, ErrDomain, a *DeniedError, or an error of the store.
func (f *Flow) Finish(ctx context.Context, query url.Values, b Browser) (*Outcome, error) {
	if len(query["state"]) != 1 || len(query["code"])+len(query["error"]) != 1 || query.Get("code")+query.Get("error") == "" {
		return nil, ErrCallback
	}
	s, err := openState(f.config.Keys, query.Get("state"), f.config.Now())
	if err != nil {
		return nil, err
	}
	if iss, ok := query["iss"]; ok && (len(iss) != 1 || iss[0] != Issuer) {
		return nil, fmt.Errorf("%w: iss", ErrCallback)
	}
	switch {
	case s.Owner != "":
		return f.handOn(s, query)
	case b.ID == "" && !query.Has(retryMark):
		return &Outcome{Retry: f.retry(query)}, nil
	case query.Has("error"):
		return nil, f.callbackError(ctx, s, query.Get("error"), b)
	case s.Browser != seal.HashID(b.ID):
		return f.restart(ctx, s, b, "of another browser")
	case s.late(f.config.Now()):
		return f.restart(ctx, s, b, "late")
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := f.config.Store.UseOnce(ctx, s.Flow, s.Issued.Add(stateLifetime)); errors.Is(err, tokenstore.ErrUsed) {
		return f.restart(ctx, s, b, "used before")
	} else if err != nil {
		return nil, err
	}
	return f.finish(ctx, s, query.Get("code"), b)
}

// finish exchanges the code of a flow that is this browser's.
func (f *Flow) finish(ctx context.Context, s *state, code string, b Browser) (*Outcome, error) {
	a, err := f.exchangeState(ctx, s, code)
	if err != nil {
		return nil, err
	}
	var out *Outcome
	switch {
	case s.Apart:
		out, err = f.signInApart(ctx, s, a, b)
	case f.holdsApart(a) && s.Exact:
		return nil, fmt.Errorf("%w: a scope that was not asked for", ErrBadResponse)
	case f.holdsApart(a): // Google included it: the user, who was not signed in, gave it before
		return f.askExactly(ctx, s, a)
	default:
		out, err = f.signIn(ctx, a, b)
	}
	if errors.Is(err, errNoRefreshToken) && !s.Consent {
		s.Consent = true
		return f.askAgain(s, a.who.email)
	}
	if err != nil || out.Consent != "" {
		return out, err
	}
	out.ReturnTo = s.ReturnTo
	if !s.Apart {
		out.Missing = lacking(out.Grant.Scopes, s.Scopes)
	}
	return out, nil
}

// askAgain returns an Outcome that sends the browser to Google once more.
func (f *Flow) askAgain(s *state, hint string) (*Outcome, error) {
	address, err := f.consentURL(s, hint)
	return &Outcome{Consent: address}, err
}

// restart sends on somebody whose flow cannot be finished: to where they wanted to go, if they are signed in and have
// what the flow asked for, or else to Google once more, for the account that is signed in. A flow that lets the user
// choose the account always goes to Google.
func (f *Flow) restart(ctx context.Context, s *state, b Browser, cause string) (*Outcome, error) {
	hint := ""
	if b.Subject != "" && !s.SelectAccount {
		g, err := f.config.Store.Get(ctx, b.Subject)
		switch {
		case err == nil && g.HasSession(seal.HashID(b.Session)):
			if f.has(g, s) {
				return &Outcome{GoOn: true, ReturnTo: s.ReturnTo, Cause: cause}, nil
			}
			hint = f.hint(g)
		case err != nil && !errors.Is(err, tokenstore.ErrNotFound):
			return nil, err
		}
	}
	switch {
	case s.Restarted && b.ID == "":
		return nil, ErrNoCookie
	case s.Restarted:
		return nil, fmt.Errorf("%w: %s", ErrState, cause)
	}
	id := ""
	if b.ID == "" {
		id = seal.NewID()
		b.ID = id
	}
	s.Restarted, s.Browser, s.SelectAccount = true, seal.HashID(b.ID), s.SelectAccount || b.SignedOut
	out, err := f.askAgain(s, hint)
	out.Browser, out.Cause = id, cause
	return out, err
}

// has reports whether the grant covers what the flow was to ask for, and can be used.
func (f *Flow) has(g *tokenstore.Grant, s *state) bool {
	if !f.usable(g) || !f.isAllowed(g.Domain) {
		return false
	}
	if s.Apart {
		return covers(f.apartScopes(g), s.Scopes)
	}
	return covers(g.Scopes, s.Scopes)
}

// retry returns the address of the callback with the parameters that it came with and retryMark.
func (f *Flow) retry(query url.Values) string {
	kept := url.Values{retryMark: {"1"}}
	for _, name := range []string{"code", "error", "state", "iss"} {
		if query.Has(name) {
			kept.Set(name, query.Get(name))
		}
	}
	return f.config.RedirectURI + "?" + kept.Encode()
}

// callbackError returns what an error code in the callback means. It goes to the audit only where the state is this
// browser's own: anybody can send a callback.
func (f *Flow) callbackError(ctx context.Context, s *state, code string, b Browser) error {
	code = errorCode(code)
	switch code {
	case "server_error":
		return fmt.Errorf("%w: callback: %s", ErrBadResponse, code)
	case "temporarily_unavailable":
		return fmt.Errorf("%w: callback: %s", ErrUnavailable, code)
	}
	if s.Browser == seal.HashID(b.ID) {
		f.config.Audit(ctx, "consent refused", b.Subject, "error", code)
	}
	return &DeniedError{Code: code, ReturnTo: s.ReturnTo}
}

// errorCode returns code if it looks like one of Google's, or else "unknown".
func errorCode(code string) string {
	if len(code) > 64 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "unknown"
	}
	return code
}

// signIn stores what was granted, opens a new session and ends the one that the browser was in.
func (f *Flow) signIn(ctx context.Context, a *answer, b Browser) (*Outcome, error) {
	id := seal.NewID()
	g, err := f.record(ctx, a.who.subject, a, f.newSession(id, a.who.subject, b))
	if err != nil {
		return nil, err
	}
	return f.signedIn(ctx, g, id, b)
}

// newSession returns the change of a grant that adds a session, and ends the one that the browser was in.
func (f *Flow) newSession(id, subject string, b Browser) func(*tokenstore.Grant) {
	return func(g *tokenstore.Grant) {
		if b.Subject == subject {
			g.EndSession(seal.HashID(b.Session))
		}
		g.AddSession(tokenstore.Session{Hash: seal.HashID(id), Start: f.config.Now(), Browser: b.Name})
	}
}

// signedIn returns the Outcome of a sign-in. Before that it ends the session of another account that the browser was in.
func (f *Flow) signedIn(ctx context.Context, g *tokenstore.Grant, id string, b Browser) (*Outcome, error) {
	if b.Subject != "" && b.Subject != g.Owner {
		if err := f.EndSession(ctx, b.Subject, b.Session); err != nil {
			return nil, err
		}
	}
	return &Outcome{Grant: g, Session: id}, nil
}

// FinishPopup is Finish for a code that Google Identity Services gave to a page of ours. There is no
// state, nonce or verifier: the caller has to see to it that the request comes from our own origin.
// Where Google sent no refresh token, and none that works is stored, it returns a *ConsentError.
func (f *Flow) FinishPopup(ctx context.Context, code string, b Browser) (*Outcome, error) {
	p := Posted{Code: code, From: fromPopup}
	return f.share(ctx, "browser "+b.ID, p, func(ctx context.Context) (*Outcome, error) {
		a, err := f.redeem(ctx, p)
		if err != nil {
			return nil, err
		}
		out, err := f.signIn(ctx, a, b)
		if errors.Is(err, errNoRefreshToken) {
			return nil, renewal(a.scopes)
		}
		return out, err
	})
}

// renewal returns the error for an answer that brought no refresh token, where none is stored that works.
func renewal(scopes []string) error {
	return &ConsentError{Missing: permissions(scopes), Renew: true}
}
