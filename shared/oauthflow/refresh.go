package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

const (
	// early is how long before its expiry an access token is replaced; up to jitter is added, so that
	// instances do not all refresh a user's token in the same moment.
	early  = 60 * time.Second
	jitter = 30 * time.Second
	// maxRepeats is how often a refresh is sent again after a failure that may pass. Unlike a code, a refresh
	// token may be sent twice.
	maxRepeats = 2
)

// refreshes lets the process refresh a user's token once at a time. A request that read the grant before a refresh
// and asks after it gets the result of that refresh.
type refreshes struct {
	group singleflight.Group

	mu     sync.Mutex
	recent map[string]refreshed // by owner
	swept  time.Time            // when what is too old was removed from recent
}

// refreshed is the result of a refresh.
type refreshed struct {
	from  seal.Secret // the access token that was replaced
	grant *tokenstore.Grant
	at    time.Time
}

// recentFor is how long the result of a refresh is remembered, for requests that read the grant before it. One that
// comes later refreshes once more, which does no harm.
const recentFor = 2 * time.Minute

// token returns g, or a newer version of it, with an access token that has some time to live.
// Its errors are those of refreshOnce.
func (f *Flow) token(ctx context.Context, g *tokenstore.Grant) (*tokenstore.Grant, error) {
	if f.fresh(g) {
		return g, nil
	}
	return f.refreshOnce(ctx, g)
}

// fresh reports whether g has an access token that need not be replaced yet.
func (f *Flow) fresh(g *tokenstore.Grant) bool {
	return f.usable(g) && g.AccessToken != "" && f.config.Now().Add(early+rand.N(jitter)).Before(g.Expiry)
}

// refreshOnce replaces g's access token, even if it would still be valid, and returns the new version of the
// grant. If another request or process replaced it meanwhile, it returns theirs. The new token is used even
// where it could not be stored.
//
// It returns a *ConsentError if the user has to consent again; ErrUnavailable, ErrRateLimited, ErrBadResponse,
// ErrInvalidClient or ErrIDToken, after which the stored grant is what it was; ErrDomain; or an error of the store.
func (f *Flow) refreshOnce(ctx context.Context, g *tokenstore.Grant) (*tokenstore.Grant, error) {
	from, g := g.AccessToken, g.Clone() // the refresh changes its copy, and may outlast the caller
	result := f.refreshes.group.DoChan(g.Owner+" "+string(from), func() (any, error) {
		if newer := f.refreshes.after(g); newer != nil && f.fresh(newer) {
			return newer, nil
		}
		// One caller's end must not be the end of all who wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*timeout)
		defer cancel()
		newer, err := f.refresh(ctx, g)
		if err == nil {
			f.refreshes.remember(from, newer, f.config.Now())
		}
		return newer, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*tokenstore.Grant).Clone(), nil
	}
}

// refresh asks Google for a new access token and stores it.
func (f *Flow) refresh(ctx context.Context, g *tokenstore.Grant) (*tokenstore.Grant, error) {
	if !f.usable(g) {
		return nil, f.unusable(g)
	}
	t, err := f.askRefresh(ctx, g)
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.reason() != "":
		return f.refreshRefused(ctx, g, refused)
	case errors.As(err, &refused):
		return nil, fmt.Errorf("%w: %w", refused.kind(), err)
	case err != nil:
		return nil, err
	}
	var who identity
	if t.idToken != "" {
		if who, err = f.verifyIDToken(ctx, t.idToken, t.access, expected{subject: g.Account()}); err != nil {
			return nil, err
		}
		if who.domain != "" && !f.isAllowed(who.domain) {
			return nil, ErrDomain
		}
	}
	return f.storeRefreshed(ctx, g, t, who)
}

// askRefresh sends the refresh token, and sends it again after failures that may pass, all within timeout.
func (f *Flow) askRefresh(ctx context.Context, g *tokenstore.Grant) (t *tokens, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for repeats := 0; ; repeats++ {
		t, err = f.callTokenEndpoint(ctx, func(ctx context.Context) (*oauth2.Token, error) {
			return f.oauth("").TokenSource(ctx, &oauth2.Token{RefreshToken: string(g.RefreshToken)}).Token()
		})
		wait := 200*time.Millisecond<<repeats + rand.N(300*time.Millisecond)
		if err == nil || !mayPass(err) || repeats == maxRepeats || f.pause(ctx, wait) != nil {
			return t, err
		}
	}
}

