package oauthflow

import (
	"context"
	"errors"
	"slices"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// EndSession ends the owner's session that has this id, so that copies of its cookie are of no use any more. A session
// that is over and a grant that is gone are no errors.
func (f *Flow) EndSession(ctx context.Context, owner, session string) error {
	return f.EndSessionByHash(ctx, owner, seal.HashID(session))
}

// EndSessionByHash is EndSession for a session that is known by the hash of its id.
func (f *Flow) EndSessionByHash(ctx context.Context, owner, hash string) error {
	return f.endSessions(ctx, owner, func(s tokenstore.Session) bool { return s.Hash == hash })
}

// EndSessions ends every session of the owner.
func (f *Flow) EndSessions(ctx context.Context, owner string) error {
	return f.endSessions(ctx, owner, func(tokenstore.Session) bool { return true })
}

// endSessions ends the owner's sessions for which end is true.
func (f *Flow) endSessions(ctx context.Context, owner string, end func(tokenstore.Session) bool) error {
	return f.alter(ctx, "signed out", owner, func(g *tokenstore.Grant) {
		g.Sessions = slices.DeleteFunc(g.Sessions, end)
	})
}

// alter lets change take sessions and jobs out of the owner's grant. If it takes any, the grant is stored and event goes
// to the audit.
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
