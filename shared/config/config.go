// Package config turns the environment into one checked Config.
package config

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"functions.local/oauth/shared/seal"
)

// A Config is what the functions need to know of their surroundings.
type Config struct {
	BaseURL          string // public origin and optional path prefix, without a trailing slash
	ClientID         string
	ClientSecret     seal.Secret
	Keyset           *seal.Keyset
	Scopes           []string // what oauth2init asks for besides openid and email
	Memory           bool     // keep grants in memory instead of Firestore
	Project          string
	Database         string // "(default)" unless named
	Emulator         string // host:port of a Firestore emulator, or ""
	Prefix           string // of every collection's name
	Cookie           string
	SchedulerAccount string   // the service account that may start jobs, or ""
	GoogleBaseURL    *url.URL // a stand-in for Google, or nil
	Deployed         bool     // running on Cloud Run
}

// RedirectURI is where Google sends the browser back to.
func (c *Config) RedirectURI() string { return c.BaseURL + "/oauth2callback" }

// Secure reports whether the public side is https.
func (c *Config) Secure() bool { return strings.HasPrefix(c.BaseURL, "https://") }

// A Fault is one thing that is wrong with the environment.
type Fault struct {
	Name string // of the variable
	Text string // what is wrong and how to mend it; never the value of a secret
}

// Faults is every fault of an environment.
type Faults []Fault

func (f Faults) Error() string {
	var b strings.Builder
	b.WriteString("bad configuration:")
	for _, fault := range f {
		b.WriteString("\n  " + fault.Name + " " + fault.Text)
	}
	return b.String()
}

const defaultScopes = "https://www.googleapis.com/auth/gmail.labels"

// Cookie names. The prefixes bind a cookie to https and to one host [RFC 6265bis §4.1.3]; Firebase
// Hosting forwards no cookie but __session [Firebase: Hosting, manage cache behavior].
const (
	hostCookie     = "__Host-session"
	localCookie    = "session"
	firebaseCookie = "__session"
)

// Parse reads the configuration through getenv. All that is wrong comes back at once as Faults,
// beside a Config with the fields that could be read.
func Parse(getenv func(string) string) (*Config, error) {
	p := parser{getenv: getenv}
	c := &Config{Deployed: getenv("K_SERVICE") != ""}
	c.BaseURL = p.baseURL()
	c.ClientID, c.ClientSecret = p.client()
	c.Keyset = p.keyset()
	c.Scopes = p.scopes()
	c.Memory = p.memory(c.Deployed)
	c.Emulator = getenv("FIRESTORE_EMULATOR_HOST")
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
	if _, _, err := net.SplitHostPort(c.Emulator); c.Emulator != "" && (err != nil || strings.Contains(c.Emulator, "/")) {
		p.fault("FIRESTORE_EMULATOR_HOST", "is not of the form host:port")
	}
	c.Prefix = p.prefix()
	c.Cookie = p.cookie(c)
	c.SchedulerAccount = p.schedulerAccount()
	c.GoogleBaseURL = p.googleBaseURL(c.Deployed)
	if len(p.faults) > 0 {
		return c, p.faults
	}
	return c, nil
}

type parser struct {
	getenv func(string) string
	faults Faults
}

func (p *parser) fault(name, text string) { p.faults = append(p.faults, Fault{name, text}) }

func (p *parser) baseURL() string {
	const name, example = "BASE_URL", "https://REGION-PROJECT.cloudfunctions.net"
	v := p.getenv(name)
	if v == "" {
		p.fault(name, "is not set: set it to the public origin of the functions, such as "+example)
		return ""
	}
	v = strings.TrimSuffix(v, "/")
	u, err := url.Parse(v)
	switch {
	case err != nil || !isHost(u) || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.HasSuffix(v, "/"),
		u.EscapedPath() != "" && u.JoinPath().EscapedPath() != u.EscapedPath(), strings.ContainsAny(v, "#%;\"'<> \\"):
		p.fault(name, "is not an origin with an optional path: it should look like "+example)
		return ""
	case strings.HasPrefix(v, "https://"), strings.HasPrefix(v, "http://") && isLoopback(u.Hostname()):
		return v
	default:
		p.fault(name, "must begin with https:// (http:// serves localhost only): Google redirects to nothing else")
		return ""
	}
}

