package all_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestBadConfigurationEndsTheProcessWithOneMessage runs this binary as Cloud Run would start it: the
// functions register, and nothing else is done.
func TestBadConfigurationEndsTheProcessWithOneMessage(t *testing.T) {
	start := func(env ...string) (code int, output string) {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append([]string{"K_SERVICE=listlabels", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	for name, c := range map[string]struct {
		env  []string
		says []string
	}{
		"nothing set": {nil, []string{"BASE_URL is not set", "OAUTH_CLIENT_JSON is not set", "TOKEN_KEYSET is not set", "go run ./deploy/keyset new", "GOOGLE_CLOUD_PROJECT is not set"}},
		"much wrong": {[]string{"BASE_URL=http://functions.example", "OAUTH_CLIENT_JSON=canary-secret", "TOKEN_KEYSET=canary-keyset", "TOKEN_STORE=memory", "GOOGLE_BASE_URL=http://127.0.0.1:1", "SESSION_COOKIE=sid"},
			[]string{"BASE_URL must begin with https://", "OAUTH_CLIENT_JSON is not JSON", "TOKEN_KEYSET does not open", "TOKEN_STORE is memory", "GOOGLE_BASE_URL is set", "SESSION_COOKIE must be one of"}},
	} {
		code, output := start(c.env...)
		var line struct{ Severity, Message string }
		if err := json.Unmarshal([]byte(output), &line); err != nil || code != 1 || line.Severity != "ERROR" {
			t.Fatalf("%s: exit code %d, want 1 and one line of JSON: %s", name, code, output)
		}
		for _, text := range c.says {
			if strings.Count(line.Message, text) != 1 {
				t.Errorf("%s: not once %q in: %s", name, text, line.Message)
			}
		}
		if strings.Contains(output, "canary") {
			t.Errorf("%s: quotes a secret: %s", name, output)
		}
	}
}
