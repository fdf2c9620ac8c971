package httpfunc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/cloudtasks/v2"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/userclient"
)

// A task is a share of a slot's work: a page of the users who turned the job on, or some users of that page whose turn
// failed in a way that may pass. Sealed, it is the body of a task of Cloud Tasks, which may come twice, late and in any
// order: nothing rests on that, nor on names.
type task struct {
	Slot    time.Time `json:"slot"`
	Zone    string    `json:"zone"`              // of the slot, by its IANA name
	Address string    `json:"address"`           // at which the job is called
	After   string    `json:"after,omitempty"`   // the page begins behind this owner
	Users   []string  `json:"users,omitempty"`   // owners; none: the page
	Attempt int       `json:"attempt,omitempty"` // at those users
}

const (
	// taskPurpose is what a task is sealed for, beside the job's name.
	taskPurpose = "task"
	// queueTimeout bounds a call of Cloud Tasks with its retries.
	queueTimeout = 10 * time.Second
	// maxAttempts is how often users are tried again for a slot. The pauses make just under a day.
	maxAttempts = 28
)

// pause is the time before the task is worth trying.
func (t *task) pause() time.Duration {
	if t.Attempt == 0 {
		return 0
	}
	return min(time.Minute<<min(t.Attempt-1, 10), time.Hour)
}

// errQueue means that a task was not taken by the queue, or that this is not known. The answer is 503.
var errQueue = errors.New("httpfunc: the queue of tasks")

// handOut enqueues the first page of the slot's run, which enqueues the next one, and so on.
func (x *exchange) handOut(slot time.Time) error {
	address, err := x.address()
	if err != nil {
		return err
	}
	if err := x.enqueue(x.r.Context(), task{Slot: slot, Zone: slot.Location().String(), Address: address}); err != nil {
		return err
	}
	x.log.Info("job slot begins", "job", x.f.Name, "slot", slot)
	x.replyJSON(http.StatusAccepted, map[string]bool{"queued": true})
	return nil
}

// address is the URL at which tasks call the job: the one that the scheduler says it called, since what stands in front
// of BASE_URL may end a request before a task ends; else the job's own.
func (x *exchange) address() (string, error) {
	given := x.form.Get("address")
	if given == "" {
		return x.URL(x.f.Name), nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || x.config.Secure()) {
		return "", Invalid("The field address has to be the URL at which the job is called.")
	}
	return given, nil
}

// runTask does one task. Its page's first act is to enqueue the next page, so that pages are done side by side.
func (x *exchange) runTask() error {
	t, err := x.openTask()
	if err != nil {
		return err
	}
	rn, what := x.newRun(t.Slot), "job page"
	var left []string // whose turn did not come
	if t.Users != nil {
		what = "job users once more"
		n, e := rn.named(t.Users)
		left, err = t.Users[n:], e
	} else {
		page, e := x.store.ByJob(x.r.Context(), x.f.Name, t.After, runPage)
		if e != nil {
			return e
		}
		if len(page) == 0 {
			x.log.Info("every page of the job's slot was handed out", "job", x.f.Name, "slot", t.Slot)
			return rn.end(what, x.keepProgress(progress{Last: t.Slot}))
		}
		next := t
		next.After = page[len(page)-1].Owner
		if err := x.enqueue(x.r.Context(), next); err != nil {
			return err
		}
		n, e := rn.each(page)
		for _, g := range page[n:] {
			left = append(left, g.Owner)
		}
		err = e
	}
	if wrong := rn.wait(); wrong != nil {
		return rn.end(what, wrong) // the queue brings the same task again
	}
	if err != nil {
		x.log.Warn(what+" cut short", "job", x.f.Name, "slot", t.Slot, "error", describe(err))
	}
	rn.again = append(rn.again, left...)
	return rn.end(what, rn.retry(t))
}

// retry enqueues one task for the users of t who are to have their turn once more. Where that fails, the queue brings
// the whole of t again.
func (rn *run) retry(t task) error {
	if len(rn.again) == 0 {
		return nil
	}
	t.Users = rn.again
	if t.Attempt++; t.Attempt > maxAttempts {
		rn.log.Error("job given up for users of a slot", "job", rn.f.Name, "slot", rn.slot, "users", len(rn.again))
		return nil
	}
	ctx, cancel := detached(rn.r.Context(), queueTimeout)
	defer cancel()
	return rn.enqueue(ctx, t)
}

