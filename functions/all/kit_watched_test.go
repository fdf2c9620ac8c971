package all_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// secrets collects every value that must not show.
type secrets struct {
	mu     sync.Mutex
	values map[string]string // value → what it is
}

func (s *secrets) add(what, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(value) >= 8 { // a shorter one is found by chance
		s.values[value] = what
	}
}

// in reports every secret in text.
func (s *secrets) in(t *testing.T, where, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for value, what := range s.values {
		if strings.Contains(text, value) || strings.Contains(text, url.QueryEscape(value)) {
			t.Errorf("%s holds a %s", where, what)
		}
	}
}

// A watchedWorld remembers all that its process wrote, and every secret.
type watchedWorld struct {
	*world
	secrets secrets
	keys    *seal.Keyset
	wrote   []written
	asked   syncBuffer // the URLs of requests to Google
}

type written struct{ where, text string }

func newWatchedWorld(t *testing.T) (w *watchedWorld, addr, project string) {
	addr, project = tokenstoretest.Emulator(t)
	w = &watchedWorld{world: newFirestoreWorld(t, addr, project), secrets: secrets{values: map[string]string{}}}
	google := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(&w.asked, r.Method, r.URL)
		w.secrets.add("access token", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		body := new(strings.Builder)
		io.Copy(body, r.Body)
		r.Body = io.NopCloser(strings.NewReader(body.String()))
		if form, err := url.ParseQuery(body.String()); err == nil && r.URL.Path == "/token" {
			w.secrets.add("code", form.Get("code"))
			w.secrets.add("verifier", form.Get("code_verifier"))
			w.secrets.add("refresh token", form.Get("refresh_token"))
			w.secrets.add("client secret", form.Get("client_secret"))
		}
		w.fake.ServeHTTP(rw, r)
	}))
	t.Cleanup(google.Close)
	w.env["GOOGLE_BASE_URL"] = google.URL
	env := map[string]string{}
	for name, value := range w.env {
		if name != "BASE_URL" {
			env[name] = value
		}
	}
	w.process = w.start(t, env)
	var err error
	if w.keys, err = seal.Parse(env["TOKEN_KEYSET"]); err != nil {
		t.Fatal(err)
	}
	var keyset struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	if err := json.Unmarshal([]byte(env["TOKEN_KEYSET"]), &keyset); err != nil || len(keyset.Key) == 0 {
		t.Fatal(err)
	}
	w.secrets.add("key", keyset.Key[0].KeyData.Value)
	w.fake.EditTokenResponse(w.tokens)
	return w, addr, project
}

func (w *watchedWorld) tokens(body map[string]any) {
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if value, ok := body[name].(string); ok {
			w.secrets.add(name, value)
		}
	}
}

// did keeps an answer, and the secrets that it rightly brings in its cookie and in its way to Google.
func (w *watchedWorld) did(what string, a *answer) *answer {
	header := a.header.Clone()
	for _, c := range (&http.Response{Header: header}).Cookies() {
		w.secrets.add("cookie", c.Value)
		if content, err := w.keys.OpenString("cookie", "", c.Value); err == nil {
			var ids map[string]any
			json.Unmarshal(content, &ids)
			for _, name := range []string{"b", "i"} {
				if id, ok := ids[name].(string); ok {
					w.secrets.add("session id", id)
				}
			}
		}
	}
	header.Del("Set-Cookie")
	if u, err := url.Parse(a.location()); err == nil && u.Query().Has("state") {
		q := u.Query()
		w.secrets.add("state", q.Get("state"))
		q.Del("state")
		u.RawQuery = q.Encode()
		header.Set("Location", u.String())
	}
	w.wrote = append(w.wrote, written{what + ": header", fmt.Sprint(header)}, written{what + ": body", a.body})
	return a
}

var panicCanary = "canary-" + seal.NewID()

// registerProbe adds a function that goes wrong as its query says.
var registerProbe = sync.OnceFunc(func() {
	httpfunc.ForUser(httpfunc.Function{Name: "probe", Title: "Go wrong", Permission: "see and edit your Gmail labels", Scopes: httpfunc.Scopes{{gmailLabels}}, Get: func(c *httpfunc.Call) (*httpfunc.View, error) {
		switch c.URL.Query().Get("how") {
		case "panic with a string":
			panic("token " + panicCanary)
		case "panic with an error":
			panic(errors.New("token " + panicCanary))
		case "panic with a value":
			panic(map[string]string{"token": panicCanary})
		case "panic of the runtime":
			_ = c.URL.Query()["how"][7]
		case "deadline":
			deadline, ok := c.Context().Deadline()
			return httpfunc.ValuePage.View(map[string]any{"seconds": int(time.Until(deadline).Round(time.Second) / time.Second), "set": ok}), nil
		case "value that does not encode":
			return httpfunc.ValuePage.View(map[string]any{"f": func() {}}), nil
		case "post":
			res, err := c.Client.Post("https://gmail.googleapis.com/gmail/v1/probe", "text/plain", strings.NewReader("x"))
			if err != nil {
				return nil, err
			}
			defer res.Body.Close()
			return httpfunc.ValuePage.View(map[string]int{"status": res.StatusCode}), nil
		}
		return nil, fmt.Errorf("wrapped: %w", io.ErrClosedPipe)
	}})
})
