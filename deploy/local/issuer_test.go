package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
	"golang.org/x/oauth2"

	"functions.local/oauth/shared/fakegoogle"
)

// An issuer that is not ours signs the app's users in, by OpenID Connect's own flow.
func TestIssuerOfOthers(t *testing.T) {
	t.Parallel()
	issuer, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Shutdown()
	r := inProcessWith(t, map[string]string{"AUTH_ISSUER": issuer.Issuer(), "AUTH_AUDIENCE": issuer.ClientID, "FRONT_ENDS": "http://localhost:5173/"})
	idToken := func(subject string) string {
		t.Helper()
		issuer.QueueUser(&mockoidc.MockUser{Subject: subject, Email: subject + "@app.example", EmailVerified: true})
		c := oauth2.Config{ClientID: issuer.ClientID, ClientSecret: issuer.ClientSecret, RedirectURL: "http://localhost:5173/", Scopes: []string{"openid", "email"},
			Endpoint: oauth2.Endpoint{AuthURL: issuer.AuthorizationEndpoint(), TokenURL: issuer.TokenEndpoint()}}
		_, header, _ := r.send(client(), "GET", c.AuthCodeURL("state"), "")
		token, err := c.Exchange(context.Background(), parameter(t, header.Get("Location"), "code"))
		if err != nil {
			t.Fatal(err)
		}
		return token.Extra("id_token").(string)
	}
	as := func(token, method, path, body string) (int, http.Header, string) {
		t.Helper()
		return r.send(client(), method, path, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
	}

	mary := idToken("mary")
	code, err := r.google.DeviceCode("local.apps.googleusercontent.com", "openid email "+gmailLabels, fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	r.expect(http.StatusUnauthorized, "consent_required")(as(mary, "GET", "/listlabels", ""))
	r.expect(http.StatusOK, ada)(as(mary, "POST", "/oauth2callback", `{"code":"`+code+`","from":"device"}`))
	r.expect(http.StatusOK, `"INBOX"`)(as(mary, "GET", "/listlabels", ""))
	r.expect(http.StatusOK, `"INBOX"`)(as(idToken("mary"), "GET", "/listlabels", ""))
	r.expect(http.StatusUnauthorized, "consent_required")(as(idToken("charles"), "GET", "/listlabels", ""))
	r.expect(http.StatusUnauthorized, "invalid_token")(as(r.google.AppToken("mary", nil), "GET", "/listlabels", ""))
}
