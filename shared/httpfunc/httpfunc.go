// Package httpfunc turns a function that calls a Google API for a user into an HTTP function.
//
// The way of a request: a function registers a Function (function.go). Handler makes an exchange of
// each request, which goes through gate, visit, read and serve (exchange.go); serve is serveUser for
// most (user.go). What a function returns is shown, and each error that a step returns is answered, in
// one place (answer.go, by the table in errors.go).
package httpfunc

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"functions.local/oauth/shared/tokenstore"
)

// A handler is how a function is served.
type handler struct {
	Function
	methods  []string
	serve    func(*exchange) error
	formPage func(*exchange) *View // the page whose form was posted; nil where there is none
	maxBody  int64                 // of the body, in bytes; 0: what follows from Text and File
	scripts  bool                  // a POST comes from a program, and is answered in JSON
	open     bool                  // visit and read do nothing: serve takes the request from anybody, and reads the body
}

var (
	handlers = map[string]*handler{} // the functions of this process
	others   []Function              // those that are deployed beside it
)

// register makes a function known by its name, here and to the Functions Framework.
func register(f Function, h *handler) {
	if _, ok := handlers[f.Name]; ok {
		panic("httpfunc: " + f.Name + " is registered twice")
	}
	h.Function = f
	handlers[f.Name] = h
	if os.Getenv("K_SERVICE") != "" {
		startDeployed()
	}
	functions.HTTP(f.Name, inProcess(func(a *App) http.Handler { return a.handle(h) }))
}

// Know adds functions that are deployed apart from this process, for pages that name them. Call it before the
// first request.
func Know(f ...Function) { others = append(others, f...) }

// Functions returns the functions of this process and those it knows of, by name.
func Functions() []Function {
	all := map[string]Function{}
	for _, f := range others {
		all[f.Name] = f
	}
	for name, h := range handlers {
		all[name] = h.Function
	}
	list := make([]Function, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list
}

// UsersAPage is how many users of a job have their turn in one task of TASK_QUEUE.
const UsersAPage = runPage

// Names returns the names of the functions in this process.
func Names() []string { return slices.Sorted(maps.Keys(handlers)) }

// Handler serves one function.
func (a *App) Handler(name string) http.Handler {
	h, ok := handlers[name]
	if !ok {
		panic(fmt.Sprintf("httpfunc: no function %q", name))
	}
	return a.handle(h)
}

// Together registers one function that serves every function of this process, each under its own name. The
// platform takes this function's name off the path on cloudfunctions.net and leaves it on run.app.
func Together(name string) {
	functions.HTTP(name, inProcess(func(a *App) http.Handler { return a.together(name) }))
}

func (a *App) together(name string) http.Handler {
	each := map[string]http.Handler{}
	for _, h := range handlers {
		each[h.Name] = a.handle(h)
	}
	none := a.handle(&handler{Function: Function{Name: name}, methods: []string{http.MethodGet, http.MethodHead, http.MethodPost},
		serve: func(*exchange) error { return errNotFound }})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if rest, ok := strings.CutPrefix(path, "/"+name); ok && (rest == "" || rest[0] == '/') {
			path = rest
		}
		h, ok := each[strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")]
		if !ok {
			none.ServeHTTP(w, r)
			return
		}
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.URL.RawPath = path, ""
		h.ServeHTTP(w, inner)
	})
}

// inProcess serves what serve returns for the App of this process.
func inProcess(serve func(*App) http.Handler) http.HandlerFunc {
	handler := sync.OnceValues(func() (http.Handler, error) {
		a, err := Process()
		if err != nil {
			return nil, err
		}
		return serve(a), nil
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

// Process returns the App that the Functions Framework serves in this process. The first call makes it from the
// environment, without I/O. A fault of the configuration is remembered and returned by every call.
func Process() (*App, error) { return process() }

var process = sync.OnceValues(func() (*App, error) {
	setGCPercent()
	return New(Options{Getenv: os.Getenv})
})

// gcPercent takes 6 % off the processor time of pages at 80 at once, for 2 MiB of memory more than Go's own
// 100 (deploy/bench).
const gcPercent = 130

// setGCPercent has the garbage collector heed gcPercent, unless the environment says otherwise.
func setGCPercent() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// nameMetadataServer tells Google's libraries where the metadata server is. Otherwise they look once whether there
// is one, and remember for the life of the process that there was none; it may be seconds late after a start. Where
// its address is given they ask anew each time [cloud.google.com/go/compute/metadata: OnGCE].
func nameMetadataServer() {
	const name, address = "GCE_METADATA_HOST", "169.254.169.254"
	if os.Getenv(name) == "" {
		os.Setenv(name, address)
	}
}

// startDeployed ends a deployed process that is badly configured, so that it never takes traffic, and
// otherwise has it finish its requests at SIGTERM and connect to Firestore.
var startDeployed = sync.OnceFunc(func() {
	var draining sync.WaitGroup
	draining.Go(DrainOnSignal) // beside the rest, since it has to start a thread
	nameMetadataServer()
	a, err := Process()
	if err != nil {
		newLogger(os.Stderr, true).Error(err.Error())
		os.Exit(1)
	}
	draining.Wait() // before any request is accepted: a signal must not cut it off
	if f, ok := a.store.(*tokenstore.Firestore); ok {
		go f.Connect() // while the platform has yet to pass on the first request
	}
})
