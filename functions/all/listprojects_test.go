package all_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

const cloudReadOnly = "https://www.googleapis.com/auth/cloud-platform.read-only"

func TestListProjects(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	expect(t, b.visit("/listlabels", ada), http.StatusOK)

	page := b.get("/listprojects")
	expect(t, page, http.StatusFound)
	consent, err := url.Parse(page.location())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := consent.Query().Get("scope"), "openid email "+cloudReadOnly; got != want {
		t.Errorf("asked for %q, want just what is missing: %q", got, want)
	}
	if q := consent.Query(); q.Get("access_type") != "online" || q.Get("include_granted_scopes") == "true" {
		t.Errorf("asked together with what was granted, or for good: %s", consent)
	}
	expect(t, b.getJSON("/listprojects"), http.StatusUnauthorized, `"error":"consent_required"`, `"missing_scopes":["`+cloudReadOnly+`"]`)

	page = b.visit("/listprojects", ada)
	expect(t, page, http.StatusOK, "Analytical Engine", "analytical-engine", "active")

	many := make([]fakegoogle.Project, 250)
	for i := range many {
		many[i] = fakegoogle.Project{ID: fmt.Sprintf("project-%d", i), Name: hostile, Number: fmt.Sprint(1000 + i)}
	}
	w.fake.SetProjects(ada, many)
	page = b.get("/listprojects")
	expect(t, page, http.StatusOK, "project-0<", "project-249<")
	expectInert(t, page)

	w.fake.SetProjects(ada, []fakegoogle.Project{{ID: "a", Name: "A", Number: "1", State: "DELETE_REQUESTED"}})
	a := b.getJSON("/listprojects")
	expect(t, a, http.StatusOK)
	if got, want := strings.TrimSpace(a.body), `{"projects":[{"id":"a","name":"A","state":"DELETE_REQUESTED"}]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}

	w.fake.SetProjects(ada, nil)
	expect(t, b.get("/listprojects"), http.StatusOK, "no Google Cloud project")
	if a := b.getJSON("/listprojects"); strings.TrimSpace(a.body) != `{"projects":[]}` {
		t.Errorf("none: %s", a.body)
	}

	expect(t, b.post("/listprojects", nil), http.StatusMethodNotAllowed)
}
