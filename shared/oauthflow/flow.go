// Package oauthflow runs Google's authorization-code flow: begin, finish, refresh, revoke.
//
// Begin makes the URL of the consent page, whose sealed state holds all that is known of the flow. Finish takes the
// browser back from Google. For an app's user it only hands code and state on to the app's page, which has them posted
// to Connect. Finish and Connect exchange the code (exchange.go) and record what was granted (record.go). Authorize
// gives access to what a grant permits, and refreshes its token.
package oauthflow

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/googleapis/gax-go/v2"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

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

// Config is what New needs. What may be empty says so.
type Config struct {
	ClientID     string
	ClientSecret seal.Secret
	RedirectURI  string
	Keys         *seal.Keyset
	Store        tokenstore.Store
	Transport    http.RoundTripper // of the calls to Google and to AuthIssuer
	AuthIssuer   string            // of the ID tokens of an app's own users, or ""
	AuthAudience string            // of those tokens
	FrontEnds    []string          // pages of front ends that consent may come back to, exactly
	Domains      []string          // Google Workspace domains whose accounts are let in; none: every account
	// Apart are the scopes that are kept apart, if any: they are asked for alone and online, for a token that lasts an
	// hour. Google may end tokens that reach them early, and would end all else that is in such a token.
	Apart      []string
	GoogleBase *url.URL // scheme and host of the consent page of a stand-in for Google, or nil
	ConsentURL string   // the whole URL of the stand-in's consent page, where browsers reach it at another, or ""
	Now        func() time.Time
	// Audit is told what happened to a grant: the event, the owner and further pairs for a log line.
	Audit func(ctx context.Context, event, owner string, pairs ...any)
	// Warn is told in the same way what went wrong and did not end the work.
	Warn func(ctx context.Context, event, owner string, pairs ...any)
}

// A Flow runs the flow for one OAuth client. It is safe for concurrent use.
type Flow struct {
	config    Config
	authURL   string
	client    *http.Client
	keys      *issuerKeys // Google's
	appKeys   *issuerKeys // AuthIssuer's, where that is not Google
	refreshes refreshes
	posts     singleflight.Group // by what share says
	pause     func(context.Context, time.Duration) error
}

// New makes a Flow. It does no I/O.
func New(c Config) *Flow {
	auth := authURL
	if c.GoogleBase != nil {
		u, _ := url.Parse(authURL)
		u.Scheme, u.Host = c.GoogleBase.Scheme, c.GoogleBase.Host
		auth = u.String()
	}
	auth = cmp.Or(c.ConsentURL, auth)
	client := &http.Client{Transport: wholeBody{c.Transport}, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // what is sent holds secrets
	}}
	return &Flow{
		config:  c,
		client:  client,
		keys:    &issuerKeys{issuer: Issuer, url: keysURL, client: client, now: c.Now},
		appKeys: &issuerKeys{issuer: c.AuthIssuer, client: client, now: c.Now},
		pause:   gax.Sleep,
		authURL: auth,
	}
}

// oauth returns the OAuth client with a redirect URI. Each use has its own: x/oauth2 writes into it when it calls the
// token endpoint.
func (f *Flow) oauth(redirectURI string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: f.config.ClientID, ClientSecret: string(f.config.ClientSecret), RedirectURL: redirectURI,
		Endpoint: oauth2.Endpoint{AuthURL: f.authURL, TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// usable reports whether the grant can yield access tokens to this OAuth client.
func (f *Flow) usable(g *tokenstore.Grant) bool { return g.Usable() && !f.isForeign(g) }

// isForeign reports whether the grant was given to another OAuth client, whose refresh token Google refuses to us.
func (f *Flow) isForeign(g *tokenstore.Grant) bool {
	return g.Client != "" && g.Client != f.config.ClientID
}

// isAllowed reports whether accounts of this Google Workspace domain are let in.
func (f *Flow) isAllowed(domain string) bool {
	return len(f.config.Domains) == 0 || slices.Contains(f.config.Domains, domain)
}
