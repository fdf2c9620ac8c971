package httpfunc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"
)

func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := semaphore.NewWeighted(4 * reserveStep)
		first, second, third := &reserve{of: of}, &reserve{of: of}, &reserve{of: of, free: reserveStep}
		take := func(who string, m *reserve, n int64, want error, after time.Duration) {
			t.Helper()
			begin := time.Now()
			if err := m.take(t.Context(), n); !errors.Is(err, want) || time.Since(begin) != after {
				t.Errorf("%s: %v after %v, want %v after %v", who, err, time.Since(begin), want, after)
			}
		}
		take("who comes first", first, 2*reserveStep-1, nil, 0)
		take("who needs the last byte of what they have", first, 1, nil, 0)
		take("who comes second", second, 2*reserveStep, nil, 0)
		take("who has enough of their own", third, reserveStep, nil, 0)
		take("who has some and needs more", first, 1, context.DeadlineExceeded, 0)
		take("who has none, while nobody gives theirs back", third, 1, context.DeadlineExceeded, bodyTimeout/2)
		time.AfterFunc(time.Second, first.release)
		take("who has none, until somebody gives theirs back", third, 1, nil, time.Second)
		take("who has some, when there is some again", second, reserveStep, nil, 0)
		second.release()
		third.release()
		if !of.TryAcquire(4 * reserveStep) {
			t.Error("some was not given back")
		}
	})
}

// What Google answers is up to the user, and so is how much memory it takes.
func TestAnswerMemory(t *testing.T) {
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"a":"`+strings.Repeat("a", size)+`"}`)
	}))
	defer google.Close()
	k := newKit(t)
	_, cookie := k.grant(ada, someScope)
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(c *Call) (*View, error) {
		for _, size := range c.Form.Values["size"] {
			res, err := c.Client.Get(google.URL + "?size=" + size + "&" + c.Form.Get("alt"))
			if err != nil {
				return nil, err
			}
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if err != nil {
				return nil, err
			}
		}
		return ValuePage.View("done"), nil
	}})
	ask := func(t *testing.T, patience time.Duration, alt string, sizes ...int) int {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		query := "?alt=" + alt
		for _, size := range sizes {
			query += fmt.Sprint("&size=", size)
		}
		r := request("GET", "/probe"+query, "").WithContext(ctx)
		r.AddCookie(cookie)
		return k.serve(h, r).Code
	}
	const soon, whenever, large = 20 * time.Millisecond, time.Minute, maxAnswers/2 + reserveStep
	// all takes what there is as soon as nobody else has any of it.
	all := func(t *testing.T) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !k.answers.TryAcquire(maxAnswers); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("requests that are over keep memory")
			}
		}
	}
	t.Run("of a short list is there for everybody, and of a long one for few at once", func(t *testing.T) {
		all(t)
		if got := ask(t, whenever, "alt=json", freeAnswer-100); got != http.StatusOK {
			t.Errorf("a short one: %d", got)
		}
		if got := ask(t, soon, "alt=json", large); got != http.StatusServiceUnavailable {
			t.Errorf("a long one: %d", got)
		}
		k.answers.Release(maxAnswers)
		if got := ask(t, whenever, "alt=json", large); got != http.StatusOK {
			t.Errorf("a long one, later: %d", got)
		}
	})
	t.Run("is counted for all calls of a request together", func(t *testing.T) {
		if got := ask(t, time.Second, "alt=json", large, large); got != http.StatusServiceUnavailable {
			t.Errorf("%d", got)
		}
		all(t)
		k.answers.Release(maxAnswers)
	})
	t.Run("is not what a download takes", func(t *testing.T) {
		if got := ask(t, whenever, "alt=media", large, large); got != http.StatusOK {
			t.Errorf("%d", got)
		}
	})
}

// Escaping makes five bytes of a quote, so that a form which is shown again is larger than what was posted.
func TestShownAgainIsBounded(t *testing.T) {
	k := newKit(t)
	_, cookie := k.grant(ada, someScope)
	refuse := func(*Call) (*View, error) { return nil, Invalid("Not this.") }
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: refuse, Post: refuse, Text: 1 << 20,
		Form: NewPage("Probe", `{{.Form}}<textarea name="text">{{.Value.Get "text"}}</textarea></form>`)})
	for quotes, again := range map[int]bool{maxShown / 5: true, maxShown/5 + 1: false} {
		r := request("POST", "/probe", "text="+strings.Repeat(`"`, quotes))
		r.AddCookie(cookie)
		w := k.serve(h, r)
		want(t, w, http.StatusBadRequest)
		if got := strings.Contains(w.Body.String(), "&#34;"); got != again || again == strings.Contains(w.Body.String(), "Back button has it") {
			t.Errorf("%d quotes: shown again: %t", quotes, got)
		}
	}
}
