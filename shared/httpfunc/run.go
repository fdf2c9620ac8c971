package httpfunc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/userclient"
)

const (
	// runTimeout bounds an attempt at a run. It is Cloud Scheduler's longest deadline for one
	// [Cloud Scheduler: attemptDeadline], and the function's own timeout follows it.
	runTimeout = 30 * time.Minute
	// userTimeout is what each user has at most: also a quarter of the run's time, where that is less.
	userTimeout = 20 * time.Second
	// runParallel is how many users are served at once, runPage how many grants are read at once.
	runParallel = 64
	runPage     = 100
	// maxAgain is how many users a run remembers for its next attempt by name.
	maxAgain = 1000
)

// A run is one attempt at doing a job for every user who turned it on.
type run struct {
	*exchange
	slot    time.Time
	perUser time.Duration
	limit   *rate.Limiter // the API's quota

	mu                    sync.Mutex
	done, skipped, failed int
	again                 []string // owners whose turn failed in a way that may pass
	everybody             error    // what is wrong for all users, and ends the run
}

// progress is how far a slot's run has come. It is what the store keeps as the job's cursor.
type progress struct {
	Slot    time.Time `json:"slot"`
	After   string    `json:"after,omitempty"` // users up to this owner had their turn
	Through bool      `json:"through,omitempty"`
	Again   []string  `json:"again,omitempty"` // except these
}

// runJob runs the job for every user who turned it on. It answers 503 with Retry-After where the run is
// not through, or where users failed in a way that may pass: the scheduler's next attempt at the same
// slot goes on with those.
func (x *exchange) runJob() error {
	slot, err := x.slot()
	if err != nil {
		return err
	}
	http.NewResponseController(x.w).SetReadDeadline(time.Time{}) // the body is here; a run takes its time
	limit := rate.Inf
	if x.f.Quota > 0 {
		limit = rate.Limit(float64(x.f.Quota) / 60)
	}
	rn := &run{exchange: x, slot: slot, limit: rate.NewLimiter(limit, 1)}
	began := x.now()
	err = rn.everyUser(x.r.Context())
	if err == nil && len(rn.again) > 0 {
		err = errAgain
	}
	result := struct {
		Done    int    `json:"done"`
		Skipped int    `json:"skipped"`
		Failed  int    `json:"failed"`
		Error   string `json:"error,omitempty"`
	}{Done: rn.done, Skipped: rn.skipped, Failed: rn.failed}
	status := http.StatusOK
	if err != nil {
		status, result.Error = http.StatusServiceUnavailable, "incomplete"
		x.w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		log := x.log.Warn
		if rn.everybody != nil {
			log = x.log.Error
		}
		log("job run incomplete", "job", x.f.Name, "slot", slot, "error", describe(err))
	}
	x.log.Info("job run", "job", x.f.Name, "slot", slot, "done", rn.done, "skipped", rn.skipped, "failed", rn.failed,
		"complete", err == nil, "seconds", x.now().Sub(began).Seconds())
	x.replyJSON(status, result)
	return nil
}

var (
	errTimeUp = errors.New("httpfunc: the run's time is up")
	errAgain  = errors.New("httpfunc: users failed in a way that may pass")
)

// everyUser goes through the grants page by page, in bounded memory. Users already started are finished;
// how far the run came is stored, so that a retry resumes after them.
func (rn *run) everyUser(ctx context.Context) error {
	budget := rn.f.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		budget = min(budget, time.Until(deadline))
	}
	rn.perUser = min(userTimeout, budget/4)
	until := rn.now().Add(budget - rn.perUser)
	stored, err := rn.store.Cursor(ctx, rn.f.Name)
	if err != nil {
		return err
	}
	p := progress{Slot: rn.slot}
	if old := (progress{}); json.Unmarshal([]byte(stored), &old) == nil && old.Slot.Equal(rn.slot) {
		p = old
	}
	users := new(errgroup.Group)
	users.SetLimit(runParallel)
	start := func(g *tokenstore.Grant) error {
		if rn.limit.Wait(ctx) != nil || !rn.now().Before(until) || inFlight.stopping() {
			return errTimeUp
		}
		if err := rn.ended(); err != nil {
			return err
		}
		users.Go(func() error {
			rn.user(ctx, g)
			return nil
		})
		return nil
	}
	err = rn.goThrough(ctx, &p, start)
	users.Wait()
	err = cmp.Or(rn.ended(), err)
	p.Again = append(p.Again, rn.again...)
	if len(p.Again) > maxAgain { // too many to name: all of them have their turn again
		p.After, p.Through, p.Again = "", false, nil
	}
	cursor := ""
	if err != nil || len(p.Again) > 0 {
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		cursor = string(b)
	}
	if cursor == stored {
		return err
	}
	return errors.Join(err, rn.store.SetCursor(context.WithoutCancel(ctx), rn.f.Name, cursor))
}

