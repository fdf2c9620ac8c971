package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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
	out, err := exec.Command("gcloud", "info", "--format=value(installation.sdk_root,basic.python_location)").Output()
	if err != nil {
		t.Fatal(err)
	}
	sdk := strings.Fields(string(out))
	cmd := exec.Command(sdk[1], "-c", loadBuild, sdk[0], filepath.Join(root, "cloudbuild.yaml"))
	cmd.Env = newCloud(t).env(t)
	loaded, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, loaded)
	}
	var build struct {
		Substitutions map[string]string
		Steps         []struct {
			ID        string
			Args, Env []string
		}
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

	t.Run("lays out and deploys the one function that _FUNCTION names", func(t *testing.T) {
		t.Cleanup(func() { os.RemoveAll(".stage/listprojects") })
		run := func(step int) string {
			args := append([]string{}, build.Steps[step].Args...)
			for i, arg := range args {
				args[i] = strings.NewReplacer("${_FUNCTION}", "listprojects", "$$", "$").Replace(arg)
			}
			cmd := exec.Command("bash", args...)
			cmd.Dir = root
			cmd.Env = append(environment("DRY_RUN=1"), build.Steps[step].Env...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return string(out)
		}
		run(1)
		if _, err := os.Stat(".stage/listprojects/functions/listprojects/listprojects.go"); err != nil {
			t.Error(err)
		}
		out := run(2)
		if !strings.HasPrefix(out, "gcloud functions deploy listprojects ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s", out)
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

func TestBuildUploadsNoSecret(t *testing.T) {
	requireGcloud(t)
	ignore, err := os.ReadFile(filepath.Join(root, ".gcloudignore"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{".gcloudignore", ".git/config", "client_secret.json", "client_secret_123.apps.googleusercontent.com.json",
		"deploy/.stage/listlabels/go.mod", "token-keyset.json", "prod.env", ".env", "go.mod", "deploy/deploy.sh", "functions/listlabels/listlabels.html"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), ignore, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("gcloud", "meta", "list-files-for-upload", dir)
	cmd.Env = newCloud(t).env(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	if want := []string{"deploy/deploy.sh", "functions/listlabels/listlabels.html", "go.mod"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
