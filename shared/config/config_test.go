package config

import (
	"encoding/base64"
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
		c.Cookie != "__Host-session" || !c.Secure() || !c.Deployed || c.GoogleBaseURL != nil || len(c.SchedulerAccounts) > 0 ||
		c.TaskQueue != "" || c.AuthIssuer != "" || c.AuthAudience != "" || len(c.FrontEnds) > 0 || len(c.Origins()) > 0 || len(c.Domains) > 0 || !slices.Equal(c.ClientRedirectURIs, []string{"https://x"}) {
		t.Errorf("%+v", c)
	}
	for name, set := range map[string][]string{
		"a trailing slash":      {"BASE_URL", "https://functions.example/api/"},
		"localhost":             {"K_SERVICE", "", "BASE_URL", "http://localhost:8080"},
		"loopback":              {"K_SERVICE", "", "BASE_URL", "http://127.0.0.1:8080"},
		"IPv6 loopback":         {"K_SERVICE", "", "BASE_URL", "http://[::1]:8080"},
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
		if strings.HasSuffix(c.BaseURL, "/") || c.Secure() == strings.HasPrefix(c.BaseURL, "http:") || (c.Cookie == "session_8080") != strings.HasPrefix(c.BaseURL, "http:") {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c, _ := parse(good(t, "OAUTH_SCOPES", "openid, email,a\nb")); !slices.Equal(c.Scopes, []string{"a", "b"}) {
		t.Errorf("scopes %q", c.Scopes)
	}
}

// The origin is what browsers send in the header Origin, however somebody spelled it.
func TestURLsAreSpelledAsBrowsersSpellThem(t *testing.T) {
	for v, want := range map[string]string{
		"https://App.Example.com":          "https://app.example.com",
		"https://app.example.com:443":      "https://app.example.com",
		"https://APP.example.com:0443/":    "https://app.example.com",
		"HTTPS://app.example.com:8443/Api": "https://app.example.com:8443/Api",
		"https://app.example.com:80":       "https://app.example.com:80",
		"https://app.example.com:0080/a":   "https://app.example.com:80/a",
		"http://LocalHost:80":              "http://localhost",
		"http://127.0.0.1:08080/":          "http://127.0.0.1:8080",
		"http://[::1]:80/a":                "http://[::1]/a",
	} {
		c, err := parse(good(t, "K_SERVICE", "", "BASE_URL", v))
		if err != nil || c.BaseURL != want {
			t.Errorf("%s: %s, %v, want %s", v, c.BaseURL, err, want)
		}
	}
	c, err := parse(good(t, "K_SERVICE", "", "FRONT_ENDS", " https://App.Example.com:443 https://app.example.com/Done?a=b\nhttp://localhost:5173/  http://127.0.0.1:5173/x"))
	if err != nil || !slices.Equal(c.FrontEnds, []string{"https://app.example.com/", "https://app.example.com/Done?a=b", "http://localhost:5173/", "http://127.0.0.1:5173/x"}) ||
		!slices.Equal(c.Origins(), []string{"https://app.example.com", "http://localhost:5173", "http://127.0.0.1:5173"}) {
		t.Errorf("%q, origins %q, %v", c.FrontEnds, c.Origins(), err)
	}
}

func TestLocalCookieHasThePort(t *testing.T) {
	for v, want := range map[string]string{"http://localhost:8080": "session_8080", "http://localhost": "session_80", "http://[::1]:1/a": "session_1"} {
		for _, set := range []string{"", want} {
			if c, err := parse(good(t, "K_SERVICE", "", "BASE_URL", v, "SESSION_COOKIE", set)); err != nil || c.Cookie != want {
				t.Errorf("%s: %s, %v", v, c.Cookie, err)
			}
		}
	}
}

func TestUsersOfAnApp(t *testing.T) {
	for name, c := range map[string]struct{ issuer, audience, want string }{
		"Firebase":                       {"https://securetoken.google.com/project-7", "", "project-7"},
		"Google":                         {"https://accounts.google.com", "", "id-1"},
		"Google, another client":         {"https://accounts.google.com", "ios-client", "ios-client"},
		"an issuer that ends in a slash": {"https://tenant.auth.example/", "https://api.example", "https://api.example"},
	} {
		got, err := parse(good(t, "AUTH_ISSUER", c.issuer, "AUTH_AUDIENCE", c.audience))
		if err != nil || got.AuthIssuer != c.issuer || got.AuthAudience != c.want {
			t.Errorf("%s: %q for %q, %v", name, got.AuthIssuer, got.AuthAudience, err)
		}
	}
	c, err := parse(good(t, "K_SERVICE", "", "AUTH_ISSUER", "http://127.0.0.1:9700/app", "AUTH_AUDIENCE", "a", "ALLOWED_DOMAINS", "Example.com  sub.example.ORG\n"))
	if err != nil || c.AuthIssuer != "http://127.0.0.1:9700/app" || !slices.Equal(c.Domains, []string{"example.com", "sub.example.org"}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestJobs(t *testing.T) {
	const queue = "projects/example.com:p-1/locations/europe-west1/queues/Jobs-1"
	c, err := parse(good(t, "SCHEDULER_ACCOUNT", " a@p.iam.gserviceaccount.com  b@p.iam.gserviceaccount.com\n", "TASK_QUEUE", queue))
	if err != nil || !slices.Equal(c.SchedulerAccounts, []string{"a@p.iam.gserviceaccount.com", "b@p.iam.gserviceaccount.com"}) || c.TaskQueue != queue {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSecretsWithWhatEditorsAndPipesAdd(t *testing.T) {
	for _, around := range [][2]string{{"\ufeff", ""}, {"", "\r\n"}, {"\ufeff\n", " \r\n"}} {
		env := good(t)
		for _, name := range []string{"OAUTH_CLIENT_JSON", "TOKEN_KEYSET"} {
			env[name] = around[0] + env[name] + around[1]
		}
		if c, err := parse(env); err != nil || c.ClientID != "id-1" || c.Keyset == nil {
			t.Errorf("%q: %v", around, err)
		}
	}
}

func TestBadConfigurationNamesEachFaultAndHowToMendIt(t *testing.T) {
	for name, c := range map[string]struct {
		set  []string
		says string
	}{
		"BASE_URL absent":                                {[]string{"BASE_URL", ""}, "BASE_URL is not set: set it to"},
		"BASE_URL http":                                  {[]string{"BASE_URL", "http://functions.example"}, "BASE_URL must begin with https://"},
		"BASE_URL like localhost":                        {[]string{"BASE_URL", "http://localhost.evil.example"}, "BASE_URL must begin with https://"},
		"BASE_URL of this machine":                       {[]string{"BASE_URL", "http://localhost:8080"}, "BASE_URL is an address of this machine alone"},
		"BASE_URL with white space":                      {[]string{"BASE_URL", "https://functions.example\n"}, "BASE_URL is not an origin"},
		"BASE_URL without a host":                        {[]string{"BASE_URL", "https:///x"}, "BASE_URL is not an origin"},
		"BASE_URL without a scheme":                      {[]string{"BASE_URL", "functions.example"}, "BASE_URL is not an origin"},
		"BASE_URL with a query":                          {[]string{"BASE_URL", "https://functions.example?a=b"}, "BASE_URL is not an origin"},
		"BASE_URL with an empty one":                     {[]string{"BASE_URL", "https://functions.example?"}, "BASE_URL is not an origin"},
		"BASE_URL with a fragment":                       {[]string{"BASE_URL", "https://functions.example#a"}, "BASE_URL is not an origin"},
		"BASE_URL with a user":                           {[]string{"BASE_URL", "https://a:b@functions.example"}, "BASE_URL is not an origin"},
		"BASE_URL with dots":                             {[]string{"BASE_URL", "https://functions.example/a/../b"}, "BASE_URL is not an origin"},
		"BASE_URL with two slashes":                      {[]string{"BASE_URL", "https://functions.example//a"}, "BASE_URL is not an origin"},
		"BASE_URL with a backslash":                      {[]string{"BASE_URL", `https://functions.example\a`}, "BASE_URL is not an origin"},
		"BASE_URL with just a port":                      {[]string{"BASE_URL", "https://:8080"}, "BASE_URL is not an origin"},
		"BASE_URL without its port":                      {[]string{"BASE_URL", "https://functions.example:"}, "BASE_URL is not an origin"},
		"BASE_URL with no port":                          {[]string{"BASE_URL", "https://functions.example:99999"}, "BASE_URL is not an origin"},
		"BASE_URL with a wildcard":                       {[]string{"BASE_URL", "https://*.example"}, "BASE_URL is not an origin"},
		"BASE_URL with a quote":                          {[]string{"BASE_URL", `https://functions.example/"onx`}, "BASE_URL is not an origin"},
		"BASE_URL with an escape":                        {[]string{"BASE_URL", "https://functions.example/%2e%2e"}, "BASE_URL is not an origin"},
		"BASE_URL with slashes behind":                   {[]string{"BASE_URL", "https://functions.example//"}, "BASE_URL is not an origin"},
		"client absent":                                  {[]string{"OAUTH_CLIENT_JSON", ""}, "OAUTH_CLIENT_JSON is not set: set it to the content"},
		"client a path":                                  {[]string{"OAUTH_CLIENT_JSON", "canary/client_secret.json"}, "not to its path"},
		"client of a desktop":                            {[]string{"OAUTH_CLIENT_JSON", strings.Replace(client, "web", "installed", 1)}, `make one of the type "Web application"`},
		"client without a secret":                        {[]string{"OAUTH_CLIENT_JSON", `{"web":{"client_id":"canary"}}`}, "OAUTH_CLIENT_JSON has no client_secret, which the Google Cloud console shows only when it is made: add a new secret"},
		"keyset absent":                                  {[]string{"TOKEN_KEYSET", ""}, "make one with `go run ./deploy/keyset new`"},
		"keyset garbage":                                 {[]string{"TOKEN_KEYSET", "canary"}, "TOKEN_KEYSET does not open"},
		"scopes with a quote":                            {[]string{"OAUTH_SCOPES", `a "b"`}, "OAUTH_SCOPES holds a character"},
		"store unknown":                                  {[]string{"TOKEN_STORE", "redis"}, "TOKEN_STORE is neither firestore nor memory"},
		"store in memory, deployed":                      {[]string{"TOKEN_STORE", "memory"}, "use firestore"},
		"project absent":                                 {[]string{"GOOGLE_CLOUD_PROJECT", ""}, "GOOGLE_CLOUD_PROJECT is not set: set it to"},
		"prefix with a slash":                            {[]string{"COLLECTION_PREFIX", "a/b"}, "COLLECTION_PREFIX must not"},
		"prefix that is reserved":                        {[]string{"COLLECTION_PREFIX", "__a"}, "COLLECTION_PREFIX must not"},
		"cookie unknown":                                 {[]string{"SESSION_COOKIE", "sid"}, "SESSION_COOKIE must be one of __Host-session (on https), session_PORT (on http://localhost) and __session (behind Firebase Hosting)"},
		"cookie of https on http":                        {[]string{"SESSION_COOKIE", "__Host-session", "K_SERVICE", "", "BASE_URL", "http://localhost:1"}, "leave it out on http://localhost"},
		"cookie of http on https":                        {[]string{"SESSION_COOKIE", "session_8080"}, "SESSION_COOKIE must be one of"},
		"cookie of another port":                         {[]string{"K_SERVICE", "", "BASE_URL", "http://localhost:1", "SESSION_COOKIE", "session_2"}, "__Host-session (on https), session_1 (on http://localhost)"},
		"cookie without a port":                          {[]string{"K_SERVICE", "", "BASE_URL", "http://localhost:1", "SESSION_COOKIE", "session"}, "SESSION_COOKIE must be one of"},
		"scheduler not an address":                       {[]string{"SCHEDULER_ACCOUNT", "scheduler"}, "SCHEDULER_ACCOUNT is not the email address"},
		"scheduler with a list":                          {[]string{"SCHEDULER_ACCOUNT", "a@b,c@d"}, "SCHEDULER_ACCOUNT is not the email address"},
		"schedulers, one no address":                     {[]string{"SCHEDULER_ACCOUNT", "s@p.iam.gserviceaccount.com s"}, "SCHEDULER_ACCOUNT is not the email address"},
		"client in base64":                               {[]string{"OAUTH_CLIENT_JSON", base64.StdEncoding.EncodeToString([]byte(client))}, "OAUTH_CLIENT_JSON is not JSON (it is base64: decode it first)"},
		"client in quotes":                               {[]string{"OAUTH_CLIENT_JSON", "'" + client + "'"}, "OAUTH_CLIENT_JSON is not JSON (it has quotes around it"},
		"client that is a path":                          {[]string{"OAUTH_CLIENT_JSON", "/secrets/canary"}, "OAUTH_CLIENT_JSON is not JSON (it is a path"},
		"client without its quotes":                      {[]string{"OAUTH_CLIENT_JSON", strings.ReplaceAll(client, `"`, "")}, "lost its quotes on the way"},
		"client of white space":                          {[]string{"OAUTH_CLIENT_JSON", "\ufeff\r\n"}, "OAUTH_CLIENT_JSON is not set"},
		"client that is a list":                          {[]string{"OAUTH_CLIENT_JSON", "[]"}, "OAUTH_CLIENT_JSON is not JSON"},
		"client that is a text":                          {[]string{"OAUTH_CLIENT_JSON", `{"web":"canary"}`}, `has no "web" client with a client_id`},
		"client that is a keyset":                        {[]string{"OAUTH_CLIENT_JSON", good(t)["TOKEN_KEYSET"]}, `has no "web" client with a client_id`},
		"a service account's key":                        {[]string{"OAUTH_CLIENT_JSON", `{"type":"service_account","private_key":"canary"}`}, "is the key of a service account"},
		"keyset in base64":                               {[]string{"TOKEN_KEYSET", base64.StdEncoding.EncodeToString([]byte(good(t)["TOKEN_KEYSET"]))}, "TOKEN_KEYSET does not open (it is base64: decode it first): restore the version before"},
		"keyset that is a path":                          {[]string{"TOKEN_KEYSET", "canary.json"}, "TOKEN_KEYSET does not open (it is a path"},
		"keyset that is the client":                      {[]string{"TOKEN_KEYSET", client}, "TOKEN_KEYSET does not open (it is JSON, and not a Tink keyset"},
		"keyset that was cut":                            {[]string{"TOKEN_KEYSET", good(t)["TOKEN_KEYSET"][:100]}, "restore the version before, since a new keyset would cost every grant"},
		"emulator elsewhere, deployed":                   {[]string{"FIRESTORE_EMULATOR_HOST", "10.0.0.7:8080"}, "FIRESTORE_EMULATOR_HOST sends every grant to another machine"},
		"emulator by name, deployed":                     {[]string{"FIRESTORE_EMULATOR_HOST", "localhost.evil.example:8080"}, "FIRESTORE_EMULATOR_HOST sends every grant to another machine"},
		"a queue's short name":                           {[]string{"TASK_QUEUE", "jobs", "SCHEDULER_ACCOUNT", "s@p"}, "TASK_QUEUE is not of the form"},
		"a queue with more behind":                       {[]string{"TASK_QUEUE", "projects/p/locations/l/queues/q/tasks/t", "SCHEDULER_ACCOUNT", "s@p"}, "TASK_QUEUE is not of the form"},
		"a queue for nobody":                             {[]string{"TASK_QUEUE", "projects/p/locations/l/queues/q"}, "TASK_QUEUE is set without SCHEDULER_ACCOUNT"},
		"issuer without a scheme":                        {[]string{"AUTH_ISSUER", "accounts.google.com"}, "AUTH_ISSUER is not an issuer"},
		"issuer with a query":                            {[]string{"AUTH_ISSUER", "https://issuer.example/?a=b", "AUTH_AUDIENCE", "a"}, "AUTH_ISSUER is not an issuer"},
		"issuer with a user":                             {[]string{"AUTH_ISSUER", "https://a:canary@issuer.example", "AUTH_AUDIENCE", "a"}, "AUTH_ISSUER is not an issuer"},
		"issuer without TLS":                             {[]string{"AUTH_ISSUER", "http://issuer.example", "AUTH_AUDIENCE", "a"}, "AUTH_ISSUER must begin with https://"},
		"issuer without TLS, on the developer's machine": {[]string{"K_SERVICE", "", "AUTH_ISSUER", "http://issuer.example", "AUTH_AUDIENCE", "a"}, "AUTH_ISSUER must begin with https://"},
		"issuer on loopback, deployed":                   {[]string{"AUTH_ISSUER", "http://localhost:1", "AUTH_AUDIENCE", "a"}, "AUTH_ISSUER must begin with https://"},
		"Google with a slash":                            {[]string{"AUTH_ISSUER", "https://accounts.google.com/", "AUTH_AUDIENCE", "a"}, "AUTH_ISSUER ends with a slash"},
		"Firebase with a slash":                          {[]string{"AUTH_ISSUER", "https://securetoken.google.com/p/", "AUTH_AUDIENCE", "a"}, "AUTH_ISSUER ends with a slash"},
		"issuer without an audience":                     {[]string{"AUTH_ISSUER", "https://issuer.example/"}, "AUTH_AUDIENCE is not set"},
		"audience without an issuer":                     {[]string{"AUTH_AUDIENCE", "a"}, "AUTH_AUDIENCE is set without AUTH_ISSUER"},
		"audience of a job":                              {[]string{"AUTH_ISSUER", "https://accounts.google.com", "AUTH_AUDIENCE", "https://functions.example/api/dailyevent"}, "AUTH_AUDIENCE begins with BASE_URL"},
		"audience of a job, shouted":                     {[]string{"AUTH_ISSUER", "https://accounts.google.com", "AUTH_AUDIENCE", "HTTPS://FUNCTIONS.example/api"}, "AUTH_AUDIENCE begins with BASE_URL"},
		"two audiences":                                  {[]string{"AUTH_ISSUER", "https://accounts.google.com", "AUTH_AUDIENCE", "a b"}, "AUTH_AUDIENCE is one audience"},
		"front end with a fragment":                      {[]string{"FRONT_ENDS", "https://app.example/#connected"}, "FRONT_ENDS names a page with a fragment"},
		"front end, empty fragment":                      {[]string{"FRONT_ENDS", "https://app.example/#"}, "FRONT_ENDS names a page with a fragment"},
		"front end with a user":                          {[]string{"FRONT_ENDS", "https://a:canary@app.example/"}, "FRONT_ENDS names what is not the URL of a page"},
		"front end without TLS":                          {[]string{"FRONT_ENDS", "http://app.example/"}, "FRONT_ENDS names a page without https://"},
		"front end here, deployed":                       {[]string{"FRONT_ENDS", "http://localhost:5173/"}, "FRONT_ENDS names a page without https://"},
		"front end of an app":                            {[]string{"FRONT_ENDS", "myapp://connected/"}, "FRONT_ENDS names a page without https://"},
		"front ends with a comma":                        {[]string{"FRONT_ENDS", "https://app.example/,https://b.example/"}, "FRONT_ENDS names what is not the URL of a page"},
		"front end with dots":                            {[]string{"FRONT_ENDS", "https://app.example/a/../b"}, "FRONT_ENDS names what is not the URL of a page"},
		"front end with a backslash":                     {[]string{"FRONT_ENDS", `https://app.example/a\b`}, "FRONT_ENDS names what is not the URL of a page"},
		"front ends with a wildcard":                     {[]string{"FRONT_ENDS", "https://*.example/"}, "FRONT_ENDS names what is not the URL of a page"},
		"domain that is an address":                      {[]string{"ALLOWED_DOMAINS", "ada@example.com"}, "ALLOWED_DOMAINS names what is not a domain"},
		"domains with a comma":                           {[]string{"ALLOWED_DOMAINS", "example.com,example.org"}, "ALLOWED_DOMAINS names what is not a domain"},
		"domain with a wildcard":                         {[]string{"ALLOWED_DOMAINS", "*.example.com"}, "ALLOWED_DOMAINS names what is not a domain"},
		"domain without a dot":                           {[]string{"ALLOWED_DOMAINS", "example"}, "ALLOWED_DOMAINS names what is not a domain"},
		"scheduler with two hosts":                       {[]string{"SCHEDULER_ACCOUNT", "a@b@c"}, "SCHEDULER_ACCOUNT is not the email address"},
		"project with a slash":                           {[]string{"GOOGLE_CLOUD_PROJECT", "a/b"}, "GOOGLE_CLOUD_PROJECT holds a slash"},
		"database with a space":                          {[]string{"FIRESTORE_DATABASE", "a b"}, "FIRESTORE_DATABASE holds a slash or a space"},
		"emulator that is a URL":                         {[]string{"FIRESTORE_EMULATOR_HOST", "http://x:1"}, "FIRESTORE_EMULATOR_HOST is not of the form"},
		"emulator without a port":                        {[]string{"FIRESTORE_EMULATOR_HOST", "localhost"}, "FIRESTORE_EMULATOR_HOST is not of the form"},
		"a stand-in, deployed":                           {[]string{"GOOGLE_BASE_URL", "http://127.0.0.1:9700"}, "remove it from a deployed function"},
		"a stand-in that is no origin":                   {[]string{"K_SERVICE", "", "GOOGLE_BASE_URL", "127.0.0.1:9700"}, "GOOGLE_BASE_URL is not an origin"},
		"a stand-in with a path":                         {[]string{"K_SERVICE", "", "GOOGLE_BASE_URL", "http://127.0.0.1:9700/x"}, "GOOGLE_BASE_URL is not an origin"},
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
		"FIRESTORE_EMULATOR_HOST": "10.0.0.7:1", "TASK_QUEUE": "x", "AUTH_ISSUER": "x", "AUTH_AUDIENCE": "a b", "FRONT_ENDS": "x", "ALLOWED_DOMAINS": "x",
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
