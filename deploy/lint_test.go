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

// quotedAll joins words that need no quotes.
func quotedAll(words []string) string { return strings.Join(words, " ") }

// gcloudLine matches a gcloud command in a line of shell, up to what the shell does with its output.
var gcloudLine = regexp.MustCompile(`gcloud (?:'[^']*'|[^'|&>)#\n])+`)

func TestGcloudAcceptsEveryLine(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	env := environment("DRY_RUN=1", "OAUTH_SCOPES=a b", "SESSION_COOKIE=__session", "TASK_QUEUE=jobs", "PUBLIC=no-invoker-check", "REGION=region")
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
	for _, args := range [][]string{{"deploy.sh", "all"}, {"deploy.sh", "app"}, {"setup.sh", clientFile(t, clientJSON)}, {"restart.sh", "all"},
		{"traffic.sh", "latest", "all"}, {"monitor.sh", "projects/project/notificationChannels/1"}} {
		add(args[0], output(t, append(slices.Clip(env), stagedAll(t)...), "deploy/"+quotedAll(args)))
	}
	for _, b := range blocks(t) {
		if strings.Contains(b.text, "gcloud ") {
			add("README.md", strings.NewReplacer("\\\n", "", "$GOOGLE_CLOUD_PROJECT", "project").Replace(b.text))
		}
	}

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
