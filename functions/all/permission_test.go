package all_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/tokenstore"
)

// TestEveryPermissionIsInWords asks each function for consent and looks up what it asks for.
func TestEveryPermissionIsInWords(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	asked := 0
	for _, name := range httpfunc.Names() {
		a := w.browser().get("/" + name)
		if a.status != http.StatusFound || name == "oauth2init" {
			continue
		}
		u, err := url.Parse(a.location())
		if err != nil {
			t.Fatal(err)
		}
		for _, scope := range strings.Fields(u.Query().Get("scope"))[2:] {
			asked++
			if f := functionOf(t, name); f.Permission == "" || !slices.Contains(f.Scopes.First(), scope) {
				t.Errorf("%s asks for %s, which its words do not stand for", name, scope)
			}
		}
	}
	if asked < 4 {
		t.Errorf("just %d permissions were asked for", asked)
	}
}

func functionOf(t *testing.T, name string) httpfunc.Function {
	t.Helper()
	for _, f := range httpfunc.Functions() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no function %s", name)
	return httpfunc.Function{}
}
