package fakegoogle

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Decision is what the user does at Google. The zero Decision picks the account of login_hint, or else the first one,
// and continues with every box ticked.
type Decision struct {
	User   string   // the account to pick, by subject or email
	Deny   bool     // press Cancel
	Error  string   // the error with which Google sends the browser back, such as admin_policy_enforced
	Untick []string // scopes whose box the user unticks
}

// codeLifetime is how long an authorization code can be exchanged.
const codeLifetime = 10 * time.Minute

// An authCode is an authorization code that was issued.
type authCode struct {
	grantKey
	redirectURI string
	challenge   string
	nonce       string
	scopes      []string
	include     bool // include_granted_scopes: the refresh token covers the whole grant
	refresh     bool // a refresh token comes with it
	expires     time.Time
	used        bool
	device      bool // from a mobile SDK
}

// Authorize acts as a user at the consent page: it checks the consent URL as strictly as the page does, and returns the
// URL to which Google would send the browser. It returns an error where Google would show an error page, and where d
// does something for which Google would show no button or box.
func (s *Server) Authorize(consentURL string, d Decision) (redirect string, err error) {
	u, err := url.Parse(consentURL)
	if err != nil {
		return "", fmt.Errorf("fakegoogle: consent URL: %w", err)
	}
	if !slices.Contains(consentPaths, strings.TrimPrefix(u.Path, s.prefix())) {
		return "", fmt.Errorf("fakegoogle: %q is not the path of the consent page", u.Path)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", fmt.Errorf("fakegoogle: consent URL: %w", err)
	}
	req, answer, err := s.decide(q, d, false)
	if err != nil {
		return "", err
	}
	if req.origin != "" {
		return "", errors.New("fakegoogle: a popup has no redirect; use PopupCode")
	}
	return req.location(answer), nil
}

// PopupCode acts as a user in the popup of Google Identity Services that a page of that origin opened, and returns the
// code that the page would get. Its redirect URI is "postmessage". There is no PKCE, access is always offline, and
// granted scopes are included.
func (s *Server) PopupCode(clientID, origin, scope string, d Decision) (code string, err error) {
	_, answer, err := s.decide(url.Values{
		"client_id":              {clientID},
		"redirect_uri":           {popupRedirect},
		"origin":                 {origin},
		"response_type":          {"code"},
		"scope":                  {scope},
		"access_type":            {"offline"},
		"include_granted_scopes": {"true"},
	}, d, false)
	if err != nil {
		return "", err
	}
	if e := answer.Get("error"); e != "" {
		return "", fmt.Errorf("fakegoogle: the popup answered %s", e)
	}
	return answer.Get("code"), nil
}

// DeviceCode acts as the user of a mobile app, and returns the server auth code that Google's sign-in SDK gives the app
// for the back end with that client ID. Such a code is exchanged with an empty redirect_uri. Access is always offline,
// and granted scopes are included.
func (s *Server) DeviceCode(clientID, scope string, d Decision) (code string, err error) {
	_, answer, err := s.decide(url.Values{
		"client_id":              {clientID},
		"response_type":          {"code"},
		"scope":                  {scope},
		"access_type":            {"offline"},
		"include_granted_scopes": {"true"},
	}, d, true)
	if err != nil {
		return "", err
	}
	if e := answer.Get("error"); e != "" {
		return "", fmt.Errorf("fakegoogle: the device answered %s", e)
	}
	return answer.Get("code"), nil
}

// decide answers an authorization request as if the user did what d says.
func (s *Server) decide(q url.Values, d Decision, device bool) (*consentRequest, url.Values, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	req, err := s.parseConsentRequest(q, device)
	if err != nil {
		return nil, nil, fmt.Errorf("fakegoogle: %w", err)
	}
	who := s.account(d.User)
	if d.User == "" {
		who = s.account(req.hint)
		if who == nil && len(s.users) > 0 {
			who = s.users[0]
		}
	}
	if who == nil {
		return nil, nil, fmt.Errorf("fakegoogle: no account %q", d.User)
	}
	if d.Error != "" {
		return req, req.failed(d.Error), nil
	}
	if req.prompts("none") {
		if s.needsPage(req, who) {
			return req, req.failed("interaction_required"), nil
		}
		return req, s.allow(req, who, nil, false), nil
	}
	page := s.needsPage(req, who)
	boxes := s.boxes(req, who)
	if d.Deny {
		if !page {
			return nil, nil, errors.New("fakegoogle: nothing to deny: all was granted before, so Google shows no page")
		}
		return req, req.failed("access_denied"), nil
	}
	for _, sc := range d.Untick {
		if !slices.Contains(boxes, sc) {
			return nil, nil, fmt.Errorf("fakegoogle: the consent page has no box for %q", sc)
		}
	}
	return req, s.allow(req, who, minus(boxes, d.Untick), page), nil
}

// needsPage reports whether Google shows the account a consent page, and does not send the browser straight back.
func (s *Server) needsPage(req *consentRequest, who *account) bool {
	return req.prompts("consent") || len(minus(req.scopes, s.granted(req.client.ID, who.Subject))) > 0
}

// boxes returns the requested scopes that the user can untick.
func (s *Server) boxes(req *consentRequest, who *account) []string {
	var out []string
	for _, sc := range minus(req.scopes, s.granted(req.client.ID, who.Subject)) {
		if !isIdentity(sc) {
			out = append(out, sc)
		}
	}
	return out
}

// allow records that the user continued with these boxes ticked, and returns the answer with the code. If no scope is
// left, the answer is access_denied. Callers hold s.mu.
func (s *Server) allow(req *consentRequest, who *account, ticked []string, page bool) url.Values {
	unticked := minus(s.boxes(req, who), ticked)
	now := minus(req.scopes, unticked)
	if len(now) == 0 {
		return req.failed("access_denied")
	}
	key := grantKey{req.client.ID, who.Subject}
	g, first := s.grants[key], false
	if g == nil {
		g, first = &grant{}, true
		s.grants[key] = g
	}
	g.scopes = union(g.scopes, now)
	scopes := now
	if req.include {
		scopes = union(now, g.scopes)
	}
	code := "4/0" + randomText()
	s.codes[code] = &authCode{
		grantKey:    key,
		redirectURI: req.redirectURI,
		challenge:   req.challenge,
		nonce:       req.nonce,
		scopes:      scopes,
		include:     req.include,
		device:      req.device,
		refresh:     req.offline && (first || req.prompts("consent")),
		expires:     s.now().Add(codeLifetime),
	}
	prompt := "none"
	if page {
		prompt = "consent"
	}
	return req.answer(url.Values{
		"code":     {code},
		"scope":    {joinScopes(scopes)},
		"authuser": {"0"},
		"prompt":   {prompt},
	})
}

// failed returns the answer with an error.
func (req *consentRequest) failed(code string) url.Values {
	return req.answer(url.Values{"error": {code}})
}
