package all_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/cloudtasks/v2"

	"functions.local/oauth/shared/tokenstore"
)

const queueName = "projects/project/locations/europe-west1/queues/jobs"

// A queue plays Cloud Tasks, over REST. It keeps a task until it was answered 2xx, hands tasks out in no order, and
// never takes a name twice [Cloud Tasks API: projects.locations.queues.tasks].
type queue struct {
	t     testing.TB
	sign  func(claims map[string]any) string
	now   func() time.Time
	speed time.Duration // a pause of this queue's is so many times as short
	lost  func() bool   // whether an answer gets lost, to a caller or of a task

	mu      sync.Mutex
	down    bool
	tasks   map[string]*cloudtasks.Task
	ready   map[string]time.Time
	created map[string]time.Duration // by name: the pause before the first attempt
	handed  int                      // attempts
	failed  int                      // attempts that were not answered 2xx
}

// newQueueWorld is newWorld with a queue beside Google. front, if it is not nil, sees each request to Google first and
// may answer it.
func newQueueWorld(t testing.TB, store tokenstore.Store, env map[string]string, front func(w http.ResponseWriter, r *http.Request, google http.Handler)) (*world, *queue) {
	t.Helper()
	q := &queue{t: t, speed: 100, lost: func() bool { return false }, tasks: map[string]*cloudtasks.Task{}, ready: map[string]time.Time{}, created: map[string]time.Duration{}}
	var w *world
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/v2/projects/"):
			q.ServeHTTP(rw, r)
		case front != nil:
			front(rw, r, w.fake)
		default:
			w.fake.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	all := map[string]string{"GOOGLE_BASE_URL": server.URL, "TASK_QUEUE": queueName}
	maps.Copy(all, env)
	w = newWorld(t, store, all)
	q.sign, q.now = w.fake.SignIDToken, w.clock.now
	return w, q
}

// ServeHTTP takes a task.
func (q *queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(code int, status string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": status, "status": status}})
	}
	var body struct{ Task *cloudtasks.Task }
	b, err := io.ReadAll(r.Body)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.down:
		refuse(http.StatusForbidden, "PERMISSION_DENIED")
		return
	case r.Method != http.MethodPost || r.URL.Path != "/v2/"+queueName+"/tasks":
		refuse(http.StatusNotFound, "NOT_FOUND")
		return
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		refuse(http.StatusUnauthorized, "UNAUTHENTICATED")
		return
	case err != nil || len(b) > 100<<10 || json.Unmarshal(b, &body) != nil || !q.takes(body.Task):
		q.t.Errorf("the queue was given %s", b)
		refuse(http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	name := body.Task.Name
	if _, taken := q.created[name]; taken {
		refuse(http.StatusConflict, "ALREADY_EXISTS")
		return
	}
	pause := time.Duration(0)
	if body.Task.ScheduleTime != "" {
		at, _ := time.Parse(time.RFC3339, body.Task.ScheduleTime)
		pause = at.Sub(q.now())
	}
	q.created[name], q.tasks[name], q.ready[name] = pause, body.Task, time.Now().Add(pause/q.speed)
	if q.lost() {
		panic(http.ErrAbortHandler)
	}
	json.NewEncoder(w).Encode(map[string]string{"name": name})
}

var taskName = regexp.MustCompile(`^` + queueName + `/tasks/[A-Za-z0-9_-]{1,500}$`)

// takes reports whether the API would take the task.
func (q *queue) takes(t *cloudtasks.Task) bool {
	deadline, err := time.ParseDuration(t.DispatchDeadline)
	h := t.HttpRequest
	return err == nil && deadline >= 15*time.Second && deadline <= 30*time.Minute && taskName.MatchString(t.Name) && h != nil &&
		h.HttpMethod == http.MethodPost && h.OidcToken != nil && h.OidcToken.ServiceAccountEmail == scheduler && h.OidcToken.Audience != ""
}

// body returns what a task posts.
func (q *queue) body(name string) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	b, err := base64.StdEncoding.DecodeString(q.tasks[name].HttpRequest.Body)
	if err != nil {
		q.t.Error(err)
	}
	return string(b)
}

// names returns the tasks that are not done, the oldest first.
func (q *queue) names() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.SortedFunc(maps.Keys(q.tasks), func(a, b string) int { return q.ready[a].Compare(q.ready[b]) })
}

// hand makes one attempt at a task and returns its answer. Where that is 2xx, the task is done.
func (q *queue) hand(name string) *answer {
	q.mu.Lock()
	task := q.tasks[name]
	q.handed++
	q.mu.Unlock()
	a := &answer{}
	if task == nil {
		return a
	}
	r, err := http.NewRequest(http.MethodPost, task.HttpRequest.Url, bytes.NewReader([]byte(q.body(name))))
	if err != nil {
		q.t.Error(err)
		return a
	}
	for key, value := range task.HttpRequest.Headers {
		r.Header.Set(key, value)
	}
	token := task.HttpRequest.OidcToken
	r.Header.Set("Authorization", "Bearer "+q.sign(map[string]any{"aud": token.Audience, "email": token.ServiceAccountEmail, "email_verified": true, "sub": "1"}))
	if res, err := http.DefaultClient.Do(r); err == nil {
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		a = &answer{res.StatusCode, res.Header, string(b)}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if a.status/100 == 2 && !q.lost() {
		delete(q.tasks, name)
		delete(q.ready, name)
	} else {
		q.failed++
		q.ready[name] = time.Now().Add((10*time.Second + rand.N(10*time.Second)) / q.speed)
	}
	return a
}

// work hands tasks out until none is left, so many at once; one in twenty to two at once.
func (q *queue) work(atOnce int) {
	var all sync.WaitGroup
	busy := make(chan bool, atOnce)
	attempt := func(name string) {
		busy <- true
		all.Go(func() {
			q.hand(name)
			<-busy
		})
	}
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			q.t.Error("the queue does not become empty")
			break
		}
		names := q.names()
		if len(names) == 0 {
			break
		}
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			q.mu.Lock()
			due := !q.ready[name].IsZero() && time.Now().After(q.ready[name])
			if due {
				q.ready[name] = time.Now().Add(30 * time.Minute / q.speed) // its dispatch deadline
			}
			q.mu.Unlock()
			if due {
				attempt(name)
				if rand.N(20) == 0 {
					attempt(name)
				}
			}
		}
	}
	all.Wait()
}
