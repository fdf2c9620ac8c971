package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

const clientJSON = `{"web":{"client_id":"id","client_secret":"canary-secret","redirect_uris":["https://a.example.com/oauth2callback"]}}`

// healthy is an environment that nothing is wrong with.
func healthy(t *testing.T) map[string]string {
	t.Helper()
	google := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(google.Close)
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"BASE_URL": "https://a.example.com", "OAUTH_CLIENT_JSON": clientJSON, "TOKEN_KEYSET": string(keys.JSON()),
		"TOKEN_STORE": "memory", "GOOGLE_BASE_URL": google.URL,
	}
}

// examine returns what the doctor says of an environment, at a time of its clock.
func examine(t *testing.T, env map[string]string, now func() time.Time, admin ...option.ClientOption) (said string, well bool) {
	t.Helper()
	var out bytes.Buffer
	d := &doctor{getenv: func(name string) string { return env[name] }, now: now, client: http.DefaultClient, admin: admin, out: &out}
	well = d.examine(t.Context())
	for _, secret := range []string{"canary", `"value"`} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("a secret is shown: %q", secret)
		}
	}
	return out.String(), well
}

func TestHealthy(t *testing.T) {
	said, well := examine(t, healthy(t), time.Now)
	if !well || strings.Contains(said, "WRONG") {
		t.Errorf("%s", said)
	}
	for _, want := range []string{
		"ok      TOKEN_KEYSET opens\n",
		"ok      OAUTH_CLIENT_JSON is a web client with the redirect URI https://a.example.com/oauth2callback\n",
		"ok      BASE_URL is https://a.example.com; the cookie is __Host-session\n",
		"ok      the clock agrees with Google's\n",
		"skipped Firestore is not used: TOKEN_STORE is memory\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
}

func TestFindings(t *testing.T) {
	for what, test := range map[string]struct {
		env  map[string]string
		want []string // what is wrong, and how it is mended
	}{
		"a desktop client": {
			map[string]string{"OAUTH_CLIENT_JSON": strings.Replace(clientJSON, "web", "installed", 1)},
			[]string{`OAUTH_CLIENT_JSON is a client of the type "installed"`, `make one of the type "Web application"`},
		},
		"a public http base URL": {
			map[string]string{"BASE_URL": "http://a.example.com"},
			[]string{"BASE_URL must begin with https://"},
		},
		"a keyset that does not open": {
			map[string]string{"TOKEN_KEYSET": `{"primaryKeyId":1,"key":[{"keyData":{"value":"canary"}}]}`},
			[]string{"TOKEN_KEYSET does not open", "restore the version before"},
		},
		"Firebase Hosting without its cookie": {
			map[string]string{"BASE_URL": "https://project.web.app"},
			[]string{"SESSION_COOKIE is __Host-session, which Firebase Hosting does not pass on", "set it to __session"},
		},
		"a __Host- cookie on http": {
			map[string]string{"BASE_URL": "http://localhost:8080", "SESSION_COOKIE": "__Host-session"},
			[]string{"SESSION_COOKIE is __Host-session, which browsers keep on https only", "leave it out"},
		},
		"a Google that does not answer": {
			map[string]string{"GOOGLE_BASE_URL": "http://127.0.0.1:1"},
			[]string{"Google does not answer", "http://127.0.0.1:1", "HTTPS_PROXY"},
		},
		"no project": {
			map[string]string{"TOKEN_STORE": ""},
			[]string{"GOOGLE_CLOUD_PROJECT is not set", "skipped Firestore cannot be looked for"},
		},
		"an emulator that is not running": {
			map[string]string{"TOKEN_STORE": "", "GOOGLE_CLOUD_PROJECT": "project", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"},
			[]string{"Firestore cannot be read (", "start the emulator at 127.0.0.1:1", "skipped the TTL policy"},
		},
		"several at once": {
			map[string]string{"BASE_URL": "", "OAUTH_CLIENT_JSON": "", "TOKEN_KEYSET": ""},
			[]string{"WRONG   BASE_URL is not set", "WRONG   OAUTH_CLIENT_JSON is not set", "WRONG   TOKEN_KEYSET is not set"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			if testing.Short() && test.env["FIRESTORE_EMULATOR_HOST"] != "" {
				t.Skip("it waits for the store's time limit")
			}
			env := healthy(t)
			for name, value := range test.env {
				env[name] = value
			}
			said, well := examine(t, env, time.Now)
			if well || !strings.Contains(said, "WRONG") {
				t.Errorf("all is well?\n%s", said)
			}
			for _, want := range test.want {
				if !strings.Contains(said, want) {
					t.Errorf("no %q in\n%s", want, said)
				}
			}
		})
	}

	t.Run("no credentials", func(t *testing.T) {
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
		env := healthy(t)
		env["TOKEN_STORE"], env["GOOGLE_CLOUD_PROJECT"] = "", "project"
		said, well := examine(t, env, time.Now)
		if well || !strings.Contains(said, "WRONG   Firestore cannot be read (") || !strings.Contains(said, "gcloud auth application-default login") {
			t.Errorf("%s", said)
		}
	})
}

func TestMatters(t *testing.T) {
	for what, test := range map[string]struct{ env, want string }{
		"a redirect URI that the client's file does not name": {"BASE_URL=https://b.example.com",
			"mind    OAUTH_CLIENT_JSON did not have the redirect URI https://b.example.com/oauth2callback when its file was made (it had https://a.example.com/oauth2callback)"},
		"a client's file without redirect URIs": {`OAUTH_CLIENT_JSON={"web":{"client_id":"id","client_secret":"canary"}}`, "(it had none)"},
		"a host for each function":              {"BASE_URL=https://app-abc-ew.a.run.app", "mind    BASE_URL is on run.app, where every function has a host"},
	} {
		t.Run(what, func(t *testing.T) {
			env := healthy(t)
			name, value, _ := strings.Cut(test.env, "=")
			env[name] = value
			if said, well := examine(t, env, time.Now); !well || !strings.Contains(said, test.want) {
				t.Errorf("no %q in\n%s", test.want, said)
			}
		})
	}
}

func TestClock(t *testing.T) {
	for off, wrong := range map[time.Duration]bool{-2 * time.Hour: true, -90 * time.Second: true, -40 * time.Second: false, 0: false,
		40 * time.Second: false, 90 * time.Second: true, 2 * time.Hour: true} {
		t.Run(fmt.Sprintf("off by %v", off), func(t *testing.T) {
			said, well := examine(t, healthy(t), func() time.Time { return time.Now().Add(off) })
			if well == wrong || strings.Contains(said, "WRONG   the clock is off by ") != wrong || wrong && !strings.Contains(said, "by NTP") {
				t.Errorf("%s", said)
			}
			if behind := strings.Contains(said, "off by -"); behind != (wrong && off < 0) {
				t.Errorf("behind: %v\n%s", behind, said)
			}
		})
	}

	t.Run("an answer without a date", func(t *testing.T) {
		env := healthy(t)
		silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
		defer silent.Close()
		env["GOOGLE_BASE_URL"] = silent.URL
		if said, well := examine(t, env, time.Now); well || !strings.Contains(said, "the clock cannot be compared") {
			t.Errorf("%s", said)
		}
	})
}

func TestTTL(t *testing.T) {
	for what, test := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"active":               {200, `{"ttlConfig":{"state":"ACTIVE"}}`, "ok      the TTL policy is active on x-flows.expires\n"},
		"being made":           {200, `{"ttlConfig":{"state":"CREATING"}}`, "ok      the TTL policy is being made on x-flows.expires\n"},
		"absent":               {200, `{}`, "WRONG   the TTL policy is not on x-flows.expires, so that marks of used sign-ins pile up: run deploy/setup.sh\n"},
		"broken":               {200, `{"ttlConfig":{"state":"NEEDS_REPAIR"}}`, "WRONG   the TTL policy is not on"},
		"not to be looked for": {403, `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}`, "roles/datastore.viewer"},
	} {
		t.Run(what, func(t *testing.T) {
			var asked string
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Path
				w.WriteHeader(test.status)
				io.WriteString(w, test.answer)
			}))
			defer api.Close()
			var out bytes.Buffer
			d := &doctor{out: &out, admin: []option.ClientOption{option.WithEndpoint(api.URL), option.WithHTTPClient(api.Client())}}
			d.checkTTL(t.Context(), &config.Config{Project: "p", Database: "(default)", Prefix: "x-"})
			if !strings.Contains(out.String(), test.want) || d.sick == strings.HasPrefix(test.want, "ok") {
				t.Errorf("%s\nwant %s", &out, test.want)
			}
			if asked != "/v1/projects/p/databases/(default)/collectionGroups/x-flows/fields/expires" {
				t.Errorf("asked for %s", asked)
			}
		})
	}
}

