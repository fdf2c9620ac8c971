package fakegoogle

import (
	"net/http"
	"net/url"
	"strings"
)

// SetPublic says under which URL browsers reach the server, such as "http://localhost:8080/google" where another server
// passes on to it what is under /google/. Links to the server's pages, on pages and in the answers of APIs, then begin
// with it. The server answers requests with the path of that URL in front and without it. SetPublic panics if public is
// not an absolute URL.
func (s *Server) SetPublic(public string) {
	u, err := url.Parse(strings.TrimSuffix(public, "/"))
	if err != nil || u.Scheme == "" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		panic("fakegoogle: not a URL for browsers: " + public)
	}
	s.public.Store(u)
}

// prefix returns the path of the public URL, such as /google, or "".
func (s *Server) prefix() string {
	if u := s.public.Load(); u != nil {
		return u.Path
	}
	return ""
}

// inBrowsers returns the address of a page of Google's for browsers: on this server, if it knows under which URL they
// reach it.
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

// withoutPrefix returns r without the prefix in its path.
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
