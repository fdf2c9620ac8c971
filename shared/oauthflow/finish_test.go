package oauthflow

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// countingGoogle is a Google that counts exchanges and is otherwise broken.
type countingGoogle struct{ exchanges atomic.Int64 }

func (g *countingGoogle) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() == tokenURL {
		g.exchanges.Add(1)
	}
	return answers{500, "{}"}.RoundTrip(r)
}

// FuzzCallbackQuery has the word STATE stand for a good state of this browser.
func FuzzCallbackQuery(f *testing.F) {
	google := &countingGoogle{}
	flow := newFlow(f, google)
	const issuer = "&iss=https%3A%2F%2Faccounts.google.com"
	for _, q := range []string{
		"", "state=STATE", "state=STATE&code=c", "state=STATE&code=c" + issuer, "state=STATE&code=c" + issuer + issuer,
		"state=STATE&code=c&iss=", "state=STATE&code=c&iss=https://evil.example", "state=STATE&code=c&code=d", "state=STATE&state=STATE&code=c",
		"state=STATE&code=c&error=e", "state=STATE&error=access_denied" + issuer, "state=STATE&error=a&error=b", "state=STATE&code", "state=x&code=c",
		"state=STATE&code=c&scope=a+b&authuser=0&prompt=consent", "STATE=STATE&code=c", "state=%53TATE&code=c", "state=STATE;code=c", "state[]=STATE&code=c",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s := validState()
		good, err := s.seal(flow.config.Keys)
		if err != nil {
			t.Fatal(err)
		}
		q, err := url.ParseQuery(strings.ReplaceAll(raw, "STATE", good))
		if err != nil {
			return
		}
		flow.config.Store = newFlow(t, nil).config.Store // no state was used yet
		before := google.exchanges.Load()
		out, err := flow.Finish(t.Context(), q, Browser{ID: "b"})
		if err == nil || out != nil {
			t.Fatalf("%v: finished without a token: %+v", q, out)
		}
		ours := len(q["state"]) == 1 && q["state"][0] == good
		issued := len(q["iss"]) == 0 || slices.Equal(q["iss"], []string{Issuer})
		may := ours && issued && len(q["code"]) == 1 && q["code"][0] != "" && len(q["error"]) == 0
		if n := google.exchanges.Load() - before; n != map[bool]int64{true: 1}[may] {
			t.Errorf("%v: %d exchanges", q, n)
		}
		var denied *DeniedError
		if isDenied := ours && issued && len(q["error"]) == 1 && q["error"][0] != "" && len(q["code"]) == 0; errors.As(err, &denied) != isDenied {
			t.Errorf("%v: %v", q, err)
		}
		if !may && denied == nil && !errors.Is(err, ErrCallback) && !errors.Is(err, ErrState) {
			t.Errorf("%v: %v", q, err)
		}
		if text := err.Error(); strings.Contains(text, good) || strings.Contains(text, "secret-1") {
			t.Errorf("the error holds a secret: %s", text)
		}
	})
}
