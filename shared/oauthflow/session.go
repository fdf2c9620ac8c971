package oauthflow

import (
	"context"
	"errors"
	"slices"
	"time"

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
	return f.alter(ctx, event, owner, func(g *tokenstore.Grant) {
		g.Sessions = slices.DeleteFunc(g.Sessions, end)
	})
}

// endBefore ends the sessions of the owner that began before at. Jobs that were on by then go off with them, since a
// stranger may have turned them on; not, however, those of somebody who signed in or consented since.
func (f *Flow) endBefore(ctx context.Context, owner string, at time.Time) error {
	return f.alter(ctx, "signed out by a security event", owner, func(g *tokenstore.Grant) {
		g.Sessions = slices.DeleteFunc(g.Sessions, func(s tokenstore.Session) bool { return s.Start.Before(at) })
		if len(g.Sessions) == 0 && g.Consented.Before(at) {
			g.Jobs, g.Zones = nil, nil
		}
	})
}

// alter has change alter the owner's sessions and jobs. Where that ends any, event goes to the audit.
func (f *Flow) alter(ctx context.Context, event, owner string, change func(*tokenstore.Grant)) error {
	_, err := tokenstore.Update(ctx, f.config.Store, owner, func(g *tokenstore.Grant) error {
		alive := len(g.Sessions) + len(g.Jobs)
		if change(g); len(g.Sessions)+len(g.Jobs) == alive {
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
// sessions that began before the event are over, in every grant of that account, and the jobs are off. Everything else is only put on
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
			err = errors.Join(err, f.endBefore(ctx, g.Owner, e.issued))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errUnchanged ends an update that has nothing to change.
var errUnchanged = errors.New("oauthflow: nothing to change")
