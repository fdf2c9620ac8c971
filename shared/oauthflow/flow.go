// Package oauthflow runs Google's authorization-code flow: begin, finish, refresh, revoke.
package oauthflow

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// Google's endpoints [Google: OAuth 2.0 for web server applications; OpenID Connect].
const (
	Issuer = "https://accounts.google.com"

	authURL   = "https://accounts.google.com/o/oauth2/v2/auth"
	tokenURL  = "https://oauth2.googleapis.com/token"
	revokeURL = "https://oauth2.googleapis.com/revoke"
	keysURL   = "https://www.googleapis.com/oauth2/v3/certs"
)

// timeout bounds one call to Google's authorization server.
const timeout = 10 * time.Second

// Config is what New needs.
type Config struct {
	ClientID     string
	ClientSecret seal.Secret
	RedirectURI  string
	Keys         *seal.Keyset
	Store        tokenstore.Store
	Transport    http.RoundTripper
	AuthIssuer   string   // of the ID tokens of an app's own users, or ""
	AuthAudience string   // of those tokens
	GoogleBase   *url.URL // scheme and host of the consent page, where not Google's
	Now          func() time.Time
	// Audit is told what happened to a grant: the event, the subject and further pairs for a log line.
	Audit func(ctx context.Context, event, subject string, pairs ...any)
}

// A Flow runs the flow for one OAuth client. It is safe for concurrent use.
type Flow struct {
	Config
	oauth     oauth2.Config
	client    *http.Client
	keys      *issuerKeys // Google's
	appKeys   *issuerKeys // AuthIssuer's, where that is not Google
	refreshes refreshes
}

// New makes a Flow. It does no I/O.
func New(c Config) *Flow {
	auth := authURL
	if c.GoogleBase != nil {
		u, _ := url.Parse(authURL)
		u.Scheme, u.Host = c.GoogleBase.Scheme, c.GoogleBase.Host
		auth = u.String()
	}
	client := &http.Client{Transport: wholeBody{c.Transport}, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return &Flow{
		Config:  c,
		client:  client,
		keys:    &issuerKeys{issuer: Issuer, url: keysURL, client: client, now: c.Now},
		appKeys: &issuerKeys{issuer: c.AuthIssuer, client: client, now: c.Now},
		oauth: oauth2.Config{
			ClientID: c.ClientID, ClientSecret: string(c.ClientSecret), RedirectURL: c.RedirectURI,
			Endpoint: oauth2.Endpoint{AuthURL: auth, TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInParams},
		},
	}
}
