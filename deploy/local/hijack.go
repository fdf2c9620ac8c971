package main

import (
	"fmt"
	"net/http"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

// eventsName is the function that Google sends its security events to.
const eventsName = "securityevents"

var hijackPage = httpfunc.NewPage("Google has said that the account was hijacked", `<p>This page just played Google: it sent a security event about <code>{{.Value.Email}}</code> to <code>`+eventsName+`</code>, which answered with status {{.Value.Status}}.</p>
<p>Every session of that account that began before is over, in whatever browser. What it permitted stays.</p>
<p class="actions"><a class="button" href="{{.URL "account"}}">See who is signed in here</a></p>
`)

// hijack plays Google when it finds that the user's account was hijacked: it sends a security event [Google:
// Cross-Account Protection].
func (s *site) hijack(user fakegoogle.User) func(*http.Request) (*httpfunc.View, error) {
	return func(r *http.Request) (*httpfunc.View, error) {
		event := s.google.SecurityEvent(user.Subject, "account-disabled", "hijacking", nil)
		status, err := fakegoogle.SendSecurityEvent(r.Context(), "http://"+s.addr+"/"+eventsName, event)
		if err != nil {
			return nil, err
		}
		if status != http.StatusAccepted {
			return nil, fmt.Errorf("%s: status %d", eventsName, status)
		}
		return hijackPage.View(struct {
			Email  string `json:"email"`
			Status int    `json:"status"`
		}{user.Email, status}), nil
	}
}
