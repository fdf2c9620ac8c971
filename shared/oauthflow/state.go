package oauthflow

import (
	"encoding/json"
	"fmt"
	"time"

	"functions.local/oauth/shared/seal"
)

const (
	// stateLifetime is how long a user may take at Google before the flow has to begin anew.
	stateLifetime = 10 * time.Minute
	// stateMemory is how long a state that comes too late can still be opened, to see what the user wanted.
	stateMemory = 24 * time.Hour

	statePurpose = "state"
)

// A state is all that is known of a pending flow. It travels sealed in the parameter state, so that any
// number of flows can be pending in one browser.
type state struct {
	Flow     string    `json:"f"` // used once
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // PKCE [RFC 7636]
	Scopes   []string  `json:"s"` // asked for, besides openid and email
	ReturnTo string    `json:"r"`
	Browser  string    `json:"b,omitempty"` // hash of the browser's id; or else
	Owner    string    `json:"o,omitempty"` // hash of the owner, an app's user
	Issued   time.Time `json:"t"`           // of this attempt
	// What the Request said, for an attempt that begins anew.
	SelectAccount bool `json:"p,omitempty"`
	IdentityOnly  bool `json:"i,omitempty"`
	Apart         bool `json:"k,omitempty"` // Scopes are kept apart
	// Exact says that the token is to cover Scopes and Held, and not all that was granted: a permission that is kept
	// apart would be included.
	Exact bool     `json:"e,omitempty"`
	Held  []string `json:"h,omitempty"` // what the grant holds, named so that the token covers it
	// Restarted and Consent let a flow go back to Google once each, and not again and again.
	Restarted bool `json:"a,omitempty"` // begun anew, for whatever cause
	Consent   bool `json:"c,omitempty"` // begun anew, or at once, with prompt=consent
}

// seal returns the value of the parameter state.
func (s *state) seal(keys *seal.Keyset) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return keys.SealString(statePurpose, "", b)
}

// openState opens a state that was sealed within stateMemory. It returns ErrState for anything else. late reports
// whether the state is older than stateLifetime.
func openState(keys *seal.Keyset, sealed string, now time.Time) (*state, error) {
	var s state
	b, err := keys.OpenString(statePurpose, "", sealed)
	if err != nil || json.Unmarshal(b, &s) != nil || s.Flow == "" || s.Nonce == "" || s.Verifier == "" || (s.Browser == "") == (s.Owner == "") {
		return nil, fmt.Errorf("%w: forged", ErrState)
	}
	if age := now.Sub(s.Issued); age < -time.Minute || age > stateMemory {
		return nil, fmt.Errorf("%w: late", ErrState)
	}
	return &s, nil
}

// late reports whether the flow has to begin anew.
func (s *state) late(now time.Time) bool { return now.Sub(s.Issued) > stateLifetime }
