package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

func (p *parser) baseURL() string {
	const name, example = "BASE_URL", "https://REGION-PROJECT.cloudfunctions.net"
	v := p.getenv(name)
	if v == "" {
		p.fault(name, "is not set: set it to the public origin of the functions, such as "+example)
		return ""
	}
	v = strings.TrimSuffix(v, "/")
	u, err := url.Parse(v)
	switch {
	case err != nil || !isPage(u) || u.RawQuery != "" || u.ForceQuery || strings.HasSuffix(v, "/") || strings.ContainsAny(v, "#%;\"'<> \\"):
		p.fault(name, "is not an origin with an optional path: it should look like "+example)
	case u.Scheme == "http" && isLoopback(u.Hostname()) && p.deployed:
		p.fault(name, "is an address of this machine alone, which no browser reaches where this is deployed: it should look like "+example)
	case !p.isSafe(u):
		p.fault(name, "must begin with https:// (http:// serves localhost only): Google redirects to nothing else")
	default:
		return origin(u) + u.EscapedPath()
	}
	return ""
}

// isPage reports whether the URL can be that of a web page: it has a host, a valid port or none, no user, and a path that
// browsers leave as it is.
func isPage(u *url.URL) bool {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."
	port, err := strconv.Atoi(u.Port())
	return u.Hostname() != "" && (strings.Trim(u.Hostname(), characters) == "" || net.ParseIP(u.Hostname()) != nil) &&
		!strings.HasSuffix(u.Host, ":") && (u.Port() == "" || err == nil && port > 0 && port < 1<<16) &&
		u.User == nil && (u.EscapedPath() == "" || u.JoinPath().EscapedPath() == u.EscapedPath())
}

// isSafe reports whether nobody on the way reads what is sent to the URL: it is https, or http to this machine where
// nothing is deployed.
func (p *parser) isSafe(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) && !p.deployed
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// origin returns the URL's origin as browsers spell it: in lower case, without the scheme's default port
// [HTML: ASCII serialization of an origin].
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Port() != "" {
		host = strings.TrimSuffix(host, ":"+u.Port())
		port, _ := strconv.Atoi(u.Port())
		if port != map[string]int{"https": 443, "http": 80}[scheme] {
			host += ":" + strconv.Itoa(port)
		}
	}
	return scheme + "://" + host
}

func (p *parser) googleBaseURL() *url.URL {
	const name = "GOOGLE_BASE_URL"
	v := p.getenv(name)
	if v == "" {
		return nil
	}
	u, err := url.Parse(strings.TrimSuffix(v, "/"))
	switch {
	case p.deployed:
		p.fault(name, "is set, which sends secrets to a stand-in for Google: remove it from a deployed function")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" || u.RawQuery != "" || u.User != nil:
		p.fault(name, "is not an origin such as http://127.0.0.1:9700")
	default:
		return u
	}
	return nil
}
