package httpfunc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// A run is one attempt at doing a job: for every user who turned it on, or for some of them.
type run struct {
	*exchange
	slot    time.Time
	began   time.Time
	perUser time.Duration // that a turn may take
	until   time.Time     // turns begin before that
	limit   *rate.Limiter // the API's quota
	turns   errgroup.Group

	mu                    sync.Mutex
	done, skipped, failed int
	again                 []string // owners whose turn failed in a way that may pass
	everybody             error    // a failure that is the same for all users, and ends the run
}

// runJob runs the job: for a page of users that a task names, for the users whom the body names, or for every user who
// turned it on. With TASK_QUEUE that is only begun here.
func (x *exchange) runJob() error {
	if x.form.Has("page") {
		return x.runTask()
	}
	slot, err := x.slot()
	if err != nil {
		return err
	}
	switch users := x.form.Values["users"]; {
	case len(users) > runPage:
		return Invalid(fmt.Sprintf("The field users can name %d users.", runPage))
	case x.form.Has("users"): // an empty list is nobody, not everybody
		rn := x.newRun(slot)
		_, err := rn.named(users)
		return rn.end("job run for users", cmp.Or(rn.wait(), err, rn.incomplete()))
	case x.config.TaskQueue != "":
		return x.handOut(slot)
	}
	rn := x.newRun(slot)
	return rn.end("job run", rn.everyUser())
}

func (x *exchange) newRun(slot time.Time) *run {
	limit := rate.Inf
	if x.f.Quota > 0 {
		limit = rate.Limit(float64(x.f.Quota) / 60)
	}
	budget := x.f.Timeout
	if deadline, ok := x.r.Context().Deadline(); ok {
		budget = min(budget, time.Until(deadline))
	}
	rn := &run{exchange: x, slot: slot, began: x.now(), perUser: min(userTimeout, budget/4), limit: rate.NewLimiter(limit, runParallel)}
	// After a pause, such as the reading of a page takes, up to runParallel turns begin at once, or each pause would
	// lower the rate for good. At the start there is nothing to catch up on.
	rn.limit.AllowN(time.Now(), runParallel-1)
	rn.until = rn.began.Add(budget - rn.perUser)
	rn.turns.SetLimit(runParallel)
	return rn
}

// end logs and answers what became of the run. If there is an error, the answer is 503 with Retry-After, so that the
// caller calls once more for the same slot.
func (rn *run) end(what string, err error) error {
	result := struct {
		Done    int    `json:"done"`
		Skipped int    `json:"skipped"`
		Failed  int    `json:"failed"`
		Error   string `json:"error,omitempty"`
	}{Done: rn.done, Skipped: rn.skipped, Failed: rn.failed}
	status := http.StatusOK
	if err != nil {
		status, result.Error = http.StatusServiceUnavailable, "incomplete"
		rn.w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		log := rn.log.Warn
		if rn.everybody != nil {
			log = rn.log.Error
		}
		log(what+" incomplete", "job", rn.f.Name, "slot", rn.slot, "error", describe(err))
	}
	rn.log.Info(what, "job", rn.f.Name, "slot", rn.slot, "done", rn.done, "skipped", rn.skipped, "failed", rn.failed,
		"again", len(rn.again), "complete", err == nil, "seconds", rn.now().Sub(rn.began).Seconds())
	rn.replyJSON(status, result)
	return nil
}

var (
	errTimeUp = errors.New("httpfunc: the run's time is up")
	errAgain  = errors.New("httpfunc: users failed in a way that may pass")
	errOff    = errors.New("httpfunc: the user has not turned the job on")
)

// incomplete returns errAgain where users are to have their turn once more.
func (rn *run) incomplete() error {
	if len(rn.again) > 0 {
		return errAgain
	}
	return nil
}

// progress is how far a slot's run has come. It is what the store keeps as the job's cursor.
type progress struct {
	Slot    time.Time `json:"slot,omitzero"`
	After   string    `json:"after,omitempty"` // users up to this owner had their turn
	Through bool      `json:"through,omitempty"`
	Again   []string  `json:"again,omitempty"` // except these
	Last    time.Time `json:"last,omitzero"`   // the slot whose run ended last
}

// readProgress returns what the store keeps; nothing where that cannot be read.
func (x *exchange) readProgress(job string) (p progress, err error) {
	stored, err := x.store.Cursor(x.r.Context(), job)
	if json.Unmarshal([]byte(stored), &p) != nil {
		p = progress{}
	}
	return p, err
}

func (x *exchange) keepProgress(p progress) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return x.store.SetCursor(context.WithoutCancel(x.r.Context()), x.f.Name, string(b))
}

