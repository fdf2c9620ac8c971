package httpfunc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

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
	const (
		soon, whenever = 20 * time.Millisecond, time.Minute
		small, large   = fewAnswers - 100, 3 << 20
	)
	t.Run("of a call is bounded in all", func(t *testing.T) {
		if got := ask(t, whenever, "alt=json", large); got != http.StatusOK {
			t.Errorf("%d", got)
		}
		if got := ask(t, whenever, "alt=json", large, large); got != http.StatusBadGateway {
			t.Errorf("two: %d", got)
		}
	})
	t.Run("is not what a download takes", func(t *testing.T) {
		if got := ask(t, whenever, "alt=media", large, large); got != http.StatusOK {
			t.Errorf("%d", got)
		}
	})
	for name, places := range map[string]struct {
		taken  func() bool
		giveUp func()
		most   int
	}{
		"of a list waits until few others have one":      {func() bool { return k.answers.some.TryAcquire(maxSome) }, func() { k.answers.some.Release(maxSome) }, small},
		"of a long list waits until no other call is on": {func() bool { return k.answers.most.TryAcquire(maxMost) }, func() { k.answers.most.Release(maxMost) }, someAnswers - 100},
	} {
		t.Run(name, func(t *testing.T) {
			for end := time.Now().Add(10 * time.Second); !places.taken(); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("calls that are over keep their places")
				}
			}
			if got := ask(t, soon, "alt=json", places.most+100); got != http.StatusServiceUnavailable {
				t.Errorf("one that is larger: %d", got)
			}
			if got := ask(t, whenever, "alt=json", places.most); got != http.StatusOK {
				t.Errorf("one that is not: %d", got)
			}
			places.giveUp()
			if got := ask(t, whenever, "alt=json", places.most+100); got != http.StatusOK {
				t.Errorf("one that is larger, later: %d", got)
			}
		})
	}
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
