package deploy_test

import (
	"archive/zip"
	"bytes"
	"maps"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"functions.local/oauth/shared/seal"
)

func TestDeploy(t *testing.T) {
	requireGcloud(t)
	c := newCloud(t)
	env := c.env(t)
	t.Cleanup(func() { os.RemoveAll(".stage/dailyevent") })
	const function = "projects/project/locations/region/functions/dailyevent"

	out, err := c.script(env, "deploy.sh", "dailyevent")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	t.Run("makes the function as the settings say", func(t *testing.T) {
		got := maps.Clone(c.resources[function])
		want := resource{
			"name": function, "state": "ACTIVE", "environment": "GEN_2",
			"labels": resource{"deployment-tool": "cli-gcloud"},
			"buildConfig": resource{
				"runtime": "go126", "entryPoint": "dailyevent", "environmentVariables": resource{},
				"serviceAccount": "projects/project/serviceAccounts/oauth-builder@project.iam.gserviceaccount.com",
				"source":         resource{"storageSource": resource{"bucket": "sources", "object": "1.zip"}},
			},
			"serviceConfig": resource{
				"availableCpu": "1", "availableMemory": "256Mi", "maxInstanceCount": 10.0, "maxInstanceRequestConcurrency": 80.0,
				"timeoutSeconds": 180.0, "serviceAccountEmail": "oauth-functions@project.iam.gserviceaccount.com",
				"service": "projects/project/locations/region/services/dailyevent",
				"environmentVariables": resource{
					"BASE_URL": "https://region-project.cloudfunctions.net", "GOOGLE_CLOUD_PROJECT": "project",
					"FIRESTORE_DATABASE": "(default)", "SCHEDULER_ACCOUNT": "oauth-scheduler@project.iam.gserviceaccount.com",
				},
				"secretEnvironmentVariables": []any{
					resource{"key": "OAUTH_CLIENT_JSON", "projectId": "123456789012", "secret": "oauth-client", "version": "latest"},
					resource{"key": "TOKEN_KEYSET", "projectId": "123456789012", "secret": "token-keyset", "version": "latest"},
				},
			},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})

	t.Run("lets everybody call it", func(t *testing.T) {
		got := c.policies["projects/project/locations/region/services/dailyevent"]["bindings"]
		if want := []any{resource{"role": "roles/run.invoker", "members": []any{"allUsers"}}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})

	t.Run("uploads what builds and answers", func(t *testing.T) {
		if len(c.uploads) != 1 {
			t.Fatalf("%d uploads", len(c.uploads))
		}
		t.Logf("%d bytes", len(c.uploads[0]))
		dir := t.TempDir()
		unzip(t, c.uploads[0], dir)
		p := start(t, build(t, dir), deployedVariables(t, c.resources[function]))
		res, err := p.get(t.Context(), http.Header{})
		if err != nil || res.StatusCode != http.StatusFound {
			t.Errorf("%v, %v\n%s", res, err, p.stderr)
		}
	})

	t.Run("prints with DRY_RUN=1 what it runs without, and does nothing", func(t *testing.T) {
		before := len(c.calls)
		dry, err := c.script(append(env, "DRY_RUN=1"), "deploy.sh", "dailyevent")
		if err != nil || len(c.calls) != before {
			t.Fatalf("%v; %v", err, c.calls[before:])
		}
		var ran strings.Builder
		for line := range strings.Lines(out) {
			if command, ok := strings.CutPrefix(line, "+ "); ok {
				ran.WriteString(command)
			}
		}
		if dry != ran.String() {
			t.Errorf("%s\nran %s", dry, &ran)
		}
	})

	t.Run("again replaces the environment", func(t *testing.T) {
		t.Chdir(t.TempDir()) // from wherever it is called
		out, err := c.script(append(env, "BASE_URL=https://app.example.com", "SESSION_COOKIE=__session",
			"FIRESTORE_DATABASE=tokens", "OAUTH_SCOPES=a,b c"), "deploy.sh", "dailyevent")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		want := resource{"BASE_URL": "https://app.example.com", "SESSION_COOKIE": "__session", "FIRESTORE_DATABASE": "tokens",
			"OAUTH_SCOPES": "a b c", "GOOGLE_CLOUD_PROJECT": "project", "SCHEDULER_ACCOUNT": "oauth-scheduler@project.iam.gserviceaccount.com"}
		if got := c.resources[function]["serviceConfig"].(resource)["environmentVariables"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})
}

func TestDeployRefuses(t *testing.T) {
	requireShell(t)
	for what, test := range map[string]struct {
		args    []string
		project string
		want    string
	}{
		"a name that is no function": {[]string{"listlabels", "nope"}, "project", `no function "nope" in deploy/settings.sh`},
		"a pattern":                  {[]string{"list.*"}, "project", `no function "list.*"`},
		"no name":                    {nil, "project", "usage: deploy/deploy.sh NAME...|all"},
		"no project":                 {[]string{"all"}, "", "GOOGLE_CLOUD_PROJECT: set it to the id of your Google Cloud project"},
	} {
		t.Run(what+" and runs nothing", func(t *testing.T) {
			env := environment("DRY_RUN=1", "GOOGLE_CLOUD_PROJECT="+test.project)
			out, err := script(env, "deploy.sh", test.args...)
			if err == nil || !strings.Contains(out, test.want) || strings.Contains(out, "gcloud ") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// deployedVariables is the environment of a deployed function, its secrets included.
func deployedVariables(t *testing.T, function resource) []string {
	t.Helper()
	config := function["serviceConfig"].(resource)
	entry := function["buildConfig"].(resource)["entryPoint"].(string)
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"token-keyset": string(keys.JSON()), "oauth-client": `{"web":{"client_id":"id","client_secret":"secret"}}`}
	env := []string{"K_SERVICE=" + entry, "FUNCTION_TARGET=" + entry}
	for name, value := range config["environmentVariables"].(resource) {
		env = append(env, name+"="+value.(string))
	}
	for _, secret := range config["secretEnvironmentVariables"].([]any) {
		s := secret.(resource)
		env = append(env, s["key"].(string)+"="+values[s["secret"].(string)])
	}
	return env
}

func unzip(t *testing.T, archive []byte, dir string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
}