// openTask opens the task that was posted. It belongs to this job.
func (x *exchange) openTask() (t task, err error) {
	b, err := x.config.Keyset.OpenString(taskPurpose, x.f.Name, x.form.Get("page"))
	switch {
	case errors.Is(err, seal.ErrUnknownKey):
		return t, err
	case err != nil:
		return t, &Error{Status: http.StatusBadRequest, Code: "invalid_request", Message: "The field page is no page of this job.", Cause: err}
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, err
	}
	zone, err := time.LoadLocation(t.Zone)
	t.Slot = t.Slot.In(cmp.Or(zone, time.UTC))
	return t, err
}

// enqueue adds a task to the queue. Where its name is taken, it was added before. It returns errQueue.
func (x *exchange) enqueue(ctx context.Context, t task) error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	page, err := x.config.Keyset.SealString(taskPurpose, x.f.Name, b)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"page": page})
	if err != nil {
		return err
	}
	svc, err := cloudtasks.NewService(ctx, option.WithHTTPClient(userclient.New(x.base, x.ownToken, x.now)))
	if err != nil {
		return err
	}
	create := &cloudtasks.Task{
		Name:             x.config.TaskQueue + "/tasks/" + t.name(x.f.Name),
		DispatchDeadline: fmt.Sprintf("%ds", int(min(x.f.Timeout, runTimeout)/time.Second)),
		HttpRequest: &cloudtasks.HttpRequest{
			Url: t.Address, HttpMethod: http.MethodPost, Headers: map[string]string{"Content-Type": "application/json"},
			Body:      base64.StdEncoding.EncodeToString(body),
			OidcToken: &cloudtasks.OidcToken{ServiceAccountEmail: x.config.SchedulerAccounts[0], Audience: x.URL(x.f.Name)},
		},
	}
	if t.Attempt > 0 {
		create.ScheduleTime = x.now().Add(t.pause()).UTC().Format(time.RFC3339)
	}
	call := svc.Projects.Locations.Queues.Tasks.Create(x.config.TaskQueue, &cloudtasks.CreateTaskRequest{Task: create}).Fields("name").Context(ctx)
	SafeToRepeat(call.Header())
	if _, err := call.Do(); err != nil && !IsStatus(err, http.StatusConflict) {
		return fmt.Errorf("%w: %w", errQueue, err)
	}
	return nil
}

// name is the same for the same share of a slot's work. It does not depend on which users of a page are to be tried
// again: a page that comes twice has them tried again once. Names that begin alike would slow the queue down
// [Cloud Tasks: CreateTask, task de-duplication].
func (t *task) name(job string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{job, t.Slot.UTC().Format(time.RFC3339Nano), fmt.Sprint(t.Attempt), t.After}, "\x00")))
	return hex.EncodeToString(sum[:20])
}

// credentials are the service's own, for Cloud Tasks.
type credentials struct {
	mu     sync.Mutex
	source oauth2.TokenSource
}

// ownToken yields an access token of the service's own [Application Default Credentials]. A stand-in for Google gets
// none that is of use anywhere else. No failure is remembered: the metadata server may be late.
func (a *App) ownToken(_ context.Context, refused seal.Secret) (seal.Secret, error) {
	if a.config.GoogleBaseURL != nil {
		return "stand-in", nil
	}
	a.own.mu.Lock()
	defer a.own.mu.Unlock()
	if a.own.source == nil || refused != "" {
		ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: a.base, Timeout: queueTimeout})
		found, err := google.FindDefaultCredentials(ctx, cloudtasks.CloudPlatformScope)
		if err != nil {
			return "", err
		}
		a.own.source = found.TokenSource
	}
	token, err := a.own.source.Token()
	if err != nil {
		return "", errors.New("no access token of the service's own account: " + cut(err.Error()))
	}
	return seal.Secret(token.AccessToken), nil
}