// everyUser goes through all users page by page, in bounded memory. How far the run came is stored, so that the
// scheduler's next attempt at the same slot goes on from there, first with the users who failed in a way that may pass.
func (rn *run) everyUser() error {
	p, err := rn.readProgress(rn.f.Name)
	if err != nil {
		return err
	}
	if !p.Slot.Equal(rn.slot) {
		p = progress{Slot: rn.slot, Last: p.Last}
	}
	err = rn.goOn(&p)
	err = cmp.Or(rn.wait(), err)
	p.Again = append(p.Again, rn.again...)
	if len(p.Again) > maxAgain { // too many to name: all of them have their turn again
		p.After, p.Through, p.Again = "", false, nil
	}
	if err = cmp.Or(err, rn.incomplete()); err == nil {
		p = progress{Last: rn.slot}
	}
	return errors.Join(err, rn.keepProgress(p))
}

// goOn begins the turns that p says are left, and keeps it up to date.
func (rn *run) goOn(p *progress) error {
	n, err := rn.named(p.Again)
	p.Again = p.Again[n:]
	for err == nil && !p.Through {
		var page []*tokenstore.Grant
		if page, err = rn.store.ByJob(rn.r.Context(), rn.f.Name, p.After, runPage); err != nil {
			return err
		}
		p.Through = len(page) == 0
		if n, err = rn.each(page); n > 0 {
			p.After = page[n-1].Owner
		}
	}
	return err
}

// each begins the turns of these users in order. It returns how many it began.
func (rn *run) each(grants []*tokenstore.Grant) (int, error) {
	for i, g := range grants {
		if err := rn.begin(g); err != nil {
			return i, err
		}
	}
	return len(grants), nil
}

// named begins the turns of these owners, and returns how many it began or skipped, in their order. Those who turned
// the job off, or were never there, are skipped.
func (rn *run) named(owners []string) (int, error) {
	for i, owner := range owners {
		g, err := rn.store.Get(rn.r.Context(), owner)
		switch {
		case isNotFound(err), err == nil && !g.HasJob(rn.f.Name):
			rn.count(owner, errOff)
			continue
		case errors.Is(err, seal.ErrUnknownKey):
			g, err = &tokenstore.Grant{Owner: owner, Reason: tokenstore.ReasonUnknownKey}, nil
		}
		if err == nil {
			err = rn.begin(g)
		}
		if err != nil {
			return i, err
		}
	}
	return len(owners), nil
}

// begin begins a user's turn, as soon as the quota allows. No turn begins where the run is over.
func (rn *run) begin(g *tokenstore.Grant) error {
	ctx := rn.r.Context()
	if rn.limit.Wait(ctx) != nil || !rn.now().Before(rn.until) || inFlight.stopping() {
		return errTimeUp
	}
	if err := rn.ended(); err != nil {
		return err
	}
	rn.turns.Go(func() error {
		ctx, cancel := detached(ctx, rn.perUser) // the caller may hang up: nobody asks for g again
		defer cancel()
		rn.count(g.Owner, rn.turn(ctx, g))
		return nil
	})
	return nil
}

// wait waits for the turns that began. It returns what is wrong for everybody, if anything is.
func (rn *run) wait() error {
	rn.turns.Wait()
	return rn.ended()
}

func (rn *run) ended() error {
	rn.mu.Lock()
	defer rn.mu.Unlock()
	return rn.everybody
}

// count counts a user's turn by what came of it.
func (rn *run) count(owner string, err error) {
	log := rn.log.With("job", rn.f.Name, "owner", rn.config.Keyset.Hash(owner))
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
		rn.again = append(rn.again, owner)
		fallthrough
	default:
		rn.failed++
		log.Error("job failed for a user", "error", describe(err))
	}
}

// What may come of a user's turn.
const (
	turnDone      = iota
	turnSkipped   // the user has to act first, or did not ask
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
	case errors.As(err, &consent), errors.Is(err, oauthflow.ErrDomain), errors.Is(err, errOff):
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
	call := rn.call(rn.r.WithContext(ctx), access, rn.base)
	for _, call.Slot = range rn.slotsOf(g) {
		if err := rn.f.EachUser(call); err != nil {
			return err
		}
	}
	return nil
}

// slotsOf returns the slot as the user's own clocks show it. Where a whole day has passed on them since the scheduler's
// clocks showed the same time before, noon of that day comes first, so that it is not left out: a run at 18:00 in Berlin
// is at 23:00 in Jakarta, and at midnight 25 hours later when Berlin puts its clocks back.
func (rn *run) slotsOf(g *tokenstore.Grant) []time.Time {
	name := g.Zones[rn.f.Name]
	if name == "" {
		return []time.Time{rn.slot}
	}
	zone, err := Zone(name)
	if err != nil { // it is known no more
		rn.log.Warn("the time zone that a user chose for a job is not known", "job", rn.f.Name, "owner", rn.config.Keyset.Hash(g.Owner), "zone", name)
		return []time.Time{rn.slot}
	}
	slot, dayBefore := rn.slot.In(zone), rn.slot.AddDate(0, 0, -1).In(zone)
	if dateOf(dayBefore, 1) < dateOf(slot, 0) {
		year, month, day := slot.Date()
		return []time.Time{time.Date(year, month, day-1, 12, 0, 0, 0, zone), slot}
	}
	return []time.Time{slot}
}