// isHost reports whether the URL has a host, and a port that can be, where it has one.
func isHost(u *url.URL) bool {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."
	port, err := strconv.Atoi(u.Port())
	return u.Hostname() != "" && (strings.Trim(u.Hostname(), characters) == "" || net.ParseIP(u.Hostname()) != nil) &&
		!strings.HasSuffix(u.Host, ":") && (u.Port() == "" || err == nil && port > 0 && port < 1<<16)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (p *parser) client() (string, seal.Secret) {
	const name = "OAUTH_CLIENT_JSON"
	type client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	var file struct{ Web, Installed *client }
	v := p.getenv(name)
	switch err := json.Unmarshal([]byte(v), &file); {
	case v == "":
		p.fault(name, "is not set: set it to the content of the client_secret.json that the Google Cloud console lets you download")
	case err != nil:
		p.fault(name, "is not JSON: set it to the content of client_secret.json, not to its path")
	case file.Installed != nil:
		p.fault(name, `is a client of the type "installed" (desktop): make one of the type "Web application"`)
	case file.Web == nil || file.Web.ID == "" || file.Web.Secret == "":
		p.fault(name, `has no "web" client with client_id and client_secret: download client_secret.json again`)
	default:
		return file.Web.ID, seal.Secret(file.Web.Secret)
	}
	return "", ""
}

func (p *parser) keyset() *seal.Keyset {
	const name = "TOKEN_KEYSET"
	v := p.getenv(name)
	if v == "" {
		p.fault(name, "is not set: make one with `go run ./deploy/keyset new`")
		return nil
	}
	k, err := seal.Parse(v)
	if err != nil {
		p.fault(name, "does not open ("+err.Error()+"): make one with `go run ./deploy/keyset new`")
	}
	return k
}

// noScopeToken reports whether no scope-token has the character [RFC 6749 §3.3].
func noScopeToken(r rune) bool { return r < '!' || r == '"' || r == '\\' || r > '~' }

func (p *parser) scopes() []string {
	const name = "OAUTH_SCOPES"
	v := p.getenv(name)
	if v == "" {
		v = defaultScopes
	}
	scopes := strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
	for _, s := range scopes {
		if strings.ContainsFunc(s, noScopeToken) {
			p.fault(name, "holds a character that no scope has: list scopes with spaces between them")
			return nil
		}
	}
	return slices.DeleteFunc(scopes, func(s string) bool { return s == "openid" || s == "email" })
}

func (p *parser) memory(deployed bool) bool {
	const name = "TOKEN_STORE"
	switch p.getenv(name) {
	case "", "firestore":
		return false
	case "memory":
		if deployed {
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

func (p *parser) cookie(c *Config) string {
	const name = "SESSION_COOKIE"
	v := p.getenv(name)
	known := c.BaseURL != ""
	switch {
	case v == "" && c.Secure():
		return hostCookie
	case v == "":
		return localCookie
	case v == hostCookie && known && !c.Secure():
		p.fault(name, "is "+hostCookie+", which browsers keep on https only: leave it out on http://localhost")
	case v == localCookie && known && c.Secure():
		p.fault(name, "is "+localCookie+", which is for http://localhost: leave it out on https")
	case v != hostCookie && v != localCookie && v != firebaseCookie:
		p.fault(name, "must be one of "+hostCookie+", "+localCookie+" and "+firebaseCookie)
	}
	return v
}

func (p *parser) schedulerAccount() string {
	const name = "SCHEDULER_ACCOUNT"
	v := p.getenv(name)
	if user, host, ok := strings.Cut(v, "@"); v != "" && (!ok || user == "" || host == "" || strings.ContainsAny(host, "@") || strings.ContainsAny(v, " ,:\t\r\n")) {
		p.fault(name, "is not the email address of a service account")
	}
	return v
}

func (p *parser) googleBaseURL(deployed bool) *url.URL {
	const name = "GOOGLE_BASE_URL"
	v := p.getenv(name)
	if v == "" {
		return nil
	}
	u, err := url.Parse(strings.TrimSuffix(v, "/"))
	switch {
	case deployed:
		p.fault(name, "is set, which sends secrets to a stand-in for Google: remove it from a deployed function")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" || u.RawQuery != "" || u.User != nil:
		p.fault(name, "is not an origin such as http://127.0.0.1:9700")
	default:
		return u
	}
	return nil
}
