package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"

	"functions.local/oauth/deploy/local/frontend"
	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// A site is everything that this process serves.
type site struct {
	settings
	app      *httpfunc.App
	config   *config.Config
	google   *fakegoogle.Server // nil where this process does not play Google
	pages    string             // where browsers reach Google's pages
	frontEnd string             // the URL of the page that plays a front end of the developer's own, or ""
}

// An environment is that of the process, with what the runner adds to it.
type environment struct {
	getenv func(string) string
	added  map[string]string
}

func (e *environment) get(name string) string {
	if v, ok := e.added[name]; ok {
		return v
	}
	return e.getenv(name)
}

// byDefault adds a value where the environment has none.
func (e *environment) byDefault(name, value string) {
	if e.get(name) == "" {
		e.added[name] = value
	}
}

// newSite makes the site that the settings and the environment ask for. It starts the stand-in for Google and the front
// end's page, where there are to be any.
func newSite(given *settings, getenv func(string) string, log io.Writer) (*site, error) {
	s := &site{settings: *given, pages: oauthflow.Issuer}
	e := &environment{getenv, map[string]string{}}
	o := httpfunc.Options{Getenv: e.get, Log: log}
	e.byDefault("BASE_URL", "http://"+s.addr)
	if s.project != "" {
		e.added["TOKEN_STORE"], e.added["GOOGLE_CLOUD_PROJECT"] = "firestore", s.project
	}
	if s.data != "" {
		file, err := tokenstore.OpenFile(s.data)
		if err != nil {
			return nil, fmt.Errorf("-data: %w", err)
		}
		o.Store = file
		e.added["TOKEN_STORE"], e.added["TOKEN_KEYSET"] = "memory", string(file.Keyset.JSON())
	}
	if s.clientSecret != "" {
		b, err := os.ReadFile(s.clientSecret)
		if err != nil {
			return nil, fmt.Errorf("-client-secret: %w", err)
		}
		e.added["OAUTH_CLIENT_JSON"] = string(b)
	}
	var beside []net.Listener
	if s.target == "" {
		var err error
		if beside, err = s.addDefaults(e, &o); err != nil {
			return nil, err
		}
	}
	var err error
	if s.config, err = config.Parse(e.get); err != nil {
		return nil, s.explain(err)
	}
	if s.google == nil && s.config.GoogleBaseURL != nil {
		s.pages = s.config.GoogleBaseURL.String()
	}
	s.serveFrontEnd(beside)
	s.app, err = httpfunc.New(o)
	return s, err
}

// addDefaults adds to the environment what a run of all functions needs and nobody has set. It returns listeners for the
// front end's page, where browsers can reach one.
func (s *site) addDefaults(e *environment, o *httpfunc.Options) (beside []net.Listener, err error) {
	e.byDefault("SCHEDULER_ACCOUNT", "scheduler@local.iam.gserviceaccount.com")
	if e.get("FIRESTORE_EMULATOR_HOST") != "" {
		e.byDefault("GOOGLE_CLOUD_PROJECT", "local")
	} else {
		e.byDefault("TOKEN_STORE", "memory")
	}
	if e.get("TOKEN_STORE") == "memory" && e.get("TOKEN_KEYSET") == "" {
		k, err := seal.New()
		if err != nil {
			return nil, err
		}
		e.added["TOKEN_KEYSET"] = string(k.JSON())
	}
	c, _ := config.Parse(e.get)
	if c.BaseURL == "" {
		return nil, nil // newSite reports it with all other faults
	}
	if u, _ := url.Parse(c.BaseURL); isLoopback(u.Hostname()) {
		if beside, s.frontEnd, err = listenBeside(s.addr); err != nil {
			return nil, err
		}
	}
	e.byDefault("FRONT_ENDS", strings.Join(append([]string{s.frontEnd}, devServers...), " "))
	if e.get("GOOGLE_BASE_URL") != "" || e.get("OAUTH_CLIENT_JSON") != "" {
		return beside, nil
	}
	c, _ = config.Parse(e.get) // once more, with FRONT_ENDS
	s.google, e.added["GOOGLE_BASE_URL"], e.added["OAUTH_CLIENT_JSON"], err = startStandIn(c)
	if err != nil {
		return nil, err
	}
	s.pages = c.BaseURL + standInPath
	o.ConsentURL = s.pages + "/o/oauth2/v2/auth"
	if e.get("AUTH_ISSUER") == "" && s.frontEnd != "" { // otherwise this process may not reach the issuer's keys
		e.added["AUTH_ISSUER"], e.added["AUTH_AUDIENCE"] = s.google.AppIssuer(), fakegoogle.AppAudience
	}
	return beside, nil
}

// serveFrontEnd serves the page that plays a front end of the developer's own, if it can sign users in.
func (s *site) serveFrontEnd(beside []net.Listener) {
	p := frontend.Page{BaseURL: s.config.BaseURL, Client: s.config.ClientID, Google: s.pages, Words: map[string]string{}}
	switch issuer := s.config.AuthIssuer; {
	case issuer == oauthflow.Issuer:
		p.OneTap = true
	case s.google != nil && issuer == s.google.AppIssuer():
		p.SignIn = issuer + "/token"
		for _, u := range fakegoogle.AppUsers() {
			p.Users = append(p.Users, frontend.User{Email: u.Email, Name: u.Name})
		}
	default:
		s.frontEnd = ""
		for _, l := range beside {
			l.Close()
		}
		return
	}
	for _, f := range functions(isForUsers) {
		p.Functions = append(p.Functions, frontend.Function{Name: f.Name, Title: f.Title, Job: isJob(f)})
		for _, scope := range f.Scopes.First() {
			p.Words[scope] = f.Permission
		}
	}
	serveBeside(beside, s.config, p.Handler())
}

// explain makes faults of OAUTH_CLIENT_JSON name the flag -client-secret, where that is given.
func (s *settings) explain(err error) error {
	var faults config.Faults
	if s.clientSecret == "" || !errors.As(err, &faults) {
		return err
	}
	for i := range faults {
		if faults[i].Name == "OAUTH_CLIENT_JSON" {
			faults[i].Name = "-client-secret " + s.clientSecret
		}
	}
	return faults
}
