package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// loadBuild reads a build configuration as gcloud builds submit does.
const loadBuild = `
import os, sys
root = sys.argv[1]
sys.path[:0] = [os.path.join(root, 'lib', 'third_party'), os.path.join(root, 'lib')]
from apitools.base.py import encoding
from googlecloudsdk.api_lib.cloudbuild import cloudbuild_util, config
messages = cloudbuild_util.GetMessagesModule()
print(encoding.MessageToJson(config.LoadCloudbuildConfigFromPath(sys.argv[2], messages)))
`

func TestCloudBuild(t *testing.T) {
	requireGcloud(t)
	gcloud, python := sdk()
	cmd := exec.Command(python, "-c", loadBuild, gcloud, filepath.Join(root, "cloudbuild.yaml"))
	cmd.Env = newCloud(t).env(t)
	loaded, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, loaded)
	}
	var build struct {
		Substitutions map[string]string
		Steps         []struct {
			ID, Entrypoint string
			Args, Env      []string
		}
		Options struct{ Env []string }
	}
	if err := json.Unmarshal(loaded, &build); err != nil {
		t.Fatal(err)
	}

	t.Run("tests, stages, deploys and asks the functions", func(t *testing.T) {
		var steps []string
		for _, s := range build.Steps {
			steps = append(steps, s.ID)
		}
		if want := []string{"test", "stage", "deploy", "smoke"}; !slices.Equal(steps, want) {
			t.Errorf("steps %v, want %v", steps, want)
		}
	})

	t.Run("lays out and deploys the functions that _FUNCTION names, with nothing of it taken for shell", func(t *testing.T) {
		run := func(step int, function string) (string, error) {
			s := build.Steps[step]
			cmd := exec.Command(s.Entrypoint, s.Args...)
			cmd.Dir = root
			cmd.Env = append(environment("DRY_RUN=1"), s.Env...)
			for _, pair := range build.Options.Env {
				name, value, _ := strings.Cut(pair, "=")
				if name != "GOOGLE_CLOUD_PROJECT" {
					value = strings.NewReplacer("${_FUNCTION}", function).Replace(value)
					cmd.Env = append(cmd.Env, name+"="+build.Substitutions[strings.Trim(value, "${}")])
				}
				if name == "NAMES" {
					cmd.Env = append(cmd.Env, "NAMES="+function)
				}
			}
			out, err := cmd.Output()
			return string(out), err
		}
		if _, err := run(1, "listprojects"); err != nil {
			t.Fatal(err)
		}
		out, err := run(2, "listprojects")
		if err != nil || !strings.HasPrefix(out, "gcloud functions deploy listprojects ") || strings.Count(out, "functions deploy") != 1 {
			t.Errorf("%v\n%s", err, out)
		}
		canary := filepath.Join(t.TempDir(), "canary")
		for step := range 3 {
			if _, err := run(step+1, "$(touch "+canary+"); touch "+canary+" *"); err == nil {
				t.Errorf("step %s takes it for a name", build.Steps[step+1].ID)
			}
		}
		if _, err := os.Stat(canary); err == nil {
			t.Error("a substitution ran as a command")
		}
	})

	t.Run("has no shell text with a substitution in it", func(t *testing.T) {
		for _, s := range build.Steps {
			if slices.Contains(s.Args, "-c") || strings.Contains(strings.Join(s.Args, " "), "$") {
				t.Errorf("%s: %s %q", s.ID, s.Entrypoint, s.Args)
			}
		}
	})

	t.Run("declares every substitution and uses each", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(root, "cloudbuild.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?:^|[^$])\$\{?(\w+)`).FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
			if _, ok := build.Substitutions[m[1]]; !ok && m[1] != "PROJECT_ID" {
				t.Errorf("%s is not declared", m[1])
			}
		}
		for name := range build.Substitutions {
			if !used[name] {
				t.Errorf("%s is not used", name)
			}
		}
	})
}

// secrets are files with secrets as people call them.
var secrets = []string{"client_secret.json", "client_secret_123.apps.googleusercontent.com.json", "deploy/client_secret.json", "token-keyset.json",
	"keyset.txt", "prod.env", ".env", ".env.local", "functions/.envrc", "my-key.pem", "service-account-key.json", "credentials.json", "shared/seal/key",
	"application_default_credentials.json", "deploy/monitoring/channel.json", "secrets.yaml", "x.zip"}

func TestBuildUploadsNoSecret(t *testing.T) {
	requireGcloud(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".gcloudignore", ".gitignore"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(b))
	}
	needed := []string{"cloudbuild.yaml", "deploy/deploy.sh", "deploy/local/popup.js", "deploy/monitoring/errors.yaml", "functions/listlabels/listlabels.html", "functions/listtasklists/standin/tasks/v1/users/@me/lists.json",
		"go.mod", "shared/seal/seal.go", "shared/session/testdata/fuzz/FuzzCookie/30c05bcb6419cc5c"}
	for _, name := range append(slices.Concat(needed, secrets), ".git/config", ".ci/run", "deploy/.stage/listlabels/go.mod", "deploy/.stage/listlabels/function.go", "program") {
		write(name, "text")
	}

	t.Run("to Cloud Build", func(t *testing.T) {
		cmd := exec.Command("gcloud", "meta", "list-files-for-upload", dir)
		cmd.Env = newCloud(t).env(t)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return strings.HasPrefix(name, ".g") })
		slices.Sort(got)
		if !slices.Equal(got, needed) {
			t.Errorf("%v\nwant %v", got, needed)
		}
	})
	t.Run("to a repository", func(t *testing.T) {
		requireTool(t, "git", "install git")
		command(t, dir, "rm", "-r", ".git")
		command(t, dir, "git", "init", "-q")
		got := strings.Fields(command(t, dir, "git", "ls-files", "--others", "--exclude-standard"))
		got = slices.DeleteFunc(got, func(name string) bool { return strings.HasPrefix(name, ".") })
		slices.Sort(got)
		if !slices.Equal(got, needed) {
			t.Errorf("%v\nwant %v", got, needed)
		}
	})
}

// A checkout as Git for Windows makes it has the line ends of ours.
func TestCheckoutOnWindows(t *testing.T) {
	requireTool(t, "git", "install git")
	dir := t.TempDir()
	for _, name := range []string{".gitattributes", "deploy/deploy.sh", "shared/httpfunc/style.css", ".ci/run", "deploy/local/docs/account.png"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "a", filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "a", name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(t, dir, "sh", "-c", `cd a && git init -q && git add -A && git -c user.name=a -c user.email=a@example.com commit -q -m a && cd .. &&
		git -c core.autocrlf=true -c core.eol=crlf clone -q a b`)
	if !reflect.DeepEqual(withoutGit(t, dir+"/b"), withoutGit(t, dir+"/a")) {
		t.Error("files differ")
	}
}

func withoutGit(t *testing.T, dir string) map[string]string {
	all := files(t, os.DirFS(dir))
	maps.DeleteFunc(all, func(name, _ string) bool { return strings.HasPrefix(name, ".git/") })
	return all
}
