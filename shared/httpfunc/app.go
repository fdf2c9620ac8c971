package httpfunc

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/session"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/userclient"
)

// Options is what New needs. Everything but Getenv has a default.
type Options struct {
	Getenv func(string) string
	Store  tokenstore.Store // default: what the environment names
	Now    func() time.Time // default: time.Now
	Log    io.Writer        // default: os.Stderr
	// ConsentURL is where browsers reach the consent page of a stand-in for Google, where they do not reach
	// GOOGLE_BASE_URL.
	ConsentURL string
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
	bodies  *semaphore.Weighted // bytes of memory for bodies
	answers *semaphore.Weighted // and for Google's answers
	own     credentials         // of the service itself
	home    string              // what the page at BASE_URL/ is called, or "" where there is none
}

// New builds an App from the environment. It connects to nothing.
func New(o Options) (*App, error) {
	c, err := config.Parse(o.Getenv)
	if err != nil {
		return nil, err
	}
	a := &App{config: c, store: o.Store, now: o.Now, base: userclient.NewTransport(c.GoogleBaseURL),
		protect: http.NewCrossOriginProtection(), bodies: semaphore.NewWeighted(maxBodies), answers: semaphore.NewWeighted(maxAnswers)}
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
		m := tokenstore.NewMemory()
		m.Now = a.now
		a.store = m
	default:
		a.store, err = tokenstore.OpenFirestore(tokenstore.FirestoreConfig{
			Project: c.Project, Database: c.Database, Emulator: c.Emulator, Prefix: c.Prefix, Keyset: c.Keyset,
		})
		if err != nil {
			return nil, err
		}
	}
	if err := a.protect.AddTrustedOrigin(originOf(c.BaseURL)); err != nil {
		return nil, err
	}
	a.cookie = &session.Cookie{Name: c.Cookie, Secure: c.Secure(), Keys: c.Keyset, Now: a.now}
	a.flow = oauthflow.New(oauthflow.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, RedirectURI: c.RedirectURI(), GoogleBase: c.GoogleBaseURL, ConsentURL: o.ConsentURL,
		AuthIssuer: c.AuthIssuer, AuthAudience: c.AuthAudience, FrontEnds: c.FrontEnds, Domains: c.Domains, Apart: apartScopes(),
		Keys: c.Keyset, Store: a.store, Transport: a.base, Now: a.now, Audit: a.audit, Warn: a.warn,
	})
	return a, nil
}

// apartScopes returns the scopes that some function keeps apart.
func apartScopes() []string {
	var scopes []string
	for _, f := range Functions() {
		if f.Apart {
			scopes = append(scopes, f.Scopes.First()...)
		}
	}
	return scopes
}

// SetHome makes every page link to BASE_URL/, with this text. Call it before the first request.
func (a *App) SetHome(name string) { a.home = name }

// URL returns the public URL of a function.
func (a *App) URL(path string) string { return a.config.BaseURL + "/" + strings.TrimPrefix(path, "/") }

// localURL returns the URL of a place to come back to: a local path, or a page of FRONT_ENDS as it is.
func (a *App) localURL(returnTo string) string {
	if strings.HasPrefix(returnTo, "/") {
		return a.URL(returnTo)
	}
	return returnTo
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Show serves what view returns to anybody, signed in or not. Without methods it serves GET and HEAD.
// name is the path of the page, "" for BASE_URL/.
func (a *App) Show(name string, view func(*http.Request) (*View, error), methods ...string) http.Handler {
	if len(methods) == 0 {
		methods = []string{http.MethodGet, http.MethodHead}
	}
	return a.handle(&handler{Function: Function{Name: name}, methods: methods, serve: func(x *exchange) error {
		v, err := view(x.r)
		if err != nil {
			return err
		}
		// Such a page may be a front end's, whose popup answers it [Google Identity Services: Cross-Origin Opener Policy].
		x.w.Header().Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
		if x.json {
			x.replyJSON(http.StatusOK, v.value)
		} else {
			x.replyPage(http.StatusOK, v, &pageData{})
		}
		return nil
	}})
}

// scopeName shortens a scope that no function here explains.
func scopeName(scope string) string { return strings.ReplaceAll(path.Base(scope), ".", " ") }