// storeRefreshed stores refreshed tokens over the version of the grant that was refreshed. A newer consent
// stays, and a deleted grant stays deleted.
func (f *Flow) storeRefreshed(ctx context.Context, g *tokenstore.Grant, t *tokens, who identity) (*tokenstore.Grant, error) {
	refreshed, replaced := g.RefreshToken, g.AccessToken
	for {
		f.apply(g, t, who)
		err := f.config.Store.Put(ctx, g)
		if err == nil {
			f.config.Audit(ctx, "refreshed", g.Owner)
			return g, nil
		}
		if !errors.Is(err, tokenstore.ErrConflict) {
			f.config.Warn(ctx, "refresh not stored", g.Owner, "error", err)
			return g, nil
		}
		newer, err := f.config.Store.Get(ctx, g.Owner)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			return nil, &ConsentError{}
		case err != nil:
			f.config.Warn(ctx, "refresh not stored", g.Owner, "error", err)
			return g, nil
		case f.fresh(newer) && newer.AccessToken != replaced: // which an API may have refused before its expiry
			return newer, nil
		case newer.RefreshToken != refreshed:
			return f.refresh(ctx, newer)
		case !f.usable(newer):
			return nil, f.unusable(newer)
		}
		g = newer
	}
}

// apply puts what a refresh brought into g. If it names fewer scopes than the grant holds, the refresh token covers
// less than the user gave.
func (f *Flow) apply(g *tokenstore.Grant, t *tokens, who identity) {
	g.AccessToken, g.Expiry = t.access, t.expiry
	if t.refresh != "" {
		g.RefreshToken = t.refresh
	}
	if !t.refreshExpiry.IsZero() {
		g.RefreshExpiry = t.refreshExpiry
	}
	if t.scopes != nil {
		scopes := without(t.scopes, f.config.Apart...)
		if !covers(scopes, g.Scopes) {
			g.Narrower = true
		}
		g.Scopes = scopes
	}
	if who.email != "" {
		g.Email = who.email
	}
	if who.domain != "" {
		g.Domain = who.domain
	}
}

// refreshRefused handles the refusal of g's refresh token. It marks the stored grant as in need of consent and returns
// a *ConsentError; but if another refresh token was stored meanwhile, it goes on with that one.
func (f *Flow) refreshRefused(ctx context.Context, g *tokenstore.Grant, refused *refusal) (*tokenstore.Grant, error) {
	reason := refused.reason()
	var other *tokenstore.Grant
	_, err := tokenstore.Update(ctx, f.config.Store, g.Owner, func(now *tokenstore.Grant) error {
		other = nil
		if now.RefreshToken != g.RefreshToken {
			other = now
		}
		if other != nil || !now.Usable() {
			return errUnchanged
		}
		if end := now.RefreshExpiry; reason == tokenstore.ReasonRevoked && !end.IsZero() && !f.config.Now().Before(end) {
			reason = tokenstore.ReasonExpired
		}
		now.Status, now.Reason = tokenstore.NeedsConsent, reason
		return nil
	})
	switch {
	case other != nil && f.fresh(other) && other.AccessToken != g.AccessToken:
		return other, nil
	case other != nil:
		return f.refresh(ctx, other)
	case err == nil && reason == tokenstore.ReasonRevoked:
		f.config.Audit(ctx, "consent withdrawn", g.Owner, "cause", refused.Error())
	case err == nil:
		f.config.Audit(ctx, "consent needed", g.Owner, "reason", reason, "cause", refused.Error())
	case !errors.Is(err, errUnchanged) && !errors.Is(err, tokenstore.ErrNotFound):
		return nil, err
	}
	return nil, &ConsentError{Reason: reason}
}

// after returns a copy of the grant that a recent refresh of g led to, or nil.
func (r *refreshes) after(g *tokenstore.Grant) *tokenstore.Grant {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.recent[g.Owner]; ok && last.from == g.AccessToken {
		return last.grant.Clone()
	}
	return nil
}

// remember keeps the result of a refresh for recentFor.
func (r *refreshes) remember(from seal.Secret, g *tokenstore.Grant, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recent == nil || now.Sub(r.swept) > recentFor {
		if r.recent == nil {
			r.recent = map[string]refreshed{}
		}
		maps.DeleteFunc(r.recent, func(_ string, last refreshed) bool { return now.Sub(last.at) > recentFor })
		r.swept = now
	}
	r.recent[g.Owner] = refreshed{from, g.Clone(), now}
}
