package oauthflow

import (
	"context"
	"errors"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// EndSession ends one session of the subject, so that a copy of its cookie is dead, too. A session
// that is over, or a grant that is gone, is no error.
func (f *Flow) EndSession(ctx context.Context, subject, session string) error {
	return f.endSessions(ctx, subject, func(g *tokenstore.Grant) bool { return g.EndSession(seal.HashID(session)) })
}

// EndSessions ends every session of the subject.
func (f *Flow) EndSessions(ctx context.Context, subject string) error {
	return f.endSessions(ctx, subject, func(g *tokenstore.Grant) bool {
		alive := len(g.Sessions) > 0
		g.Sessions = nil
		return alive
	})
}

func (f *Flow) endSessions(ctx context.Context, subject string, end func(*tokenstore.Grant) bool) error {
	_, err := tokenstore.Update(ctx, f.Store, subject, func(g *tokenstore.Grant) error {
		if !end(g) {
			return errUnchanged
		}
		return nil
	})
	switch {
	case err == nil:
		f.Audit(ctx, "signed out", subject)
	case errors.Is(err, errUnchanged), errors.Is(err, tokenstore.ErrNotFound):
		return nil
	}
	return err
}

// errUnchanged ends an update that has nothing to change.
var errUnchanged = errors.New("oauthflow: nothing to change")
