package deploy_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/api/cloudtasks/v2"

	"functions.local/oauth/shared/tokenstore"
)

const queueName = "projects/p/locations/l/queues/q"

// A taskList is a queue of tasks that nobody works off by himself.
type taskList struct {
	google http.Handler
	tasks  []*cloudtasks.HttpRequest
}

func (l *taskList) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v2/"+queueName+"/tasks" {
		l.google.ServeHTTP(w, r)
		return
	}
	var create cloudtasks.CreateTaskRequest
	if err := json.NewDecoder(r.Body).Decode(&create); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.tasks = append(l.tasks, create.Task.HttpRequest)
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"name":"1"}`)
}

func TestAlertsFindTheQueuesLines(t *testing.T) {
	ended, operator := filter(t, "job-ended.metric.yaml"), filter(t, "operator.policy.yaml")
	w := newLogged(t, "TASK_QUEUE", queueName)
	w.signIn(t, "/dailyevent")
	w.do(t, "POST", w.url+"/dailyevent", strings.NewReader(`{"enabled":true}`), "Accept", "application/json", "Content-Type", "application/json")

	t.Run("a slot whose pages are not all handed out has not ended", func(t *testing.T) {
		w.run(t)
		w.expect(t, ended, false)
	})
	w.fake.Refuse("/calendar/", 3, "rateLimitExceeded")
	t.Run("users of a slot are given up after a day of tries", func(t *testing.T) {
		w.deliver(t, 0) // the page
		w.expect(t, operator, false)
		w.store.err = tokenstore.ErrUnavailable
		defer func() { w.store.err = nil }()
		for next := 2; next < len(w.queue.tasks); next++ { // behind the next page
			w.deliver(t, next)
		}
		w.expect(t, operator, true)
	})
	t.Run("a slot whose last page was handed out has ended", func(t *testing.T) {
		w.expect(t, ended, false)
		w.deliver(t, 1)
		w.expect(t, ended, true)
	})
}

// deliver posts a task as the queue does.
func (w *logged) deliver(t *testing.T, i int) {
	t.Helper()
	body, err := base64.StdEncoding.DecodeString(w.queue.tasks[i].Body)
	if err != nil {
		t.Fatal(err)
	}
	w.asService(t, string(body))
}
