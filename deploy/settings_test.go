// Package deploy_test proves what can be proven of the deployment without a Google Cloud project.
package deploy_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the top of the module, seen from here.
const root = ".."

// A setting is a line of FUNCTIONS in settings.sh.
type setting struct {
	name    string
	visitor int // the status that a browser without a session gets
}

func settings(t testing.TB) []setting {
	t.Helper()
	requireShell(t)
	cmd := exec.Command("bash", "-c", ". ./settings.sh && selected all")
	cmd.Env = environment()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []setting
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 9 {
			t.Fatalf("%q has %d columns", line, len(f))
		}
		visitor, err := strconv.Atoi(f[7])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, setting{f[0], visitor})
	}
	return all
}

func TestFunctionsAreTheSameEverywhere(t *testing.T) {
	var folders []string
	files, err := filepath.Glob(root + "/functions/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			folders = append(folders, filepath.Base(filepath.Dir(file)))
		}
	}
	folders = slices.Compact(folders)

	var set []string
	for _, s := range settings(t) {
		set = append(set, s.name)
	}
	slices.Sort(set)
	if !slices.Equal(set, folders) {
		t.Errorf("deploy/settings.sh names %v\nthe folders are %v", set, folders)
	}

	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "./local").Output()
	if err != nil {
		t.Fatal(err)
	}
	var imported []string
	for path := range strings.FieldsSeq(string(out)) {
		if name, ok := strings.CutPrefix(path, "functions.local/oauth/functions/"); ok {
			imported = append(imported, name)
		}
	}
	slices.Sort(imported)
	if !slices.Equal(imported, folders) {
		t.Errorf("deploy/local imports %v\nthe folders are %v", imported, folders)
	}
}
