package main

import (
	"net/http"
	"testing"
	"time"
)

func TestHijackedAccount(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	hijacked := r.google.Users()[0]
	owner, stranger, other := client(), client(), client()
	r.signIn(owner, "/listlabels", ada)
	r.signIn(stranger, "/listlabels", ada)
	r.signIn(other, "/listlabels", grace)
	button := func(site string) (int, http.Header, string) {
		return r.send(client(), "POST", "/hijacked/"+hijacked.Subject, "", "Accept", "text/html", "Sec-Fetch-Site", site)
	}
	isIn := func(c *http.Client) bool {
		status, _, _ := r.send(c, "GET", "/account", "", "Accept", "application/json")
		return status == http.StatusOK
	}
	r.expect(http.StatusForbidden, "another website")(button("cross-site"))
	if !isIn(owner) {
		t.Fatal("another site's press did it")
	}
	deadline := time.Now().Add(patience)
	for isIn(owner) && time.Now().Before(deadline) { // an event's time is in whole seconds
		r.expect(http.StatusOK, ada, "status 202")(button("same-origin"))
		time.Sleep(50 * time.Millisecond)
	}
	if isIn(owner) || isIn(stranger) || !isIn(other) {
		t.Errorf("the owner is in: %v, the stranger: %v, somebody else: %v", isIn(owner), isIn(stranger), isIn(other))
	}
	r.signIn(owner, "/account", ada)
	if !isIn(owner) {
		t.Error("the owner cannot sign in anew")
	}
}
