package httpfunc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

const (
	// runTimeout bounds a run, the last users that it took up included. It is under Cloud Scheduler's
	// default deadline of 3 minutes for an attempt.
	runTimeout = 160 * time.Second
	// userTimeout is what each user has at most: also a quarter of the run's time, where that is less.
	userTimeout = 20 * time.Second
	// runParallel is how many users are served at once, runPage how many grants are read at once.
	runParallel = 16
	runPage     = 100
)

// A run is one call of a job by the scheduler.
type run struct {
	app *App
	job *job
	r   *http.Request
	// slot tells one scheduled time from another: a retry goes on where the last attempt ended, the
	// next day's run begins anew.
	slot    string
	perUser time.Duration

	done, skipped, failed atomic.Int64
}

// runJob runs the job for every user who turned it on. It answers 503 with Retry-After when its time
// is up before the users are; the next attempt goes on from there.
func (a *App) runJob(w http.ResponseWriter, r *http.Request, j *job) {
	if err := a.authorizeRun(r, j.name); err != nil {
		a.fail(w, r, err)
		return
	}
	if _, err := ParseForm(r); err != nil {
		a.fail(w, r, err)
		return
	}
	http.NewResponseController(w).SetReadDeadline(time.Time{}) // the body is here; a run takes its time
	rn := &run{app: a, job: j, r: r, slot: r.Header.Get("X-Cloudscheduler-Scheduletime")}
	err := rn.everyUser(r.Context())
	logger := a.logger(r.Context())
	result := struct {
		Done    int64  `json:"done"`
		Skipped int64  `json:"skipped"`
		Failed  int64  `json:"failed"`
		Error   string `json:"error,omitempty"`
	}{Done: rn.done.Load(), Skipped: rn.skipped.Load(), Failed: rn.failed.Load()}
	status := http.StatusOK
	if err != nil {
		status, result.Error = http.StatusServiceUnavailable, "incomplete"
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		logger.Warn("job run incomplete", "job", j.name, "error", err)
	}
	logger.Info("job run", "audit", true, "job", j.name, "done", result.Done, "skipped", result.Skipped, "failed", result.Failed, "complete", err == nil)
	a.replyJSON(w, r, status, result)
}

// errTimeUp means that a run has to end before it is through.
var errTimeUp = errors.New("httpfunc: the run's time is up")

// everyUser goes through the grants page by page, in bounded memory. Whom it has taken up it sees
// through; up to whom it came is stored if it does not get to the end.
func (rn *run) everyUser(ctx context.Context) error {
	a, name := rn.app, rn.job.name
	budget := runTimeout
	if deadline, ok := ctx.Deadline(); ok {
		budget = min(budget, time.Until(deadline))
	}
	rn.perUser = min(userTimeout, budget/4)
	until := a.now().Add(budget - rn.perUser)
	cursor, err := a.store.Cursor(ctx, name)
	if err != nil {
		return err
	}
	after := rn.resume(cursor)
	users := new(errgroup.Group)
	users.SetLimit(runParallel)
	began := after
	ended := func(err error) error {
		users.Wait()
		if after != began {
			err = errors.Join(err, a.store.SetCursor(context.WithoutCancel(ctx), name, rn.slot+" "+after))
		}
		return err
	}
	for {
		page, err := a.store.ByJob(ctx, name, after, runPage)
		if err != nil {
			return ended(err)
		}
		if len(page) == 0 {
			users.Wait()
			if cursor == "" {
				return nil
			}
			return a.store.SetCursor(context.WithoutCancel(ctx), name, "")
		}
		for _, g := range page {
			if ctx.Err() != nil || !a.now().Before(until) || inFlight.stopping() {
				return ended(errTimeUp)
			}
			users.Go(func() error {
				rn.user(context.WithoutCancel(ctx), g) // the caller may hang up: nobody asks for g again
				return nil
			})
			after = g.Owner
		}
	}
}

// resume returns behind whom the last attempt at this slot ended, or "".
func (rn *run) resume(cursor string) string {
	if slot, after, _ := strings.Cut(cursor, " "); slot == rn.slot {
		return after
	}
	return ""
}

// user runs the job for one user. Nothing that goes wrong here is anybody else's concern.
func (rn *run) user(ctx context.Context, g *tokenstore.Grant) {
	a := rn.app
	logger := a.logger(ctx).With("job", rn.job.name, "subject", a.config.Keyset.Hash(g.Owner))
	if g.Reason == tokenstore.ReasonUnknownKey {
		rn.failed.Add(1)
		logger.Error("job failed for a user", "error", seal.ErrUnknownKey)
		return
	}
	if _, ask := (&visitor{grant: g}).lacks(rn.job.scopes); ask {
		rn.skipped.Add(1)
		logger.Info("job skipped: consent needed", "reason", g.Reason)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rn.perUser)
	defer cancel()
	err := rn.protected(ctx, g)
	var consent *oauthflow.ConsentError
	switch {
	case err == nil:
		rn.done.Add(1)
	case errors.As(err, &consent), lacksScope(err):
		rn.skipped.Add(1)
		logger.Info("job skipped: consent needed", "error", describe(err))
	default:
		rn.failed.Add(1)
		logger.Error("job failed for a user", "error", describe(err))
	}
}

// protected runs the job's function and makes an error of its panic.
func (rn *run) protected(ctx context.Context, g *tokenstore.Grant) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicError(v)
		}
	}()
	return rn.job.fn(rn.r.WithContext(ctx), g.Owner, rn.app.client(g))
}

// panicError describes a panic. What it was raised with may hold a secret, so just its type is kept,
// and the text of the runtime's own errors.
func panicError(v any) error {
	what := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		what = err.Error()
	}
	return fmt.Errorf("panic: %s\n%s", what, debug.Stack())
}
