// Package deploy_test proves what can be proven of the deployment without a Google Cloud project.
package deploy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the top of the module, seen from here.
const root = ".."

// A setting is what the scripts know of a function.
type setting struct {
	name, kind string
	visitor    int // the status that a browser without a session gets
}

// settings returns the functions that the scripts know, but for the one that is all of them.
func settings(t testing.TB) []setting {
	t.Helper()
	_, list, _ := strings.Cut(readSettings(t, environment("REGION=region")), "FUNCTIONS='")
	var all []setting
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		visitor, err := strconv.Atoi(f[4])
		if err != nil {
			t.Fatal(err)
		}
		if f[1] != "all" {
			all = append(all, setting{f[0], f[1], visitor})
		}
	}
	return all
}

// readSettings returns what settings.sh evaluates.
func readSettings(t testing.TB, env []string) string {
	t.Helper()
	requireShell(t)
	return output(t, env, `. deploy/settings.sh && printf '%s' "$READ_SETTINGS"`)
}

// output returns what a piece of shell prints at the top of the module.
func output(t testing.TB, env []string, shell string) string {
	t.Helper()
	cmd := bash(env, shell)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return string(out)
}

func TestFunctionsAreTheSameEverywhere(t *testing.T) {
	var folders []string
	files, err := filepath.Glob(root + "/functions/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if folder := filepath.Base(filepath.Dir(file)); !strings.HasSuffix(file, "_test.go") && folder != "all" {
			folders = append(folders, folder)
		}
	}
	folders = slices.Compact(folders)
	var set []string
	for _, s := range settings(t) {
		set = append(set, s.name)
	}
	if !slices.Equal(set, folders) {
		t.Errorf("the scripts know %v\nthe folders are %v", set, folders)
	}
}

func TestSettings(t *testing.T) {
	requireShell(t)
	shown := func(show string, more ...string) string {
		return output(t, environment(append([]string{"REGION=region"}, more...)...), `. deploy/settings.sh && printf '%s' "`+show+`"`)
	}
	t.Run("spell BASE_URL as the functions do", func(t *testing.T) {
		if got := shown("$BASE_URL", "BASE_URL=https://App.Example.com:443/api/"); got != "https://app.example.com/api" {
			t.Error(got)
		}
	})
	t.Run("turn round the id of a domain's project", func(t *testing.T) {
		got := shown("$FUNCTIONS_ACCOUNT $BASE_URL", "GOOGLE_CLOUD_PROJECT=example.com:project")
		if want := "oauth-functions@project.example.com.iam.gserviceaccount.com https://region-project.example.com.cloudfunctions.net"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
	t.Run("put all in one under its own path", func(t *testing.T) {
		if got := shown("$BASE_URL $(selected all)", "ALL_IN_ONE=1"); got != "https://region-project.cloudfunctions.net/app app" {
			t.Error(got)
		}
	})
	t.Run("complete the name of a queue", func(t *testing.T) {
		if got := shown("$TASK_QUEUE", "TASK_QUEUE=jobs"); got != "projects/project/locations/region/queues/jobs" {
			t.Error(got)
		}
	})
	for what, set := range map[string]string{
		"an address without https": "BASE_URL=http://app.example.com",
		"a front end without one":  "FRONT_ENDS=app.example.com",
		"a cookie of another name": "SESSION_COOKIE=sid",
	} {
		t.Run("are refused with "+what, func(t *testing.T) {
			out, err := bash(environment(set), ". deploy/settings.sh && echo went on").CombinedOutput()
			if name, _, _ := strings.Cut(set, "="); err == nil || !strings.Contains(string(out), name) || strings.Contains(string(out), "went on") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestQuoted(t *testing.T) {
	requireShell(t)
	for _, word := range []string{"plain", "it's", "a b", "", `back\slash`, "a&b", "$HOME", `"`, "(default)", "é"} {
		if got := output(t, append(os.Environ(), "WORD="+word), `. deploy/command.sh && eval "printf %s $(quoted "$WORD")"`); got != word {
			t.Errorf("%q becomes %q", word, got)
		}
	}
}
