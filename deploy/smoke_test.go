package deploy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestSmoke(t *testing.T) {
	requireTool(t, "curl", "apt-get install curl")
	all := settings(t)
	smoke := func(broken string, args ...string) (out, url string, err error) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, s := range all {
				if r.URL.Path == "/"+s.name && s.name != broken {
					w.WriteHeader(s.visitor)
					return
				}
			}
			http.NotFound(w, r)
		}))
		defer server.Close()
		out, err = script(environment("BASE_URL="+server.URL), "smoke.sh", args...)
		return out, server.URL, err
	}

	t.Run("is content with the statuses of the settings", func(t *testing.T) {
		out, _, err := smoke("", "all")
		if err != nil || strings.Count(out, "ok ") != len(all) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("names a function that answers something else", func(t *testing.T) {
		out, url, err := smoke("account", "all")
		if want := fmt.Sprintf("FAIL  %s/account 404, want 302\n", url); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("asks the function that is named alone", func(t *testing.T) {
		out, url, err := smoke("account", "listlabels")
		if want := fmt.Sprintf("ok    %s/listlabels 302\n", url); err != nil || out != want {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("fails where nobody answers", func(t *testing.T) {
		out, err := script(environment("BASE_URL=http://127.0.0.1:1"), "smoke.sh", "listlabels")
		if err == nil || !strings.Contains(out, "/listlabels 000, want 302") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func TestFirebaseSample(t *testing.T) {
	b, err := os.ReadFile("firebase.json")
	if err != nil {
		t.Fatal(err)
	}
	var sample struct {
		Hosting struct {
			Rewrites []struct {
				Source string
				Run    struct{ ServiceID string }
			}
		}
	}
	if err := json.Unmarshal(b, &sample); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, s := range settings(t) {
		want = append(want, "/"+s.name+" to "+s.name)
	}
	for _, r := range sample.Hosting.Rewrites {
		got = append(got, r.Source+" to "+r.Run.ServiceID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rewrites %v\nwant %v", got, want)
	}
}
