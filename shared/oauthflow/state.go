package oauthflow

import (
	"encoding/json"
	"time"

	"functions.local/oauth/shared/seal"
)

// stateLifetime is how long a user may take at Google.
const stateLifetime = 10 * time.Minute

const statePurpose = "state"

// A state is all there is of a pending flow. It travels sealed in the state parameter, so that any
// number of flows can be pending in one browser.
type state struct {
	Flow     string    `json:"f"` // used once
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // PKCE [RFC 7636]
	Scopes   []string  `json:"s"` // asked for, besides openid and email
	ReturnTo string    `json:"r"`
	Browser  string    `json:"b"` // hash of the browser's id
	Issued   time.Time `json:"t"`
	// Restarted and Consent keep a flow from going back to Google for the same cause twice.
	Restarted bool `json:"a,omitempty"` // began anew because the browser's id had changed
	Consent   bool `json:"c,omitempty"` // began anew with prompt=consent
	Refused   bool `json:"x,omitempty"` // the Request's
}

func (s *state) seal(keys *seal.Keyset) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return keys.SealString(statePurpose, "", b)
}

// openState returns ErrState for everything but a state that was sealed within stateLifetime.
func openState(keys *seal.Keyset, sealed string, now time.Time) (*state, error) {
	var s state
	b, err := keys.OpenString(statePurpose, "", sealed)
	if err != nil || json.Unmarshal(b, &s) != nil || s.Flow == "" || s.Nonce == "" || s.Verifier == "" || s.Browser == "" {
		return nil, ErrState
	}
	if age := now.Sub(s.Issued); age < -time.Minute || age > stateLifetime {
		return nil, ErrState
	}
	return &s, nil
}
