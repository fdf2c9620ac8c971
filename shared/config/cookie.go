package config

import (
	"cmp"
	"net/url"
)

// Cookie names. The prefixes bind a cookie to https and to one host [RFC 6265bis §4.1.3]; Firebase
// Hosting forwards no cookie but __session [Firebase: Hosting, manage cache behavior].
const (
	hostCookie     = "__Host-session"
	firebaseCookie = "__session"
)

func (p *parser) cookie(c *Config) string {
	const name = "SESSION_COOKIE"
	v := p.getenv(name)
	local := localCookie(c.BaseURL)
	switch {
	case v == "" && c.Secure():
		return hostCookie
	case v == "":
		return local
	case v == hostCookie && c.BaseURL != "" && !c.Secure():
		p.fault(name, "is "+hostCookie+", which browsers keep on https only: leave it out on http://localhost")
	case v != hostCookie && v != firebaseCookie && (c.Secure() || v != local):
		p.fault(name, "must be one of "+hostCookie+" (on https), "+local+" (on http://localhost) and "+firebaseCookie+" (behind Firebase Hosting): leave it out but for the last")
	}
	return v
}

// localCookie returns the cookie's name on http. The port is part of it, since browsers keep one jar for all ports of a
// host.
func localCookie(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil || u.Scheme != "http" {
		return "session_PORT"
	}
	return "session_" + cmp.Or(u.Port(), "80")
}
