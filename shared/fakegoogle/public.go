package fakegoogle

import (
	"net/http"
	"net/url"
	"strings"
)

// SetPublic says under which URL browsers reach the server, e.g. "http://localhost:8080/google" where
// another server passes everything under /google/ on to it, prefix included. It decides about the links
// that lead from the pages and from the APIs' answers to the pages. Requests without the prefix are
// answered too. It panics if public is no absolute URL.
func (s *Server) SetPublic(public string) {
	u, err := url.Parse(strings.TrimSuffix(public, "/"))
	if err != nil || u.Scheme == "" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		panic("fakegoogle: not a URL for browsers: " + public)
	}
	s.public.Store(u)
}

// prefix is the path in front of every page: "" or one such as /google.
func (s *Server) prefix() string {
	if u := s.public.Load(); u != nil {
		return u.Path
	}
	return ""
}

// inBrowsers is the address of a page of Google's for browsers: the one of this server, once it knows
// under which URL they reach it.
func (s *Server) inBrowsers(google string) string {
	public := s.public.Load()
	if public == nil {
		return google
	}
	u, err := url.Parse(google)
	if err != nil {
		panic("fakegoogle: " + err.Error())
	}
	u.Scheme, u.Host, u.Path = public.Scheme, public.Host, public.Path+u.Path
	return u.String()
}

// withoutPrefix returns r as it would have come without the public prefix.
func (s *Server) withoutPrefix(r *http.Request) *http.Request {
	prefix := s.prefix()
	if prefix == "" || !strings.HasPrefix(r.URL.Path, prefix+"/") {
		return r
	}
	short := *r
	u := *r.URL
	u.Path, u.RawPath = strings.TrimPrefix(u.Path, prefix), strings.TrimPrefix(u.RawPath, prefix)
	short.URL = &u
	return &short
}
