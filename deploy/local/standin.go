package main

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
)

// startStandIn serves a stand-in for Google that knows the app at baseURL as its one OAuth client. It
// returns the stand-in, its URL and the client as client_secret.json.
func startStandIn(baseURL string) (google *fakegoogle.Server, at, clientJSON string, err error) {
	baseURL = strings.TrimSuffix(baseURL, "/")
	client := fakegoogle.Client{
		ID:           "local.apps.googleusercontent.com",
		Secret:       seal.NewID(),
		RedirectURIs: []string{baseURL + "/oauth2callback"},
		Origins:      []string{originOf(baseURL)},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", "", err
	}
	google = fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{client}})
	go http.Serve(l, google)
	return google, "http://" + l.Addr().String(), client.JSON(), nil
}

// originOf returns the origin of a URL, or "" for what is none.
func originOf(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
