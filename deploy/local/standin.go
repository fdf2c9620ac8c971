package main

import (
	"fmt"
	"os"
	"path/filepath"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
)

// standInPath is the path of the stand-in's pages on this server, the only one that browsers are sure to reach.
const standInPath = "/google"

// startStandIn serves a stand-in for Google on a port of its own, where the functions call its APIs. It returns the
// stand-in, the origin there, and the content of the client_secret.json of its only OAuth client.
func startStandIn(c *config.Config) (google *fakegoogle.Server, at, clientJSON string, err error) {
	host := "127.0.0.1"
	if !isThere(host) {
		host = "::1"
	}
	listeners, err := listen(host, "0")
	if err != nil {
		return nil, "", "", err
	}
	client := fakegoogle.Client{
		ID:           "local.apps.googleusercontent.com",
		Secret:       seal.NewID(),
		RedirectURIs: []string{c.RedirectURI()},
		Origins:      append(c.Origins(), originOf(c.BaseURL)),
	}
	google = fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{client}, Public: c.BaseURL + standInPath})
	if err := addAnswers(google); err != nil {
		return nil, "", "", err
	}
	serveBeside(listeners, c, google)
	return google, "http://" + listeners[0].Addr().String(), client.JSON(), nil
}

// addAnswers adds the answers that the functions' folders hold for APIs that the stand-in does not know. It finds them if
// the runner is started in the checkout's top folder.
func addAnswers(google *fakegoogle.Server) error {
	folders, err := filepath.Glob("functions/*/standin")
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := google.AddAnswers(os.DirFS(folder)); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	return nil
}
