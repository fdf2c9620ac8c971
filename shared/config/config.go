// Package config turns the environment into one checked Config, or into a list of all that is wrong with it.
package config

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"functions.local/oauth/shared/seal"
)

// A Config is what the functions need to know of their surroundings.
type Config struct {
	BaseURL            string // public origin and optional path, as browsers spell it, without a trailing slash
	ClientID           string
	ClientSecret       seal.Secret
	ClientRedirectURIs []string // those that the client's file names, if any
	Keyset             *seal.Keyset
	Scopes             []string // what oauth2init asks for besides openid and email
	Memory             bool     // keep grants in memory instead of Firestore
	Project            string   // of Google Cloud
	Database           string   // of Firestore; "(default)" unless named
	Emulator           string   // host:port of a Firestore emulator, or ""
	Prefix             string   // of every collection's name
	Cookie             string   // its name
	SchedulerAccounts  []string // the service accounts that may start jobs
	TaskQueue          string   // projects/P/locations/L/queues/Q of Cloud Tasks, or ""
	AuthIssuer         string   // OpenID Connect issuer of an app's own users, as it spells itself, or ""
	AuthAudience       string   // aud of that issuer's tokens
	FrontEnds          []string // pages of the operator's own front ends: exact URLs as browsers spell them
	Domains            []string // Google Workspace domains whose accounts may sign in, in lower case; none: all accounts
	GoogleBaseURL      *url.URL // a stand-in for Google, or nil
	Deployed           bool     // running on Cloud Run
}

// RedirectURI returns the URL to which Google sends the browser back.
func (c *Config) RedirectURI() string { return c.BaseURL + "/oauth2callback" }

// Secure reports whether browsers reach the functions by https.
func (c *Config) Secure() bool { return strings.HasPrefix(c.BaseURL, "https://") }

// A Fault is one thing that is wrong with the environment.
type Fault struct {
	Name string // of the variable
	Text string // what is wrong and how to mend it; never the value of a secret
}

// Faults is every fault of an environment.
type Faults []Fault

// Error returns a line for each fault.
func (f Faults) Error() string {
	var b strings.Builder
	b.WriteString("bad configuration:")
	for _, fault := range f {
		b.WriteString("\n  " + fault.Name + " " + fault.Text)
	}
	return b.String()
}

// defaultScopes is what oauth2init asks for where OAUTH_SCOPES is not set.
const defaultScopes = "https://www.googleapis.com/auth/gmail.labels"

// Parse reads the configuration through getenv. Where anything is wrong, the error is Faults, which name all of it at
// once; the Config then has the fields that could be read, and is never nil.
func Parse(getenv func(string) string) (*Config, error) {
	c := &Config{Deployed: getenv("K_SERVICE") != ""}
	p := parser{getenv: getenv, deployed: c.Deployed}
	c.BaseURL = p.baseURL()
	c.ClientID, c.ClientSecret, c.ClientRedirectURIs = p.client()
	c.Keyset = p.keyset()
	c.Scopes = p.scopes()
	c.Memory = p.memory()
	c.Emulator = p.emulator()
	c.Project = getenv("GOOGLE_CLOUD_PROJECT")
	if c.Project == "" && !c.Memory {
		p.fault("GOOGLE_CLOUD_PROJECT", "is not set: set it to the id of the project whose Firestore keeps the grants")
	}
	if c.Database = getenv("FIRESTORE_DATABASE"); c.Database == "" {
		c.Database = "(default)"
	}
	for name, v := range map[string]string{"GOOGLE_CLOUD_PROJECT": c.Project, "FIRESTORE_DATABASE": c.Database} {
		if strings.ContainsAny(v, "/ \t\r\n") {
			p.fault(name, "holds a slash or a space, which no id has")
		}
	}
	c.Prefix = p.prefix()
	c.Cookie = p.cookie(c)
	c.SchedulerAccounts = p.schedulerAccounts()
	c.TaskQueue = p.taskQueue()
	c.AuthIssuer = p.authIssuer()
	c.AuthAudience = p.authAudience(c)
	c.FrontEnds = p.frontEnds()
	c.Domains = p.domains()
	c.GoogleBaseURL = p.googleBaseURL()
	if len(p.faults) > 0 {
		return c, p.faults
	}
	return c, nil
}

// A parser reads the environment and collects its faults.
type parser struct {
	getenv   func(string) string
	deployed bool
	faults   Faults
}

func (p *parser) fault(name, text string) { p.faults = append(p.faults, Fault{name, text}) }

// isNoScopeCharacter reports whether a scope cannot hold the character [RFC 6749 §3.3].
func isNoScopeCharacter(r rune) bool { return r < '!' || r == '"' || r == '\\' || r > '~' }

func (p *parser) scopes() []string {
	const name = "OAUTH_SCOPES"
	v := p.getenv(name)
	if v == "" {
		v = defaultScopes
	}
	scopes := strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
	for _, s := range scopes {
		if strings.ContainsFunc(s, isNoScopeCharacter) {
			p.fault(name, "holds a character that no scope has: list scopes with spaces between them")
			return nil
		}
	}
	return slices.DeleteFunc(scopes, func(s string) bool { return s == "openid" || s == "email" })
}

func (p *parser) memory() bool {
	const name = "TOKEN_STORE"
	switch p.getenv(name) {
	case "", "firestore":
		return false
	case "memory":
		if p.deployed {
			p.fault(name, "is memory, which would lose every grant with the instance: use firestore")
		}
		return true
	}
	p.fault(name, "is neither firestore nor memory")
	return false
}

func (p *parser) prefix() string {
	const name = "COLLECTION_PREFIX"
	v := p.getenv(name)
	if strings.ContainsAny(v, "/") || strings.HasPrefix(v, "__") || len(v) > 100 {
		p.fault(name, "must not hold a slash, begin with __ or be longer than 100 bytes")
	}
	return v
}

func (p *parser) emulator() string {
	const name = "FIRESTORE_EMULATOR_HOST"
	v := p.getenv(name)
	if v == "" {
		return ""
	}
	switch host, _, err := net.SplitHostPort(v); {
	case err != nil || strings.Contains(v, "/"):
		p.fault(name, "is not of the form host:port")
	case p.deployed && !isLoopback(host):
		p.fault(name, "sends every grant to another machine, unencrypted: remove it from a deployed function")
	}
	return v
}
