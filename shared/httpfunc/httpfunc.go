// Package httpfunc turns a function that calls a Google API for a user into an HTTP function: it
// signs the user in, sees to consent, tokens and sessions, and answers with a page or with JSON.
package httpfunc

import (
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"sync"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/tokenstore"
)

// Scopes is what a function needs. Each entry lists scopes of which any one will do; the first is the
// one that the user is asked for.
type Scopes = oauthflow.Scopes

// A Func does its work for the user whom client acts for, and returns what to show: a View, or any
// value that encoding/json takes. Its errors become error pages; see Error for those of its own.
type Func func(r *http.Request, client *http.Client) (any, error)

// ForUser registers name as a function that needs the user's consent to scopes. get serves GET and
// HEAD, and must change nothing.
//
// Where a POST finds consent missing, get is called with the posted request, so that the form comes
// again with its fields kept; every call through its client then fails.
func ForUser(name string, scopes Scopes, get Func, options ...Option) {
	f := &function{name: name, scopes: scopes, get: get}
	for _, o := range options {
		o(f)
	}
	register(name, func(a *App) http.HandlerFunc { return a.forUser(f) })
}

// An Option adds to a function.
type Option func(*function)

// Post has the function serve POST, too.
func Post(post Func) Option { return func(f *function) { f.post = post } }

type function struct {
	name   string
	scopes Scopes
	get    Func
	post   Func
}

// registered holds how to serve each function of this process.
var registered = map[string]func(*App) http.HandlerFunc{}

func register(name string, serve func(*App) http.HandlerFunc) {
	if _, ok := registered[name]; ok {
		panic("httpfunc: " + name + " is registered twice")
	}
	registered[name] = serve
	if os.Getenv("K_SERVICE") != "" {
		checkDeployed()
	}
	functions.HTTP(name, inProcess(name))
}

// inProcess serves a function with the App of this process.
func inProcess(name string) http.HandlerFunc {
	handler := sync.OnceValues(func() (http.Handler, error) {
		a, err := Process()
		if err != nil {
			return nil, err
		}
		return a.Handler(name), nil
	})
	return func(w http.ResponseWriter, r *http.Request) {
		h, err := handler()
		if err != nil {
			setHeaders(w.Header(), false)
			http.Error(w, "This function is not configured. The log says what is missing.", http.StatusInternalServerError)
			newLogger(os.Stderr, false).Error(err.Error())
			return
		}
		h.ServeHTTP(w, r)
	}
}

// Process returns the App that the Functions Framework serves in this process, made of its environment
// at the first call. A failure stays, and is reported to every request.
var Process = sync.OnceValues(func() (*App, error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return New(Options{Getenv: os.Getenv})
})

// gcPercent takes 6 % off the processor time of pages at 80 at once, for 2 MiB of memory more than Go's own
// 100. 150 would take off 2 % more for 2 MiB more (deploy/bench).
const gcPercent = 130

// checkDeployed ends a deployed process that is badly configured, so that it never takes traffic, and
// otherwise has it finish its requests at SIGTERM and connect to Firestore.
var checkDeployed = sync.OnceFunc(func() {
	var draining sync.WaitGroup
	draining.Go(func() { DrainOnSignal() }) // which starts a thread: meanwhile
	a, err := Process()
	if err != nil {
		newLogger(os.Stderr, true).Error(err.Error())
		os.Exit(1)
	}
	draining.Wait() // no request is taken that a signal could cut off
	if f, ok := a.store.(*tokenstore.Firestore); ok {
		go f.Connect() // while the platform has yet to pass on the first request
	}
})

// Names returns the names of the functions in this process.
func Names() []string {
	return sortedKeys(registered)
}

// Handler serves one function.
func (a *App) Handler(name string) http.Handler {
	serve, ok := registered[name]
	if !ok {
		panic(fmt.Sprintf("httpfunc: no function %q", name))
	}
	return a.wrap(name, serve(a))
}
