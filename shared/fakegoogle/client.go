package fakegoogle

import (
	"encoding/json"
	"slices"
)

// A Client is an OAuth client of the type "Web application".
type Client struct {
	ID, Secret   string
	RedirectURIs []string // compared as whole strings
	Origins      []string // JavaScript origins: pages of them may open the popup, and show One Tap
}

// popupRedirect is the redirect URI of a code that goes to the page that opened the popup
// [Google: using the code model].
const popupRedirect = "postmessage"

// AddClient registers c. It replaces a client with the same ID.
func (s *Server) AddClient(c Client) {
	c.RedirectURIs, c.Origins = slices.Clone(c.RedirectURIs), slices.Clone(c.Origins)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c.ID] = c
}

// JSON returns the content of the client_secret.json that the Google Cloud console would offer for c.
func (c Client) JSON() string {
	type web struct {
		ClientID          string   `json:"client_id"`
		ProjectID         string   `json:"project_id"`
		AuthURI           string   `json:"auth_uri"`
		TokenURI          string   `json:"token_uri"`
		CertURL           string   `json:"auth_provider_x509_cert_url"`
		ClientSecret      string   `json:"client_secret"`
		RedirectURIs      []string `json:"redirect_uris,omitempty"`
		JavascriptOrigins []string `json:"javascript_origins,omitempty"`
	}
	body, err := json.Marshal(map[string]web{"web": {
		ClientID:          c.ID,
		ProjectID:         "fakegoogle",
		AuthURI:           "https://accounts.google.com/o/oauth2/auth",
		TokenURI:          "https://oauth2.googleapis.com/token",
		CertURL:           "https://www.googleapis.com/oauth2/v1/certs",
		ClientSecret:      c.Secret,
		RedirectURIs:      c.RedirectURIs,
		JavascriptOrigins: c.Origins,
	}})
	if err != nil {
		panic(err) // strings only: cannot fail
	}
	return string(body)
}
