package oauthflow

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newFlow makes a flow at noon, with an empty store, that talks to google.
func newFlow(t testing.TB, google http.RoundTripper) *Flow {
	t.Helper()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{
		ClientID: "client-1", ClientSecret: "secret-1", RedirectURI: "https://functions.example/oauth2callback",
		Keys: keys, Store: tokenstore.NewMemory(), Transport: google, Now: func() time.Time { return noon },
		Audit: func(context.Context, string, string, ...any) {}, Warn: func(context.Context, string, string, ...any) {},
	})
}

// answers is a Google that gives every request the same answer.
type answers struct {
	status int
	body   string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// query returns a URL's query.
func query(t testing.TB, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}
