package fakegoogle

import (
	"net/http"
	"net/url"
	"strings"
)

// UserClient returns an authorized client such as a function gets. It acts for the user with that subject or email, with
// an access token for the scopes, and sends every request to baseURL, whatever host the request names. It renews no
// token and repeats no request. UserClient panics if there is no such user.
func (s *Server) UserClient(baseURL, user string, scopes ...string) *http.Client {
	base, err := url.Parse(baseURL)
	if err != nil {
		panic("fakegoogle: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.account(user)
	if who == nil {
		panic("fakegoogle: no account " + user)
	}
	return &http.Client{Transport: &userTransport{
		// net/http repeats a request by itself when a connection that it reuses is cut.
		next:  &http.Transport{DisableKeepAlives: true},
		base:  base,
		token: s.newAccessToken(grantKey{"user-client", who.Subject}, scopes),
	}}
}

type userTransport struct {
	next  http.RoundTripper
	base  *url.URL
	token string
}

func (t *userTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = t.base.Scheme, t.base.Host, ""
	if prefix := strings.TrimSuffix(t.base.Path, "/"); prefix != "" {
		r.URL.Path, r.URL.RawPath = prefix+r.URL.Path, ""
	}
	r.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(r)
}
