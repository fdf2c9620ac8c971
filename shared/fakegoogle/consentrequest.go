package fakegoogle

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// consentPaths are the path of the consent endpoint and its older one, which client_secret.json still names.
var consentPaths = []string{"/o/oauth2/v2/auth", "/o/oauth2/auth"}

// A consentRequest is an authorization request that has passed every check.
type consentRequest struct {
	client      Client
	redirectURI string
	origin      string // of the popup's opener; empty in the redirect flow
	scopes      []string
	state       string
	hasState    bool
	challenge   string // PKCE S256; empty without PKCE
	nonce       string
	hint        string // login_hint
	prompt      []string
	offline     bool
	include     bool // include_granted_scopes
	device      bool // from a mobile SDK, which has no redirect URI
}

// A pageError is a fault that Google shows on a page of its own. It does not send the browser back, since the redirect
// URI may be anybody's.
type pageError struct {
	code   string // as RFC 6749 or Google names it
	detail string
}

func (e *pageError) Error() string { return "Error 400: " + e.code + ": " + e.detail }

// singleValued are the parameters of the consent URL that Google knows and accepts once.
var singleValued = []string{
	"client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method",
	"nonce", "login_hint", "prompt", "access_type", "include_granted_scopes", "origin", "hd", "hl", "display",
	"enable_granular_consent", "response_mode", "ux_mode", "select_account",
}

// notHere are parameters of other endpoints. Some are secrets, which must not stand in a URL.
var notHere = []string{"client_secret", "code", "code_verifier", "grant_type", "refresh_token", "access_token", "token"}

// parseConsentRequest checks q as strictly as Google does. A device sends no redirect URI. The error is a
// *pageError. Callers hold s.mu.
func (s *Server) parseConsentRequest(q url.Values, device bool) (*consentRequest, error) {
	refuse := func(code, format string, args ...any) (*consentRequest, error) {
		return nil, &pageError{code, fmt.Sprintf(format, args...)}
	}
	for _, name := range singleValued {
		if len(q[name]) > 1 {
			return refuse("invalid_request", "OAuth 2 parameters can only have a single value: %s", name)
		}
	}
	for _, name := range notHere {
		if q.Has(name) {
			return refuse("invalid_request", "Parameter not allowed for this message type: %s", name)
		}
	}
	if q.Get("client_id") == "" {
		return refuse("invalid_request", "Missing required parameter: client_id")
	}
	client, ok := s.clients[q.Get("client_id")]
	if !ok {
		return refuse("invalid_client", "The OAuth client was not found.")
	}
	req := &consentRequest{
		client:      client,
		redirectURI: q.Get("redirect_uri"),
		scopes:      normalizeScopes(q.Get("scope")),
		state:       q.Get("state"),
		hasState:    q.Has("state"),
		challenge:   q.Get("code_challenge"),
		nonce:       q.Get("nonce"),
		hint:        q.Get("login_hint"),
		prompt:      strings.Fields(q.Get("prompt")),
		device:      device,
	}
	switch {
	case device:
	case req.redirectURI == "":
		return refuse("invalid_request", "Missing required parameter: redirect_uri")
	case req.redirectURI == popupRedirect:
		req.origin = q.Get("origin")
		if !slices.Contains(client.Origins, req.origin) {
			return refuse("origin_mismatch", "The JavaScript origin %q is not registered for this client.", req.origin)
		}
	case !slices.Contains(client.RedirectURIs, req.redirectURI):
		return refuse("redirect_uri_mismatch", "The redirect URI %q is not registered for this client.", req.redirectURI)
	}
	switch q.Get("response_type") {
	case "code":
	case "":
		return refuse("invalid_request", "Missing required parameter: response_type")
	default:
		return refuse("unsupported_response_type", "Only response_type=code is served here.")
	}
	if len(req.scopes) == 0 {
		return refuse("invalid_request", "Missing required parameter: scope")
	}
	for _, sc := range req.scopes {
		if !validScope(sc) {
			return refuse("invalid_scope", "Some requested scopes were invalid: %s", sc)
		}
	}
	if err := req.checkPKCE(q); err != nil {
		return nil, err
	}
	switch q.Get("access_type") {
	case "offline":
		req.offline = true
	case "", "online":
	default:
		return refuse("invalid_request", "Invalid parameter value for access_type: %s", q.Get("access_type"))
	}
	switch q.Get("include_granted_scopes") {
	case "true":
		req.include = true
	case "", "false":
	default:
		return refuse("invalid_request", "Invalid parameter value for include_granted_scopes: %s", q.Get("include_granted_scopes"))
	}
	for _, p := range req.prompt {
		if p != "none" && p != "consent" && p != "select_account" {
			return refuse("invalid_request", "Invalid parameter value for prompt: %s", p)
		}
		if p == "none" && len(req.prompt) > 1 {
			return refuse("invalid_request", "prompt=none does not go with another prompt")
		}
	}
	return req, nil
}

// checkPKCE accepts no challenge or a well-formed S256 one [RFC 7636 §4.2].
func (req *consentRequest) checkPKCE(q url.Values) error {
	method := q.Get("code_challenge_method")
	if req.challenge == "" {
		if q.Has("code_challenge") || method != "" {
			return &pageError{"invalid_request", "code_challenge_method without code_challenge"}
		}
		return nil
	}
	if method != "S256" {
		return &pageError{"invalid_request", "code_challenge_method must be S256; without one it means plain, which is refused here"}
	}
	if sum, err := base64.RawURLEncoding.DecodeString(req.challenge); err != nil || len(sum) != 32 {
		return &pageError{"invalid_request", "code_challenge is not the base64url form of a SHA-256 sum"}
	}
	return nil
}

func (req *consentRequest) prompts(p string) bool { return slices.Contains(req.prompt, p) }

// answer adds to q what every answer to the client holds.
func (req *consentRequest) answer(q url.Values) url.Values {
	if req.hasState {
		q.Set("state", req.state)
	}
	q.Set("iss", issuer)
	return q
}

// location returns the redirect URI with q added to its query.
func (req *consentRequest) location(q url.Values) string {
	u, err := url.Parse(req.redirectURI)
	if err != nil {
		return req.redirectURI + "?" + q.Encode() // the client was registered with it
	}
	all := u.Query()
	for k, v := range q {
		all[k] = v
	}
	u.RawQuery = all.Encode()
	return u.String()
}
