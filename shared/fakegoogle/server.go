// Package fakegoogle is a strict, stateful stand-in for Google: one http.Handler with the consent page, the token
// endpoint and the few APIs that the functions call. It also plays the issuer of an app's own users.
//
// It refuses what Google refuses, so that a mistake shows here and not after a deploy. Tests use it through
// httptest.NewServer, and deploy/local serves it to a browser.
package fakegoogle

import (
	"crypto/rsa"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Server is the stand-in for Google. Its methods are safe for concurrent use.
type Server struct {
	mux     *http.ServeMux
	now     func() time.Time
	keys    *keyring
	appKeys *keyring

	public atomic.Pointer[url.URL] // of SetPublic, or nil

	mu            sync.Mutex // guards everything below
	clients       map[string]Client
	users         []*account
	browsers      map[string]*browser
	codes         map[string]*authCode
	access        map[string]*accessToken
	refresh       map[string]*refreshToken
	grants        map[grantKey]*grant
	refreshErrors map[string]refreshError
	testing       bool
	narrow        bool
	sequence      int64 // counts refresh tokens
	editIDToken   func(claims map[string]any)
	editResponse  func(body map[string]any)
	answers       map[string]map[string]any // by path
	calls         map[string]int
	failures      []*plannedFailure
}

// Options are what a Server starts with.
type Options struct {
	Clients    []Client         // registered OAuth clients; AddClient adds more
	Now        func() time.Time // default: time.Now
	SigningKey *rsa.PrivateKey  // the first one; default: one for all Servers of the process
	Public     string           // as for SetPublic, where it is known already
}

// New returns a Server with the clients of opts and two users, Ada Lovelace and Grace Hopper, who both have labels
// and projects. It does no I/O. Without opts.SigningKey the first key is made when an ID token or the key set is
// asked for.
func New(opts Options) *Server {
	s := &Server{
		now:           opts.Now,
		keys:          &keyring{first: firstKey},
		appKeys:       &keyring{first: firstAppKey},
		clients:       map[string]Client{},
		browsers:      map[string]*browser{},
		codes:         map[string]*authCode{},
		access:        map[string]*accessToken{},
		refresh:       map[string]*refreshToken{},
		grants:        map[grantKey]*grant{},
		refreshErrors: map[string]refreshError{},
		calls:         map[string]int{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if opts.SigningKey != nil {
		s.keys.rotate(opts.SigningKey)
	}
	for _, c := range opts.Clients {
		s.AddClient(c)
	}
	s.addDefaultUsers()
	if opts.Public != "" {
		s.SetPublic(opts.Public)
	}
	s.mux = s.routes()
	return s
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range consentPaths {
		mux.HandleFunc("GET "+path, s.serveConsent)
		mux.HandleFunc("POST "+path, s.serveConsent)
	}
	mux.HandleFunc("POST /token", s.serveToken)
	mux.HandleFunc("POST /revoke", s.serveRevoke)
	mux.HandleFunc("GET /oauth2/v3/certs", s.serveCerts)
	mux.HandleFunc("GET /gsi/client", s.serveIdentityServices)
	mux.HandleFunc("GET /gsi/select", s.serveSelect)
	mux.HandleFunc("POST /gsi/select", s.serveSelect)
	mux.HandleFunc("GET /app/.well-known/openid-configuration", s.serveAppDiscovery)
	mux.HandleFunc("GET /app/jwks", s.serveAppKeys)
	mux.HandleFunc("/app/token", s.serveAppToken)

	mux.HandleFunc("GET /gmail/v1/users/{user}/labels", s.api(gmailLabelsList, s.listLabels))
	mux.HandleFunc("GET /drive/v3/files/generateIds", s.api(driveGenerateIDs, s.generateIDs))
	mux.HandleFunc("POST /drive/v3/files", s.api(driveCreate, s.createFile))
	mux.HandleFunc("POST /upload/drive/v3/files", s.api(driveCreate, s.uploadFile))
	mux.HandleFunc("GET /drive/v3/files/{id}", s.api(driveGet, s.getFile))
	mux.HandleFunc("POST /calendar/v3/calendars/{calendar}/events", s.api(calendarInsert, s.insertEvent))
	mux.HandleFunc("GET /calendar/v3/calendars/{calendar}/events/{id}", s.api(calendarGet, s.getEvent))
	mux.HandleFunc("GET /v3/projects:search", s.api(projectsSearch, s.searchProjects))
	mux.HandleFunc("GET /file/d/{id}/view", s.serveFilePage)
	mux.HandleFunc("GET /calendar/event", s.serveEventPage)
	mux.HandleFunc("/", s.serveUnknown)
	return mux
}

// ServeHTTP counts the request, and lets it fail if Fail or Refuse planned that. Otherwise it answers as Google would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r = s.withoutPrefix(r)
	if f := s.count(r.URL.Path); f != nil {
		s.serveFailure(w, r, *f)
	} else {
		s.mux.ServeHTTP(w, r)
	}
	// If the answer came before the end of an upload, the client might see a reset connection instead of it.
	io.Copy(io.Discard, io.LimitReader(r.Body, 64<<20))
}

// count counts a request and returns the failure that is planned for it, or nil.
func (s *Server) count(path string) *Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[path]++
	return s.takeFailure(path)
}

// Calls returns the number of requests whose path has the prefix, since the start or the last ResetCalls. Those that
// failed count as well.
func (s *Server) Calls(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for path, c := range s.calls {
		if strings.HasPrefix(path, prefix) {
			n += c
		}
	}
	return n
}

// ResetCalls sets the counts to zero.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.calls)
}
