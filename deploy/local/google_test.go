package main

import (
	"net/http/httptest"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
)

// startWithGoogle starts the runner with a Google of the test's own, as GOOGLE_BASE_URL allows.
func startWithGoogle(t *testing.T) (*runner, *fakegoogle.Server) {
	t.Helper()
	client := fakegoogle.Client{ID: "test-client", Secret: "canary-client-secret"}
	google := fakegoogle.New(fakegoogle.Options{})
	server := httptest.NewServer(google)
	t.Cleanup(server.Close)
	r := start(t, []string{"GOOGLE_BASE_URL=" + server.URL, "OAUTH_CLIENT_JSON=" + client.JSON()})
	client.RedirectURIs, client.Origins = []string{r.url + "/oauth2callback"}, []string{r.url}
	google.AddClient(client)
	r.google = google
	return r, google
}
