package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"functions.local/oauth/shared/config"
)

// checkClient compares the redirect URI with those that Google knew when the file was downloaded.
func (d *doctor) checkClient(c *config.Config) {
	const name = "OAUTH_CLIENT_JSON"
	if c.ClientID == "" || c.BaseURL == "" {
		return // the configuration's own faults say why
	}
	var file struct {
		Web struct {
			RedirectURIs []string `json:"redirect_uris"`
		}
	}
	if err := json.Unmarshal([]byte(d.getenv(name)), &file); err != nil {
		d.wrong(name, "has redirect_uris that are no list of texts: download client_secret.json again")
		return
	}
	if slices.Contains(file.Web.RedirectURIs, c.RedirectURI()) {
		d.fine(name, "is a web client with the redirect URI %s", c.RedirectURI())
		return
	}
	known := strings.Join(file.Web.RedirectURIs, ", ")
	if known == "" {
		known = "none"
	}
	d.wrong(name, "does not hold the redirect URI %s (it holds %s), and Google compares it letter by letter: "+
		"register it in the client at https://console.cloud.google.com/auth/clients and download the file again, or correct BASE_URL",
		c.RedirectURI(), known)
}

// checkHost says whether the functions can share a cookie at BASE_URL's host.
func (d *doctor) checkHost(c *config.Config) {
	u, err := url.Parse(c.BaseURL)
	if c.BaseURL == "" || err != nil {
		return
	}
	host := u.Hostname()
	switch {
	case strings.HasSuffix(host, ".run.app"):
		d.wrong("BASE_URL", "is on run.app, where every function has a host, and so a cookie, of its own and no sign-in can be shared: "+
			"use https://REGION-PROJECT.cloudfunctions.net, a domain of your own or Firebase Hosting")
	case isFirebase(host) && c.Cookie != "__session":
		d.wrong("SESSION_COOKIE", "is %s, which Firebase Hosting does not pass on to the functions: set it to __session", c.Cookie)
	default:
		d.fine("BASE_URL", "is %s; the cookie is %s", c.BaseURL, c.Cookie)
	}
}

func isFirebase(host string) bool {
	return strings.HasSuffix(host, ".web.app") || strings.HasSuffix(host, ".firebaseapp.com")
}
