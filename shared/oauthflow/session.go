package oauthflow

import (
	"context"
	"errors"
	"slices"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// EndSession ends one session of the owner, so that a copy of its cookie is dead, too. A session
// that is over, or a grant that is gone, is no error.
func (f *Flow) EndSession(ctx context.Context, owner, session string) error {
	return f.EndOneSession(ctx, owner, seal.HashID(session))
}

// EndOneSession is EndSession for a session that is known by its hash.
func (f *Flow) EndOneSession(ctx context.Context, owner, hash string) error {
	return f.endSessions(ctx, "signed out", owner, func(s tokenstore.Session) bool { return s.Hash == hash })
}

// EndSessions ends every session of the owner.
func (f *Flow) EndSessions(ctx context.Context, owner string) error {
	return f.endSessions(ctx, "signed out", owner, func(tokenstore.Session) bool { return true })
}

// endSessions ends the sessions of the owner that end names. Where there are any, event goes to the audit.
func (f *Flow) endSessions(ctx context.Context, event, owner string, end func(tokenstore.Session) bool) error {
	_, err := tokenstore.Update(ctx, f.config.Store, owner, func(g *tokenstore.Grant) error {
		alive := len(g.Sessions)
		if g.Sessions = slices.DeleteFunc(g.Sessions, end); len(g.Sessions) == alive {
			return errUnchanged
		}
		return nil
	})
	switch {
	case err == nil:
		f.config.Audit(ctx, event, owner)
	case errors.Is(err, errUnchanged), errors.Is(err, tokenstore.ErrNotFound):
		return nil
	}
	return err
}

// SecurityEvent carries out a security event token of Google's: where the account may be in a stranger's hands, the
// sessions that began before the event are over, in every grant of that account. Everything else is only put on
// record: a token that Google revoked is found out by its next refresh.
//
// It returns ErrSecurityEvent, or what may pass: ErrUnavailable or an error of the store. To do it twice does no
// harm.
func (f *Flow) SecurityEvent(ctx context.Context, raw string) error {
	e, err := f.verifySecurityEvent(ctx, raw)
	if err != nil {
		return err
	}
	for _, event := range e.events {
		f.config.Audit(ctx, "security event", event.subject, "type", event.kind, "reason", event.reason, "id", e.id)
		if !event.endsSessions() {
			continue
		}
		grants, err := f.config.Store.ByGoogle(ctx, event.subject)
		for _, g := range grants {
			err = errors.Join(err, f.endSessions(ctx, "signed out by a security event", g.Owner, func(s tokenstore.Session) bool {
				return s.Start.Before(e.issued)
			}))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errUnchanged ends an update that has nothing to change.
var errUnchanged = errors.New("oauthflow: nothing to change")
