package userclient

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NewTransport returns the connections to Google that one process shares. Where standIn is not nil,
// every request goes to its scheme and host instead.
//
// The net/http default keeps two idle connections a host; with 80 requests at once nearly every call
// would open its own. A silent HTTP/2 connection is pinged, so that one whose peer is gone costs those
// who wait on it 8 seconds, and not everybody the quarter of an hour that TCP takes.
func NewTransport(standIn *url.URL) http.RoundTripper {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 3 * time.Second},
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if standIn == nil {
		return t
	}
	return &mover{t, standIn.Scheme, standIn.Host}
}

// isGoogle reports whether a host is one of Google's. The issuer of an app's users may be anywhere.
func isGoogle(host string) bool {
	return strings.HasSuffix(host, ".googleapis.com") || strings.HasSuffix(host, ".google.com")
}

// A mover sends what is meant for Google to another host.
type mover struct {
	base         http.RoundTripper
	scheme, host string
}

func (m *mover) RoundTrip(r *http.Request) (*http.Response, error) {
	if !isGoogle(r.URL.Hostname()) {
		return m.base.RoundTrip(r)
	}
	moved := *r
	u := *r.URL
	u.Scheme, u.Host = m.scheme, m.host
	moved.URL, moved.Host = &u, ""
	return m.base.RoundTrip(&moved)
}
