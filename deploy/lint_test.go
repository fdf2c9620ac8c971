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

// gcloudLine matches a gcloud command in a line of shell, up to what the shell does with its output.
var gcloudLine = regexp.MustCompile(`gcloud (?:'[^']*'|[^'|&>)#\n])+`)

func TestGcloudAcceptsEveryLine(t *testing.T) {
	requireGcloud(t)
	env := environment("DRY_RUN=1", "OAUTH_SCOPES=a b", "SESSION_COOKIE=__session")
	type line struct {
		Command string `json:"command_string"`
	}
	var lines []line
	add := func(from, text string) {
		t.Helper()
		found := gcloudLine.FindAllString(text, -1)
		if len(found) == 0 {
			t.Fatalf("%s: no gcloud command", from)
		}
		for _, command := range found {
			lines = append(lines, line{strings.TrimSpace(command)})
		}
	}
	for _, args := range [][]string{{"deploy.sh", "all"}, {"setup.sh", clientFile(t, clientJSON)}} {
		out, err := script(env, args[0], args[1:]...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		add(args[0], out)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var shell strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		shell.WriteString(strings.NewReplacer("\\\n", "", "$GOOGLE_CLOUD_PROJECT", "project").Replace(block[1]))
	}
	add("README.md", shell.String())

	b, err := json.Marshal(append(lines, line{"gcloud functions deploy name --no-such-flag"}))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "commands.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gcloud", "meta", "lint-gcloud-commands", "--commands-file="+file)
	cmd.Env = newCloud(t).env(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []struct {
		Command string `json:"command_string"`
		Success bool
		Error   string `json:"error_message"`
	}
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatal(err)
	}
	// gcloud's exit code is 0 whatever it finds, and a command that is given twice is looked at once.
	accepted := 0
	for _, r := range results {
		switch wrong := strings.Contains(r.Command, "--no-such-flag"); {
		case r.Success:
			accepted++
		case !wrong:
			t.Errorf("%s: %s", r.Command, r.Error)
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.Command, b.Command) })
	if want := len(slices.Compact(lines)); accepted != want {
		t.Errorf("gcloud accepts %d of %d commands", accepted, want)
	}
}

func TestShellcheck(t *testing.T) {
	requireTool(t, "shellcheck", "apt-get install shellcheck")
	command(t, root, "sh", "-c", "shellcheck -x deploy/*.sh")
}
