package main

import (
	"net/url"
	"slices"
	"strings"

	"functions.local/oauth/shared/config"
)

// checkClient compares the redirect URI with those in the client's file. The file may be out of date: it shows the client
// as it was when the file was downloaded.
func (d *doctor) checkClient(c *config.Config) {
	const name = "OAUTH_CLIENT_JSON"
	if c.ClientID == "" || c.BaseURL == "" {
		return // the configuration's own faults say why
	}
	if slices.Contains(c.ClientRedirectURIs, c.RedirectURI()) {
		d.fine(name, "is a web client with the redirect URI %s", c.RedirectURI())
		return
	}
	known := strings.Join(c.ClientRedirectURIs, ", ")
	if known == "" {
		known = "none"
	}
	d.mind(name, "did not have the redirect URI %s when its file was made (it had %s): see that the client has it by now at "+
		"https://console.cloud.google.com/auth/clients, letter by letter, or Google shows redirect_uri_mismatch. The file itself need not be changed",
		c.RedirectURI(), known)
}

// checkHost looks whether the functions can share a cookie on the host of BASE_URL.
func (d *doctor) checkHost(c *config.Config) {
	u, err := url.Parse(c.BaseURL)
	if c.BaseURL == "" || err != nil {
		return
	}
	host := u.Hostname()
	switch {
	case strings.HasSuffix(host, ".run.app"):
		d.mind("BASE_URL", "is on run.app, where every function has a host, and so a cookie, of its own. Only the function app, which is all of them "+
			"(deploy/deploy.sh app), can serve a sign-in there")
	case isFirebase(host) && c.Cookie != "__session":
		d.wrong("SESSION_COOKIE", "is %s, which Firebase Hosting does not pass on to the functions: set it to __session", c.Cookie)
	default:
		d.fine("BASE_URL", "is %s; the cookie is %s", c.BaseURL, c.Cookie)
	}
}

func isFirebase(host string) bool {
	return strings.HasSuffix(host, ".web.app") || strings.HasSuffix(host, ".firebaseapp.com")
}
