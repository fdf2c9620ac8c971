package main

import (
	_ "embed"
	"net/http"
	"slices"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

//go:embed index.html
var indexHTML string

var indexPage = httpfunc.NewPage("Google API functions on behalf of a user", indexHTML)

// handler serves the functions under their names, the index at /, and pages for developers. Where FUNCTION_TARGET names a
// function, it serves that one alone, under every path.
func (s *site) handler() http.Handler {
	if s.target != "" {
		return ownHosts(s.config, s.app.Handler(s.target))
	}
	s.app.SetHome("All functions")
	mux := http.NewServeMux()
	for _, name := range httpfunc.Names() {
		mux.Handle("/"+name, s.app.Handler(name))
		mux.Handle("/"+name+"/{$}", s.app.Handler(name)) // the platform serves this one as well
	}
	mux.Handle("/{$}", s.app.Show("", s.index))
	mux.Handle("/popup", s.app.Show("popup", s.popup))
	mux.HandleFunc("/popup.js", servePopupScript)
	if s.google != nil {
		for _, job := range functions(isJob) {
			mux.Handle("/schedule/"+job.Name, s.app.Show("schedule/"+job.Name, s.schedule(job), http.MethodPost))
		}
		for _, user := range s.google.Users() {
			mux.Handle("/hijacked/"+user.Subject, s.app.Show("hijacked/"+user.Subject, s.hijack(user), http.MethodPost))
		}
		mux.Handle(standInPath+"/", http.StripPrefix(standInPath, s.google))
	}
	mux.Handle("/", s.app.Show("", notFound, http.MethodGet, http.MethodHead, http.MethodPost))
	return ownHosts(s.config, mux)
}

// functions returns the functions for which are is true.
func functions(are func(httpfunc.Function) bool) []httpfunc.Function {
	return slices.DeleteFunc(httpfunc.Functions(), func(f httpfunc.Function) bool { return !are(f) })
}

func isJob(f httpfunc.Function) bool { return f.EachUser != nil }

// isForUsers reports whether a function acts for users at Google, and is not one of the framework's.
func isForUsers(f httpfunc.Function) bool { return f.Get != nil || isJob(f) }

func (s *site) index(*http.Request) (*httpfunc.View, error) {
	var accounts []fakegoogle.User
	if s.google != nil {
		accounts = s.google.Users()
	}
	return indexPage.View(struct {
		StandIn   bool                `json:"stand_in"`
		FrontEnd  string              `json:"front_end,omitempty"`
		Functions []httpfunc.Function `json:"-"`
		Jobs      []httpfunc.Function `json:"-"`
		Accounts  []fakegoogle.User   `json:"-"`
	}{s.google != nil, s.frontEnd, functions(isForUsers), functions(isJob), accounts}), nil
}

func notFound(*http.Request) (*httpfunc.View, error) {
	return nil, &httpfunc.Error{Status: http.StatusNotFound, Code: "not_found", Message: "Nothing is served under this address."}
}
