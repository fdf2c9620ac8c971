package oauthflow

import (
	"encoding/json"
	"fmt"
	"time"

	"functions.local/oauth/shared/seal"
)

const (
	// stateLifetime is how long a user may take at Google.
	stateLifetime = 10 * time.Minute
	// stateMemory is how long a state that came too late still tells what the user wanted.
	stateMemory = 24 * time.Hour

	statePurpose = "state"
)

// A state is all there is of a pending flow. It travels sealed in the state parameter, so that any
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
	// What the Request said, which an attempt that begins anew says again.
	SelectAccount bool `json:"p,omitempty"`
	IdentityOnly  bool `json:"i,omitempty"`
	Apart         bool `json:"k,omitempty"` // Scopes are kept apart
	// Exact has the token cover Scopes and Held and nothing that was granted besides: a permission that is kept
	// apart was given, and would come along.
	Exact bool     `json:"e,omitempty"`
	Held  []string `json:"h,omitempty"` // what the grant holds, named so that the token covers it
	// Restarted and Consent keep a flow from going back to Google more than once each.
	Restarted bool `json:"a,omitempty"` // begun anew, for whatever cause
	Consent   bool `json:"c,omitempty"` // begun anew, or at once, with prompt=consent
}

func (s *state) seal(keys *seal.Keyset) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return keys.SealString(statePurpose, "", b)
}

// openState returns ErrState for everything but a state that was sealed within stateMemory. Whether it is
// still within stateLifetime, late says.
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

func (s *state) late(now time.Time) bool { return now.Sub(s.Issued) > stateLifetime }
