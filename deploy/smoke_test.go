package deploy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSmoke(t *testing.T) {
	requireTool(t, "curl", "apt-get install curl")
	all := settings(t)
	read := readSettings(t, environment("REGION=region"))
	smoke := func(t *testing.T, answer func(name string, asked int) int, args ...string) (out, url string, err error) {
		var mu sync.Mutex
		asked := map[string]int{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			name := strings.TrimPrefix(r.URL.Path, "/")
			asked[name]++
			w.WriteHeader(answer(name, asked[name]))
		}))
		defer server.Close()
		// The settings that were read when the functions were laid out, but at this server's address.
		dir := t.TempDir()
		local := "BASE_URL=" + server.URL + "\n" + read[strings.Index(read, "FUNCTIONS="):]
		if err := os.WriteFile(filepath.Join(dir, "settings"), []byte(local), 0o600); err != nil {
			t.Fatal(err)
		}
		home := t.TempDir() // of somebody whose curl follows redirects and shows headers
		if err := os.WriteFile(filepath.Join(home, ".curlrc"), []byte("location\ninclude\nwrite-out = \"no\"\nmax-time = 0.001\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err = script(environment("STAGED=1", "STAGES="+dir, "HOME="+home), "smoke.sh", args...)
		return out, server.URL, err
	}
	visitor := func(name string, _ int) int {
		for _, s := range all {
			if s.name == name {
				return s.visitor
			}
		}
		return http.StatusNotFound
	}

	t.Run("is content with what the functions themselves answer", func(t *testing.T) {
		out, _, err := smoke(t, visitor, "all")
		if err != nil || strings.Count(out, ": ok ") != len(all) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("names a function that answers something else", func(t *testing.T) {
		out, url, err := smoke(t, func(name string, asked int) int {
			if name == "account" {
				return http.StatusForbidden
			}
			return visitor(name, asked)
		}, "all")
		if want := fmt.Sprintf("account: FAIL  %s/account 403, want 302\n", url); err == nil || !strings.Contains(out, want) || !strings.Contains(out, "smoke.sh account\n") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("asks the function that is named alone, and waits until Google has made it public", func(t *testing.T) {
		out, url, err := smoke(t, func(name string, asked int) int {
			if name == "listlabels" && asked > 2 {
				return http.StatusFound
			}
			return http.StatusForbidden
		}, "listlabels")
		if want := fmt.Sprintf("listlabels: ok    %s/listlabels 302\n", url); err != nil || !strings.HasPrefix(out, want) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("asks all of them where they are all in one", func(t *testing.T) {
		out, _, err := smoke(t, visitor, "app")
		if err != nil || strings.Count(out, ": ok ") != len(all) {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
