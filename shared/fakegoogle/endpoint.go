package fakegoogle

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// An endpoint is a method of a Google API.
type endpoint struct {
	service, method string
	scopes          []string // any one of them is enough [the API's reference]; nil: scopes are not checked
	fields          string   // what is returned when the request names no fields; "": all
}

// A call is an authorized request to an endpoint.
type call struct {
	r      *http.Request
	who    *account // guarded by Server.mu
	client string
	scopes []string
}

// has reports whether the token of the call has the scope, given without its common prefix.
func (c *call) has(scope string) bool { return slices.Contains(c.scopes, scopePrefix+scope) }

// api returns the handler of an endpoint: it checks the access token and its scopes, lets h do the work, and answers
// the fields of h's result that the request names.
func (s *Server) api(ep endpoint, h func(*call) (map[string]any, *apiError)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, fault := s.authorizeCall(ep, r)
		if fault != nil {
			writeAPIError(w, fault)
			return
		}
		q := r.URL.Query()
		if alt := q.Get("alt"); alt != "" && alt != "json" {
			writeAPIError(w, apiErrorf(http.StatusBadRequest, "invalidAltValue", "Only alt=json is served here.").at("parameter", "alt"))
			return
		}
		fields := q.Get("fields")
		if fields == "" {
			fields = ep.fields
		}
		selection, err := parseFields(fields)
		if err != nil {
			writeAPIError(w, apiErrorf(http.StatusBadRequest, "invalidParameter", "Invalid field selection %s", fields).at("parameter", "fields"))
			return
		}
		body, fault := h(c)
		if fault != nil {
			writeAPIError(w, fault)
			return
		}
		writeAPIJSON(w, http.StatusOK, selection.of(body))
	}
}

// authorizeCall checks a request's access token and returns whose it is [RFC 6750].
func (s *Server) authorizeCall(ep endpoint, r *http.Request) (*call, *apiError) {
	const realm = `Bearer realm="https://accounts.google.com/"`
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, &apiError{
			status: http.StatusUnauthorized, reason: "required", location: "Authorization", locationType: "header",
			message:   "Request is missing required authentication credential. Expected OAuth 2 access token.",
			info:      &errorInfo{"CREDENTIALS_MISSING", ep.service, ep.method},
			challenge: realm,
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.access[token]
	var who *account
	if t != nil && s.now().Before(t.expires) {
		who = s.account(t.sub)
	}
	if who == nil {
		return nil, &apiError{
			status: http.StatusUnauthorized, reason: "authError", location: "Authorization", locationType: "header",
			message:   "Request had invalid authentication credentials. Expected OAuth 2 access token.",
			info:      &errorInfo{"ACCESS_TOKEN_EXPIRED", ep.service, ep.method},
			challenge: realm + `, error="invalid_token"`,
		}
	}
	if ep.scopes != nil && !slices.ContainsFunc(ep.scopes, func(sc string) bool { return slices.Contains(t.scopes, sc) }) {
		return nil, insufficientScope(ep)
	}
	return &call{r: r, who: who, client: t.client, scopes: slices.Clone(t.scopes)}, nil
}

func insufficientScope(ep endpoint) *apiError {
	return &apiError{
		status: http.StatusForbidden, reason: "insufficientPermissions",
		message:   "Request had insufficient authentication scopes.",
		info:      &errorInfo{"ACCESS_TOKEN_SCOPE_INSUFFICIENT", ep.service, ep.method},
		challenge: `Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="` + joinScopes(ep.scopes) + `"`,
	}
}

// readJSON decodes a body of at most 1 MiB that holds one JSON object and nothing after it.
func readJSON(r io.Reader, v any) *apiError {
	dec := json.NewDecoder(io.LimitReader(r, 1<<20))
	if err := dec.Decode(v); err != nil {
		return apiErrorf(http.StatusBadRequest, "parseError", "Parse Error")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return apiErrorf(http.StatusBadRequest, "parseError", "Parse Error")
	}
	return nil
}

// scopesOf returns scopes in full, of which names may leave out the common prefix.
func scopesOf(names ...string) []string {
	for i, n := range names {
		if !strings.HasPrefix(n, "https://") {
			names[i] = scopePrefix + n
		}
	}
	return names
}
