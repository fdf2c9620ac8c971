package fakegoogle

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// eventTypes holds the types of security events that Google sends: the last part of the name, and what stands before it
// [Google: Cross-Account Protection, supported event types].
var eventTypes = map[string]string{
	"sessions-revoked":                   "https://schemas.openid.net/secevent/risc/event-type/",
	"account-disabled":                   "https://schemas.openid.net/secevent/risc/event-type/",
	"account-enabled":                    "https://schemas.openid.net/secevent/risc/event-type/",
	"account-purged":                     "https://schemas.openid.net/secevent/risc/event-type/",
	"account-credential-change-required": "https://schemas.openid.net/secevent/risc/event-type/",
	"verification":                       "https://schemas.openid.net/secevent/risc/event-type/",
	"tokens-revoked":                     "https://schemas.openid.net/secevent/oauth/event-type/",
}

// SecurityEvent returns a signed security event token about the user with that subject or email [RFC 8417].
// kind is the last part of the event type's name, such as "sessions-revoked". reason is "", "hijacking" or
// "bulk-account"; for the kind "verification" it is the state. The token is for every registered client and does not
// expire. edit, unless it is nil, changes the claims; a claim that it sets to nil is left out. SecurityEvent panics for
// an unknown kind.
func (s *Server) SecurityEvent(user, kind, reason string, edit func(claims map[string]any)) string {
	prefix, ok := eventTypes[kind]
	if !ok {
		panic("fakegoogle: no security event " + kind)
	}
	const eventIssuer = issuer + "/" // with the closing slash, unlike an ID token's
	s.mu.Lock()
	if who := s.account(user); who != nil {
		user = who.Subject
	}
	clients := slices.Sorted(maps.Keys(s.clients))
	s.mu.Unlock()
	event := map[string]any{"subject": map[string]any{"subject_type": "iss-sub", "iss": eventIssuer, "sub": user}}
	switch {
	case kind == "verification":
		event = map[string]any{"state": reason}
	case reason != "":
		event["reason"] = reason
	}
	claims := map[string]any{
		"iss": eventIssuer, "iat": s.now().Unix(), "jti": randomText(), "events": map[string]any{prefix + kind: event},
	}
	if claims["aud"] = clients; len(clients) == 1 {
		claims["aud"] = clients[0]
	}
	if edit != nil {
		edit(claims)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return s.keys.current().sign("secevent+jwt", claims)
}

// SendSecurityEvent posts a security event token to the URL to, as Google does, and returns the HTTP status of the
// answer: 202 if the token was accepted [RFC 8935 §2].
func SendSecurityEvent(ctx context.Context, to, token string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(token))
	if err != nil {
		return 0, fmt.Errorf("fakegoogle: security event: %w", err)
	}
	req.Header.Set("Content-Type", "application/secevent+jwt")
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("fakegoogle: security event: %w", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, nil
}
