package deploy_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestStaged(t *testing.T) {
	stagedAll(t)
	for _, s := range settings(t) {
		t.Run(s.name, func(t *testing.T) {
			dir := filepath.Join(stages, s.name)
			t.Run("holds the function and what it needs, as they are here, and nothing else", func(t *testing.T) {
				checkFiles(t, s.name, dir)
			})
			t.Run("requires no module of the tests, and the others at our versions", func(t *testing.T) {
				checkModules(t, dir)
			})
			t.Run("is tidy, builds and serves", func(t *testing.T) {
				p := start(t, build(t, s.name), deployedEnvironment(t, s.name))
				res, err := p.get(t.Context(), http.Header{})
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != s.visitor {
					t.Errorf("status %d, want %d\n%s", res.StatusCode, s.visitor, p.stderr)
				}
				if to := res.Header.Get("Location"); s.visitor == http.StatusFound && !strings.HasPrefix(to, "https://accounts.google.com/o/oauth2/v2/auth?") {
					t.Errorf("Location %s", to)
				}
			})
		})
	}
}

// All in one: what the platform passes on has the name app in its path or has not.
func TestStagedAllInOne(t *testing.T) {
	p := start(t, build(t, "app"), deployedEnvironment(t, "app", "BASE_URL=https://region-project.cloudfunctions.net/app"))
	base := p.url
	get := func(t *testing.T, path string) *http.Response {
		t.Helper()
		p.url = base + path
		res, err := p.get(t.Context(), http.Header{})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	for _, s := range settings(t) {
		t.Run("serves "+s.name+" under its name, also behind its own", func(t *testing.T) {
			for _, path := range []string{"/" + s.name, "/app/" + s.name, "/" + s.name + "/"} {
				res := get(t, path)
				if res.StatusCode != s.visitor {
					t.Errorf("%s: status %d, want %d", path, res.StatusCode, s.visitor)
				}
				to := res.Header.Get("Location")
				if s.visitor == http.StatusFound && !strings.Contains(to, "redirect_uri="+url.QueryEscape("https://region-project.cloudfunctions.net/app/oauth2callback")) {
					t.Errorf("%s: Location %s", path, to)
				}
			}
		})
	}
	t.Run("answers 404 under every other path, as one of our pages", func(t *testing.T) {
		for _, path := range []string{"/", "/app", "/app/", "/application", "/nope", "/app/app/listlabels", "/listlabels/x", "/favicon.ico"} {
			if res := get(t, path); res.StatusCode != http.StatusNotFound || res.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s: status %d, headers %v", path, res.StatusCode, res.Header)
			}
		}
	})
	t.Run("knows what the others are called before it is configured", func(t *testing.T) {
		// listprojects keeps its permission apart: it is asked for alone, online, whoever registers first.
		if to := get(t, "/listprojects").Header.Get("Location"); strings.Contains(to, "cloud-platform") && strings.Contains(to, "access_type=offline") {
			t.Errorf("Location %s", to)
		}
	})
}

// generated are the files that stage makes itself.
var generated = map[string]bool{"function.go": true, "shared/httpfunc/words.go": true, "go.mod": true, "go.sum": true}

func checkFiles(t *testing.T, name, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		staged, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range []string{"GOCSPX-", `"primaryKeyId"`, "PRIVATE KEY"} {
			if bytes.Contains(staged, []byte(secret)) {
				t.Errorf("%s holds %q", file, secret)
			}
		}
		if generated[file] {
			return nil
		}
		own := strings.HasPrefix(file, "functions/"+name+"/")
		shared := strings.HasPrefix(file, "shared/") && !strings.Contains(file, "fakegoogle") && !strings.Contains(file, "tokenstoretest")
		if !own && !shared || strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s does not belong there", file)
		}
		original, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		if !bytes.Equal(staged, original) {
			t.Errorf("%s differs", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkModules(t *testing.T, dir string) {
	ours := requirements(t, root)
	for path, version := range requirements(t, dir) {
		if strings.Contains(path, "chromedp") || strings.Contains(path, "go-cmp") || ours[path] != version {
			t.Errorf("%s %s; ours is %q", path, version, ours[path])
		}
	}
}

// requirements returns the modules in a go.mod and their versions.
func requirements(t *testing.T, dir string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range mod.Require {
		versions[r.Path] = r.Version
	}
	return versions
}
