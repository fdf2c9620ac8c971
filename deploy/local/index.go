package main

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

//go:embed index.html
var indexHTML string

var indexPage = httpfunc.NewPage("Google API functions on behalf of a user", indexHTML)

// A site is all that this process serves.
type site struct {
	app    *httpfunc.App
	config *config.Config
	google *fakegoogle.Server // nil where this process does not play Google
	addr   string             // host:port
}

// handler serves the functions under their names, the index at / and what helps a developer.
func (s *site) handler() http.Handler {
	s.app.SetHome("All functions")
	mux := http.NewServeMux()
	for _, name := range httpfunc.Names() {
		mux.Handle("/"+name, s.app.Handler(name))
	}
	mux.Handle("/{$}", s.app.Show("", s.index))
	mux.Handle("/popup", s.app.Show("popup", s.popup))
	mux.HandleFunc("/popup.js", servePopupScript)
	if s.google != nil {
		mux.Handle("/schedule", s.app.Show("", s.schedule, http.MethodPost))
	}
	mux.Handle("/", s.app.Show("", notFound, http.MethodGet, http.MethodHead, http.MethodPost))
	return mux
}

func (s *site) index(*http.Request) (*httpfunc.View, error) {
	return indexPage.View(struct {
		StandIn bool `json:"stand_in"`
	}{s.google != nil}), nil
}

func notFound(*http.Request) (*httpfunc.View, error) {
	return nil, &httpfunc.Error{Status: http.StatusNotFound, Code: "not_found", Message: "Nothing is served under this address."}
}

// greet says what is running and where.
func (s *site) greet(out io.Writer) {
	google := "the real one; its OAuth client has to have\n" +
		"            redirect URI       " + s.config.RedirectURI() + "\n" +
		"            JavaScript origin  " + originOf(s.config.BaseURL) + "  (for the popup page)"
	if at := s.config.GoogleBaseURL; at != nil {
		google = "the stand-in at " + at.String()
	}
	if s.google != nil {
		google += "; no account is needed"
	}
	grants := "Firestore, project " + s.config.Project
	switch {
	case s.config.Memory:
		grants = "in memory, gone when this ends"
	case s.config.Emulator != "":
		grants += ", emulator at " + s.config.Emulator
	}
	fmt.Fprintf(out, `
  Open    %s/
  Google  %s
  Grants  %s

Ctrl-C ends it.

`, s.config.BaseURL, google, grants)
}
