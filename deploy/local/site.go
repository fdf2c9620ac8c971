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

// A site is all that this process serves.
type site struct {
	settings
	app      *httpfunc.App
	config   *config.Config
	google   *fakegoogle.Server // nil where this process does not play Google
	pages    string             // where browsers reach Google's pages
	frontEnd string             // the page that plays a front end of one's own, or ""
}

// An environment is the process's, with what the runner adds to it.
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

func (e *environment) byDefault(name, value string) {
	if e.get(name) == "" {
		e.added[name] = value
	}
}

// newSite makes what the settings and the environment ask for. It starts the stand-in for Google and the
// front end's page, where these belong to it.
func newSite(s *settings, getenv func(string) string, log io.Writer) (*site, error) {
	st := &site{settings: *s, pages: oauthflow.Issuer}
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
		if beside, err = st.addDefaults(e, &o); err != nil {
			return nil, err
		}
	}
	var err error
	if st.config, err = config.Parse(e.get); err != nil {
		return nil, s.explain(err)
	}
	if st.google == nil && st.config.GoogleBaseURL != nil {
		st.pages = st.config.GoogleBaseURL.String()
	}
	st.serveFrontEnd(beside)
	st.app, err = httpfunc.New(o)
	return st, err
}

// addDefaults adds what a run of all functions needs that the environment does not say. It returns
// listeners for the front end's page, where browsers can reach such a one.
func (st *site) addDefaults(e *environment, o *httpfunc.Options) (beside []net.Listener, err error) {
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
		return nil, nil // which is told with all other faults
	}
	if u, _ := url.Parse(c.BaseURL); isLoopback(u.Hostname()) {
		if beside, st.frontEnd, err = listenBeside(st.addr); err != nil {
			return nil, err
		}
	}
	e.byDefault("FRONT_ENDS", strings.Join(append([]string{st.frontEnd}, devServers...), " "))
	if e.get("GOOGLE_BASE_URL") != "" || e.get("OAUTH_CLIENT_JSON") != "" {
		return beside, nil
	}
	c, _ = config.Parse(e.get)
	st.google, e.added["GOOGLE_BASE_URL"], e.added["OAUTH_CLIENT_JSON"], err = startStandIn(c)
	if err != nil {
		return nil, err
	}
	st.pages = c.BaseURL + standInPath
	o.ConsentURL = st.pages + "/o/oauth2/v2/auth"
	if e.get("AUTH_ISSUER") == "" && st.frontEnd != "" { // else the issuer's keys may be out of this process's reach
		e.added["AUTH_ISSUER"], e.added["AUTH_AUDIENCE"] = st.google.AppIssuer(), fakegoogle.AppAudience
	}
	return beside, nil
}

// serveFrontEnd serves the page that plays a front end of one's own, where it can sign users in.
func (st *site) serveFrontEnd(beside []net.Listener) {
	p := frontend.Page{BaseURL: st.config.BaseURL, Client: st.config.ClientID, Google: st.pages, Words: map[string]string{}}
	switch issuer := st.config.AuthIssuer; {
	case issuer == oauthflow.Issuer:
		p.OneTap = true
	case st.google != nil && issuer == st.google.AppIssuer():
		p.SignIn = issuer + "/token"
		for _, u := range fakegoogle.AppUsers() {
			p.Users = append(p.Users, frontend.User{Email: u.Email, Name: u.Name})
		}
	default:
		st.frontEnd = ""
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
	serveBeside(beside, st.config, p.Handler())
}

// explain names the flag whose file is at fault in place of the variable that it stands for.
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
