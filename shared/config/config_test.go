package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"functions.local/oauth/shared/seal"
)

const client = `{"web":{"client_id":"id-1","client_secret":"canary-secret","redirect_uris":["https://x"]}}`

// good is a deployed function's environment, with name, value pairs set over it.
func good(t *testing.T, set ...string) map[string]string {
	t.Helper()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"K_SERVICE": "listlabels", "BASE_URL": "https://functions.example/api", "OAUTH_CLIENT_JSON": client,
		"TOKEN_KEYSET": string(keys.JSON()), "GOOGLE_CLOUD_PROJECT": "project",
	}
	for i := 0; i < len(set); i += 2 {
		env[set[i]] = set[i+1]
	}
	return env
}

func parse(env map[string]string) (*Config, error) {
	return Parse(func(name string) string { return env[name] })
}

func TestGoodConfiguration(t *testing.T) {
	c, err := parse(good(t))
	if err != nil {
		t.Fatal(err)
	}
	if c.RedirectURI() != "https://functions.example/api/oauth2callback" || c.ClientID != "id-1" || string(c.ClientSecret) != "canary-secret" ||
		!slices.Equal(c.Scopes, []string{"https://www.googleapis.com/auth/gmail.labels"}) || c.Memory || c.Database != "(default)" ||
		c.Cookie != "__Host-session" || !c.Secure() || !c.Deployed || c.GoogleBaseURL != nil || c.SchedulerAccount != "" {
		t.Errorf("%+v", c)
	}
	for name, set := range map[string][]string{
		"a trailing slash":      {"BASE_URL", "https://functions.example/api/"},
		"localhost":             {"BASE_URL", "http://localhost:8080"},
		"loopback":              {"BASE_URL", "http://127.0.0.1:8080"},
		"IPv6 loopback":         {"BASE_URL", "http://[::1]:8080"},
		"Firebase Hosting":      {"SESSION_COOKIE", "__session"},
		"an emulator":           {"FIRESTORE_EMULATOR_HOST", "127.0.0.1:8080"},
		"a scheduler":           {"SCHEDULER_ACCOUNT", "s@p.iam.gserviceaccount.com"},
		"scopes with commas":    {"OAUTH_SCOPES", "openid, email,a\nb"},
		"memory, not deployed":  {"K_SERVICE", "", "TOKEN_STORE", "memory", "GOOGLE_CLOUD_PROJECT", ""},
		"a stand-in for Google": {"K_SERVICE", "", "GOOGLE_BASE_URL", "http://127.0.0.1:9700/"},
	} {
		c, err := parse(good(t, set...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.HasSuffix(c.BaseURL, "/") || c.Secure() == strings.HasPrefix(c.BaseURL, "http:") || (c.Cookie == "session") != strings.HasPrefix(c.BaseURL, "http:") {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c, _ := parse(good(t, "OAUTH_SCOPES", "openid, email,a\nb")); !slices.Equal(c.Scopes, []string{"a", "b"}) {
		t.Errorf("scopes %q", c.Scopes)
	}
}

func TestBadConfigurationNamesEachFaultAndHowToMendIt(t *testing.T) {
	for name, c := range map[string]struct {
		set  []string
		says string
	}{
		"BASE_URL absent":              {[]string{"BASE_URL", ""}, "BASE_URL is not set: set it to"},
		"BASE_URL http":                {[]string{"BASE_URL", "http://functions.example"}, "BASE_URL must begin with https://"},
		"BASE_URL like localhost":      {[]string{"BASE_URL", "http://localhost.evil.example"}, "BASE_URL must begin with https://"},
		"BASE_URL in capitals":         {[]string{"BASE_URL", "HTTPS://functions.example"}, "BASE_URL must begin with https://"},
		"BASE_URL without a host":      {[]string{"BASE_URL", "https:///x"}, "BASE_URL is not an origin"},
		"BASE_URL without a scheme":    {[]string{"BASE_URL", "functions.example"}, "BASE_URL is not an origin"},
		"BASE_URL with a query":        {[]string{"BASE_URL", "https://functions.example?a=b"}, "BASE_URL is not an origin"},
		"BASE_URL with an empty one":   {[]string{"BASE_URL", "https://functions.example?"}, "BASE_URL is not an origin"},
		"BASE_URL with a fragment":     {[]string{"BASE_URL", "https://functions.example#a"}, "BASE_URL is not an origin"},
		"BASE_URL with a user":         {[]string{"BASE_URL", "https://a:b@functions.example"}, "BASE_URL is not an origin"},
		"BASE_URL with dots":           {[]string{"BASE_URL", "https://functions.example/a/../b"}, "BASE_URL is not an origin"},
		"BASE_URL with two slashes":    {[]string{"BASE_URL", "https://functions.example//a"}, "BASE_URL is not an origin"},
		"BASE_URL with a backslash":    {[]string{"BASE_URL", `https://functions.example\a`}, "BASE_URL is not an origin"},
		"BASE_URL with just a port":    {[]string{"BASE_URL", "https://:8080"}, "BASE_URL is not an origin"},
		"BASE_URL without its port":    {[]string{"BASE_URL", "https://functions.example:"}, "BASE_URL is not an origin"},
		"BASE_URL with no port":        {[]string{"BASE_URL", "https://functions.example:99999"}, "BASE_URL is not an origin"},
		"BASE_URL with a wildcard":     {[]string{"BASE_URL", "https://*.example"}, "BASE_URL is not an origin"},
		"BASE_URL with a quote":        {[]string{"BASE_URL", `https://functions.example/"onx`}, "BASE_URL is not an origin"},
		"BASE_URL with an escape":      {[]string{"BASE_URL", "https://functions.example/%2e%2e"}, "BASE_URL is not an origin"},
		"BASE_URL with slashes behind": {[]string{"BASE_URL", "https://functions.example//"}, "BASE_URL is not an origin"},
		"client absent":                {[]string{"OAUTH_CLIENT_JSON", ""}, "OAUTH_CLIENT_JSON is not set: set it to the content"},
		"client a path":                {[]string{"OAUTH_CLIENT_JSON", "canary/client_secret.json"}, "not to its path"},
		"client of a desktop":          {[]string{"OAUTH_CLIENT_JSON", strings.Replace(client, "web", "installed", 1)}, `make one of the type "Web application"`},
		"client without a secret":      {[]string{"OAUTH_CLIENT_JSON", `{"web":{"client_id":"canary"}}`}, "download client_secret.json again"},
		"keyset absent":                {[]string{"TOKEN_KEYSET", ""}, "TOKEN_KEYSET is not set: make one with `go run ./deploy/keyset new`"},
		"keyset garbage":               {[]string{"TOKEN_KEYSET", "canary"}, "TOKEN_KEYSET does not open"},
		"scopes with a quote":          {[]string{"OAUTH_SCOPES", `a "b"`}, "OAUTH_SCOPES holds a character"},
		"store unknown":                {[]string{"TOKEN_STORE", "redis"}, "TOKEN_STORE is neither firestore nor memory"},
		"store in memory, deployed":    {[]string{"TOKEN_STORE", "memory"}, "use firestore"},
		"project absent":               {[]string{"GOOGLE_CLOUD_PROJECT", ""}, "GOOGLE_CLOUD_PROJECT is not set: set it to"},
		"prefix with a slash":          {[]string{"COLLECTION_PREFIX", "a/b"}, "COLLECTION_PREFIX must not"},
		"prefix that is reserved":      {[]string{"COLLECTION_PREFIX", "__a"}, "COLLECTION_PREFIX must not"},
		"cookie unknown":               {[]string{"SESSION_COOKIE", "sid"}, "SESSION_COOKIE must be one of __Host-session, session and __session"},
		"cookie of https on http":      {[]string{"SESSION_COOKIE", "__Host-session", "BASE_URL", "http://localhost:1"}, "leave it out on http://localhost"},
		"cookie of http on https":      {[]string{"SESSION_COOKIE", "session"}, "leave it out on https"},
		"scheduler not an address":     {[]string{"SCHEDULER_ACCOUNT", "scheduler"}, "SCHEDULER_ACCOUNT is not the email address"},
		"scheduler with a list":        {[]string{"SCHEDULER_ACCOUNT", "a@b,c@d"}, "SCHEDULER_ACCOUNT is not the email address"},
		"scheduler with a line break":  {[]string{"SCHEDULER_ACCOUNT", "s@p.iam.gserviceaccount.com\n"}, "SCHEDULER_ACCOUNT is not the email address"},
		"scheduler with two hosts":     {[]string{"SCHEDULER_ACCOUNT", "a@b@c"}, "SCHEDULER_ACCOUNT is not the email address"},
		"project with a slash":         {[]string{"GOOGLE_CLOUD_PROJECT", "a/b"}, "GOOGLE_CLOUD_PROJECT holds a slash"},
		"database with a space":        {[]string{"FIRESTORE_DATABASE", "a b"}, "FIRESTORE_DATABASE holds a slash or a space"},
		"emulator that is a URL":       {[]string{"FIRESTORE_EMULATOR_HOST", "http://x:1"}, "FIRESTORE_EMULATOR_HOST is not of the form"},
		"emulator without a port":      {[]string{"FIRESTORE_EMULATOR_HOST", "localhost"}, "FIRESTORE_EMULATOR_HOST is not of the form"},
		"a stand-in, deployed":         {[]string{"GOOGLE_BASE_URL", "http://127.0.0.1:9700"}, "remove it from a deployed function"},
		"a stand-in that is no origin": {[]string{"K_SERVICE", "", "GOOGLE_BASE_URL", "127.0.0.1:9700"}, "GOOGLE_BASE_URL is not an origin"},
		"a stand-in with a path":       {[]string{"K_SERVICE", "", "GOOGLE_BASE_URL", "http://127.0.0.1:9700/x"}, "GOOGLE_BASE_URL is not an origin"},
	} {
		_, err := parse(good(t, c.set...))
		var faults Faults
		if !errors.As(err, &faults) || len(faults) != 1 || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one fault with %q", name, err, c.says)
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: quotes a secret: %v", name, err)
		}
	}
}

func TestBadConfigurationNamesEveryFaultAtOnce(t *testing.T) {
	bad := map[string]string{
		"K_SERVICE": "x", "BASE_URL": "http://functions.example", "OAUTH_CLIENT_JSON": "canary", "TOKEN_KEYSET": "canary", "OAUTH_SCOPES": `"`,
		"TOKEN_STORE": "redis", "COLLECTION_PREFIX": "/", "SESSION_COOKIE": "sid", "SCHEDULER_ACCOUNT": "x", "GOOGLE_BASE_URL": "x",
	}
	c, err := parse(bad)
	var faults Faults
	if c == nil || !errors.As(err, &faults) {
		t.Fatalf("%v, %v", c, err)
	}
	want := []string{"GOOGLE_CLOUD_PROJECT"}
	for name := range bad {
		if name != "K_SERVICE" {
			want = append(want, name)
		}
	}
	var named []string
	for _, f := range faults {
		named = append(named, f.Name)
		if !strings.Contains(err.Error(), "\n  "+f.Name+" "+f.Text) {
			t.Errorf("the message lacks %v", f)
		}
	}
	slices.Sort(want)
	slices.Sort(named)
	if !slices.Equal(named, want) {
		t.Errorf("faults of %v, want %v", named, want)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("quotes a secret: %v", err)
	}
}