func TestMend(t *testing.T) {
	for err, want := range map[error]string{
		status.Error(codes.NotFound, ""):           "make the database with deploy/setup.sh",
		status.Error(codes.PermissionDenied, ""):   "roles/datastore.user",
		status.Error(codes.FailedPrecondition, ""): "native mode",
		status.Error(codes.Unavailable, ""):        "gcloud auth application-default login",
		context.DeadlineExceeded:                   "gcloud auth application-default login",
	} {
		if got := mend(fmt.Errorf("tokenstore: %w", err), &config.Config{}); !strings.Contains(got, want) {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

func TestProcess(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	program := filepath.Join(t.TempDir(), "doctor")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	env := healthy(t)
	env["TOKEN_STORE"], env["GOOGLE_CLOUD_PROJECT"], env["FIRESTORE_EMULATOR_HOST"] = "", project, addr
	run := func() (string, int) {
		cmd := exec.Command(program)
		cmd.Env = []string{"HOME=" + os.Getenv("HOME")}
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}

	out, code := run()
	if code != 0 || !strings.Contains(out, "ok      Firestore answers in the project "+project+", database (default)\n") ||
		!strings.Contains(out, "skipped the TTL policy is not there in an emulator\n") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	env["BASE_URL"] = "http://b.example.com"
	if out, code := run(); code != 1 || strings.Count(out, "WRONG") != 1 || strings.Contains(out, "canary") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}
