package httpfunc

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
)

type roundTripper func(*http.Request) (int, string)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestTheQueueIsFilledWithTheServicesOwnCredentials has no stand-in for Google, as a deployed function has none.
func TestTheQueueIsFilledWithTheServicesOwnCredentials(t *testing.T) {
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"BASE_URL": "https://functions.example.com", "TOKEN_STORE": "memory", "TOKEN_KEYSET": string(keys.JSON()),
		"OAUTH_CLIENT_JSON": `{"web":{"client_id":"client","client_secret":"secret"}}`,
		"SCHEDULER_ACCOUNT": "first@example.com second@example.com", "TASK_QUEUE": "projects/p/locations/l/queues/q"}
	a, err := New(Options{Getenv: func(name string) string { return env[name] }, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	tokens, made, ended := 0, 0, false
	a.base = roundTripper(func(r *http.Request) (int, string) {
		switch r.URL.String() {
		case "https://oauth2.googleapis.com/token":
			tokens++
			ended = false
			return http.StatusOK, `{"access_token":"own-` + strings.Repeat("i", tokens) + `","expires_in":3600,"token_type":"Bearer"}`
		case "https://cloudtasks.googleapis.com/v2/projects/p/locations/l/queues/q/tasks?alt=json&fields=name&prettyPrint=false":
			if ended || r.Header.Get("Authorization") != "Bearer own-"+strings.Repeat("i", tokens) {
				return http.StatusUnauthorized, `{}`
			}
			made++
			return http.StatusOK, `{"name":"1"}`
		}
		t.Errorf("a call of %s", r.URL)
		return http.StatusNotFound, `{}`
	})
	x := &exchange{App: a, f: &handler{Function: Function{Name: "job", Timeout: runTimeout}}}
	enqueue := func() error {
		return x.enqueue(t.Context(), task{Slot: time.Now(), Zone: "UTC", Address: a.URL("job")})
	}

	// Where there are none yet, that is not remembered.
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	if err := enqueue(); !errors.Is(err, errQueue) || made > 0 {
		t.Fatalf("without credentials: %v", err)
	}
	if err := os.WriteFile(file, []byte(`{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := enqueue(); err != nil {
			t.Fatal(err)
		}
	}
	if tokens != 1 || made != 3 {
		t.Errorf("%d tokens for %d tasks", tokens, made)
	}
	ended = true
	if err := enqueue(); err != nil || tokens != 2 || made != 4 {
		t.Errorf("after the token ended early: %v, %d tokens, %d tasks", err, tokens, made)
	}
}
