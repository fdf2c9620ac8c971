package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout makes the folder of the test a copy of the project, as far as a function needs it.
func checkout(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"functions", "shared"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("../..", part))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, part), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func TestNewFunctionFrom(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and tests three functions")
	}
	checkout(t)
	for _, from := range []string{"listlabels", "createevent", "dailyevent"} {
		t.Run(from, func(t *testing.T) {
			var out bytes.Buffer
			name := "new" + from[:4]
			if err := run([]string{name, "-from", from}, &out); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"functions/" + name + "/" + name + ".go:", "Title:", "Scopes:", "go test ./functions/" + name, "http://localhost:8080/" + name} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in %s", want, &out)
				}
			}
			filepath.WalkDir(filepath.Join("functions", name), func(path string, entry fs.DirEntry, err error) error {
				b, _ := os.ReadFile(path)
				if err != nil || strings.Contains(path, from) || bytes.Contains(b, []byte(from)) {
					t.Errorf("%s is still named in %s (%v)", from, path, err)
				}
				return nil
			})
			for _, args := range [][]string{{"test", "-trimpath", "./functions/" + name}, {"build", "-trimpath", "./functions/all"}} {
				cmd := exec.Command("go", args...)
				cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
				if b, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, b)
				}
			}
		})
	}
	b, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(b), "\n"); strings.Count(string(b), "/functions/new") != 3 {
		t.Errorf("the list is %s", lines)
	}
}

func TestNewRefuses(t *testing.T) {
	checkout(t)
	before, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"no name":                            {nil, "usage"},
		"a flag in place of a name":          {[]string{"-h"}, "usage"},
		"two names":                          {[]string{"one", "two"}, "usage"},
		"an unknown flag":                    {[]string{"tasks", "-form", "x"}, "usage"},
		"a name that is taken":               {[]string{"listlabels"}, "there already"},
		"the list's own name":                {[]string{"all"}, "there already"},
		"a name with a hyphen":               {[]string{"list-tasks"}, "no name"},
		"a name in capitals":                 {[]string{"ListTasks"}, "no name"},
		"a name that begins with a digit":    {[]string{"2tasks"}, "no name"},
		"a name that leads elsewhere":        {[]string{"../tasks"}, "no name"},
		"a name of 50 letters":               {[]string{strings.Repeat("a", 50)}, "no name"},
		"a word of Go's":                     {[]string{"range"}, "needs"},
		"a folder that Go keeps to itself":   {[]string{"internal"}, "needs"},
		"a name that Google keeps to itself": {[]string{"googletasks"}, "needs"},
		"the name of all functions in one":   {[]string{"app"}, "needs"},
		"a function that is none":            {[]string{"tasks", "-from", "nothing"}, "no such function"},
		"a function of the framework":        {[]string{"tasks", "-from", "oauth2init"}, "no such function"},
		"the list in place of a function":    {[]string{"tasks", "-from", "all"}, "no such function"},
	} {
		t.Run(what, func(t *testing.T) {
			if err := run(c.args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if _, err := os.Stat("functions/tasks"); err == nil {
				t.Error("a folder was made")
			}
		})
	}
	if after, err := os.ReadFile(list); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the list was changed (%v)", err)
	}
	t.Chdir(t.TempDir())
	if err := run([]string{"tasks"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "top folder") {
		t.Errorf("elsewhere: %v", err)
	}
}