// goThrough starts each user whose turn it is, first those who failed in an earlier attempt, and keeps p
// up to date.
func (rn *run) goThrough(ctx context.Context, p *progress, start func(*tokenstore.Grant) error) error {
	for len(p.Again) > 0 {
		g, err := rn.store.Get(ctx, p.Again[0])
		switch {
		case isNotFound(err):
		case errors.Is(err, seal.ErrUnknownKey):
			err = start(&tokenstore.Grant{Owner: p.Again[0], Jobs: []string{rn.f.Name}, Reason: tokenstore.ReasonUnknownKey})
		case err == nil && g.HasJob(rn.f.Name):
			err = start(g)
		}
		if err != nil && !isNotFound(err) {
			return err
		}
		p.Again = p.Again[1:]
	}
	for !p.Through {
		page, err := rn.store.ByJob(ctx, rn.f.Name, p.After, runPage)
		if err != nil {
			return err
		}
		p.Through = len(page) == 0
		for _, g := range page {
			if err := start(g); err != nil {
				return err
			}
			p.After = g.Owner
		}
	}
	return nil
}

func (rn *run) ended() error {
	rn.mu.Lock()
	defer rn.mu.Unlock()
	return rn.everybody
}

// user runs the job for one user, and sorts what came of it.
func (rn *run) user(ctx context.Context, g *tokenstore.Grant) {
	ctx, cancel := detached(ctx, rn.perUser) // the caller may hang up: nobody asks for g again
	defer cancel()
	log := rn.log.With("job", rn.f.Name, "owner", rn.config.Keyset.Hash(g.Owner))
	err := rn.turn(ctx, g)
	why := rn.judge(err)
	rn.mu.Lock()
	defer rn.mu.Unlock()
	switch why {
	case turnDone:
		rn.done++
	case turnSkipped:
		rn.skipped++
		log.Info("job skipped", "reason", describe(err))
	case turnEverybody:
		rn.everybody = cmp.Or(rn.everybody, err)
		fallthrough
	case turnAgain:
		rn.again = append(rn.again, g.Owner)
		fallthrough
	default:
		rn.failed++
		log.Error("job failed for a user", "error", describe(err))
	}
}

// What may come of a user's turn.
const (
	turnDone      = iota
	turnSkipped   // the user has to act first
	turnFailed    // it would fail again
	turnAgain     // it may pass
	turnEverybody // it is not about the user, and would fail for all
)

func (rn *run) judge(err error) int {
	var (
		consent *oauthflow.ConsentError
		network *url.Error
	)
	switch {
	case err == nil:
		return turnDone
	case errors.As(err, &consent), errors.Is(err, oauthflow.ErrDomain):
		return turnSkipped
	case errors.Is(err, oauthflow.ErrInvalidClient):
		return turnEverybody
	case errors.Is(err, oauthflow.ErrUnavailable), errors.Is(err, oauthflow.ErrRateLimited), errors.Is(err, tokenstore.ErrUnavailable), errors.Is(err, tokenstore.ErrConflict),
		errors.Is(err, seal.ErrUnknownKey), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, userclient.ErrCut), errors.Is(err, userclient.ErrBadAnswer), errors.Is(err, oauthflow.ErrBadResponse):
		return turnAgain
	}
	if r := userclient.Read(err, rn.now()); r != nil {
		switch {
		case r.About == userclient.Everybody:
			return turnEverybody
		case r.Kind == userclient.UsageLimit, r.Kind == userclient.NoService, r.Kind == userclient.StorageFull,
			r.Kind == userclient.AdminPolicy, r.Kind == userclient.ScopeMissing:
			return turnSkipped
		case r.MayPass:
			return turnAgain
		}
		return turnFailed
	}
	if errors.As(err, &network) {
		return turnAgain
	}
	return turnFailed
}

// turn runs the job's function for one user and makes an error of its panic.
func (rn *run) turn(ctx context.Context, g *tokenstore.Grant) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicError(v)
		}
	}()
	if g.Reason == tokenstore.ReasonUnknownKey {
		return seal.ErrUnknownKey
	}
	access, err := rn.flow.Authorize(ctx, g, rn.f.Scopes)
	if err != nil {
		return err
	}
	call := rn.call(rn.r.WithContext(ctx), access)
	call.Slot = rn.slot
	return rn.f.EachUser(call)
}
