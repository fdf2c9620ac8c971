package httpfunc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/session"
	"functions.local/oauth/shared/tokenstore"
)

// An exchange is one request that is being answered.
type exchange struct {
	*App
	f *handler
	w http.ResponseWriter
	r *http.Request

	id   string // random; the log and the error page both show it
	log  *slog.Logger
	json bool // the answer is for a program
	form *Form
	// tooLong says that somebody who is not signed in sent more than is read of them: none of it is shown again.
	tooLong bool
	// reasked says that consent is asked for because Google refused a call, although no scope is missing.
	reasked   bool
	retryPath string // the path at which a request that failed can go on

	session   session.Session   // a browser's
	newCookie bool              // the next flow's answer has to set the cookie: there is none, or its session is over
	bearer    *oauthflow.Bearer // an app's user or a service account, in place of a session
	grant     *tokenstore.Grant // the signed-in user's, or nil
	access    *oauthflow.Access // to what the function needs
	known     bool              // visit has found out who is asking, which may be nobody
	memory    reserve           // for the body
	answered  reserve           // for what Google's APIs answer
}

const (
	// requestTimeout bounds everything but uploads and runs of jobs, uploadTimeout those.
	requestTimeout = 30 * time.Second
	uploadTimeout  = 10 * time.Minute
	// bodyTimeout is how long a body may stall, and answerTimeout how long a client may take to read
	// its answer. Both hold a place among the requests that an instance serves at once.
	bodyTimeout   = 10 * time.Second
	answerTimeout = 15 * time.Second
)

// handle serves requests to one function.
func (a *App) handle(h *handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header(), a.config.Secure())
		if r.ContentLength != 0 { // net/http waits for a body before its answer, also where nobody reads it
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		}
		if a.cors(h, w, r) {
			return
		}
		if !inFlight.enter() {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "This instance is shutting down. Please try again.", http.StatusServiceUnavailable)
			return
		}
		defer inFlight.leave()
		x := &exchange{App: a, f: h, w: w, r: r, id: seal.NewID(), json: wantsJSON(r) || h.scripts && r.Method == http.MethodPost, retryPath: h.Name,
			memory: reserve{of: a.bodies}, answered: reserve{of: a.answers, free: freeAnswer}}
		x.log = a.requestLog(h.Name, x.id, r.Header)
		defer func() {
			if v := recover(); v != nil {
				x.fail(panicError(v))
			}
		}()
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), logKey{}, x.log))
		defer cancel()
		defer x.memory.release()
		defer x.answered.release()
		x.r = r.WithContext(ctx)
		if err := x.run(); err != nil {
			x.fail(err)
		}
	})
}

// run is the way of a request.
func (x *exchange) run() error {
	if err := x.gate(); err != nil {
		return err
	}
	visited := x.visit()
	ctx, cancel := context.WithTimeout(x.r.Context(), x.timeout())
	defer cancel()
	x.r = x.r.WithContext(ctx)
	read := x.read() // even if visit failed: what was typed has to be shown again
	switch {
	case visited != nil:
		return visited
	case read != nil && !x.tooLong:
		return read
	}
	return x.f.serve(x)
}

// gate refuses what is served to nobody.
func (x *exchange) gate() error {
	_, bearer := bearerToken(x.r) // which no browser sends by itself
	if err := x.protect.Check(x.r); err != nil && !bearer {
		return &Error{Status: http.StatusForbidden, Code: "cross_origin",
			Message: "This came from another website, so nothing was done.", Cause: err}
	}
	if !slices.Contains(x.f.methods, x.r.Method) {
		x.w.Header().Set("Allow", strings.Join(x.f.methods, ", "))
		return &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
			Message: "This address takes " + strings.Join(x.f.methods, ", ") + " only."}
	}
	if len(x.r.URL.RawQuery) > maxQuery {
		return &Error{Status: http.StatusRequestURITooLong, Code: "too_large", Message: "The address is too long."}
	}
	if !x.isOwnPath(x.r.URL.Path) {
		return errNotFound // before anything is read: the platform passes every path on to the function
	}
	return nil
}

// isOwnPath reports whether a path is the function's own: its name, or nothing where the platform has cut that
// off; behind BASE_URL's path or without it.
func (x *exchange) isOwnPath(path string) bool {
	base, _ := url.Parse(x.config.BaseURL)
	path = strings.TrimSuffix(strings.TrimPrefix(path, base.Path), "/")
	return path == "" || path == "/"+x.f.Name
}

// visit finds out who is asking: the one whom a bearer token names, or else the session's user. A session that
// the grant does not list is over.
func (x *exchange) visit() error {
	if x.f.open {
		return nil
	}
	if raw, ok := bearerToken(x.r); ok {
		return x.visitBearer(raw)
	}
	var err error
	x.session, x.newCookie, err = x.cookie.Read(x.r)
	if err != nil {
		x.log.Warn("nobody is signed in", "error", err)
	}
	if errors.Is(err, session.ErrForeign) {
		return &Error{Status: http.StatusConflict, Code: "cookie_taken", Message: "Another program of this site keeps a session of its own in the cookie " +
			x.cookie.Name + ", so nobody can sign in here. Whoever runs this service has to give one of the two another site."}
	}
	if x.session.SignedIn() {
		if err := x.load(x.session.Subject); err != nil {
			return err
		}
		if x.grant == nil || !x.grant.HasSession(seal.HashID(x.session.ID)) {
			x.session, x.grant, x.newCookie = x.session.Over(), nil, true
		}
	}
	x.known = true
	return nil
}

func (x *exchange) hasBody() bool { return x.r.ContentLength != 0 }

// bodyWithin bounds how long the body may take from now on. It must not be called without a body: net/http goes on
// reading while a function works, to notice that the client hangs up, and would take the time-out for that.
func (x *exchange) bodyWithin(d time.Duration) {
	http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(d))
}

// load reads the owner's grant, if there is one.
func (x *exchange) load(owner string) error {
	g, err := x.store.Get(x.r.Context(), owner)
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return err
	case g.Reason == tokenstore.ReasonDamaged:
		x.log.Warn("stored grant is damaged: the user has to consent again", "owner", x.config.Keyset.Hash(owner))
	}
	x.grant = g
	return nil
}

// timeout is what is left for the request once it is known who is asking.
func (x *exchange) timeout() time.Duration {
	switch {
	case x.isService():
		return x.f.Timeout
	case x.mayUpload():
		return uploadTimeout
	}
	return requestTimeout
}

// mayUpload reports whether the body may hold a file.
func (x *exchange) mayUpload() bool {
	return x.f.File && x.r.Method == http.MethodPost && x.grant != nil
}

// isService reports whether a service account is asking for a run of a job.
func (x *exchange) isService() bool { return x.bearer != nil && x.bearer.Service != "" }

// bearerToken returns the token of an Authorization header of the scheme Bearer [RFC 6750 §2.1].
func bearerToken(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// isNavigation reports whether a person is to see the answer as a whole page. What a script, an image or
// a preview asks for must not be sent to Google [Fetch Metadata].
func isNavigation(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	if mode != "" || dest != "" {
		return mode == "navigate" && dest == "document"
	}
	return acceptsHTML(r)
}
