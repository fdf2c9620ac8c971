package httpfunc

import (
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/session"
	"functions.local/oauth/shared/tokenstore"
)

// Options is what New needs. Everything but Getenv has a default.
type Options struct {
	Getenv func(string) string
	Store  tokenstore.Store // default: what the environment names
	Now    func() time.Time // default: time.Now
	Log    io.Writer        // default: os.Stderr
}

// An App is what the functions of one process share: configuration, store, flow, connections.
type App struct {
	config  *config.Config
	store   tokenstore.Store
	flow    *oauthflow.Flow
	cookie  *session.Cookie
	base    http.RoundTripper // one for the process: every client stands on it
	now     func() time.Time
	log     *slog.Logger
	protect *http.CrossOriginProtection
	home    string // what the page at BASE_URL/ is called, or "" where there is none
}

// New builds an App from the environment. It connects to nothing.
func New(o Options) (*App, error) {
	c, err := config.Parse(o.Getenv)
	if err != nil {
		return nil, err
	}
	a := &App{config: c, store: o.Store, now: o.Now, base: newTransport(c), protect: http.NewCrossOriginProtection()}
	if a.now == nil {
		a.now = time.Now
	}
	if o.Log == nil {
		o.Log = os.Stderr
	}
	a.log = newLogger(o.Log, c.Deployed)
	switch {
	case a.store != nil:
	case c.Memory:
		a.store = tokenstore.NewMemory()
	default:
		a.store, err = tokenstore.OpenFirestore(tokenstore.FirestoreConfig{
			Project: c.Project, Database: c.Database, Emulator: c.Emulator, Prefix: c.Prefix, Keyset: c.Keyset,
		})
		if err != nil {
			return nil, err
		}
	}
	if err := a.protect.AddTrustedOrigin(origin(c.BaseURL)); err != nil {
		return nil, err
	}
	a.cookie = &session.Cookie{Name: c.Cookie, Secure: c.Secure(), Keys: c.Keyset, Now: a.now}
	a.flow = oauthflow.New(oauthflow.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, RedirectURI: c.RedirectURI(), GoogleBase: c.GoogleBaseURL,
		Keys: c.Keyset, Store: a.store, Transport: a.base, Now: a.now, Audit: a.audit,
	})
	return a, nil
}

// SetHome has every page link to the one at BASE_URL/, under that name. It is to be called before the
// first request.
func (a *App) SetHome(name string) { a.home = name }

// URL returns the public URL of a function or of a local path.
func (a *App) URL(path string) string { return a.config.BaseURL + "/" + strings.TrimPrefix(path, "/") }

func origin(baseURL string) string {
	scheme, rest, _ := strings.Cut(baseURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// newTransport returns the process's connections to Google. net/http keeps two idle connections a
// host; at 80 requests at once nearly every call would open its own.
func newTransport(c *config.Config) http.RoundTripper {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if c.GoogleBaseURL == nil {
		return t
	}
	return &standIn{t, c.GoogleBaseURL.Scheme, c.GoogleBaseURL.Host}
}

// standIn sends what is meant for Google to another host.
type standIn struct {
	base         http.RoundTripper
	scheme, host string
}

func (s *standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	moved := *r
	u := *r.URL
	u.Scheme, u.Host = s.scheme, s.host
	moved.URL, moved.Host = &u, ""
	return s.base.RoundTrip(&moved)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
