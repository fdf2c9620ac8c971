package deploy_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const functionsPath = "projects/project/locations/region/functions/"

func TestDeploy(t *testing.T) {
	requireGcloud(t)
	c := newCloud(t)
	laidOut := t.TempDir()
	env := append(c.env(t), "STAGES="+laidOut)
	const function = functionsPath + "dailyevent"
	deploy := func(more ...string) string {
		t.Helper()
		out, err := c.script(append(env, more...), "deploy.sh", "dailyevent")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	out := deploy()

	t.Run("makes the function as the settings say", func(t *testing.T) {
		got := maps.Clone(c.resources[function])
		labels := got["labels"].(resource)
		if version := labels["version"].(string); len(version) < 42 || len(version) > 63 {
			t.Errorf("version %q", version)
		}
		want := resource{
			"name": function, "state": "ACTIVE", "environment": "GEN_2",
			"labels": resource{"deployment-tool": "cli-gcloud", "version": labels["version"]},
			"buildConfig": resource{
				"runtime": "go126", "entryPoint": "dailyevent", "environmentVariables": resource{},
				"serviceAccount": "projects/project/serviceAccounts/oauth-builder@project.iam.gserviceaccount.com",
				"source":         resource{"storageSource": resource{"bucket": "sources", "object": "1.zip"}},
			},
			"serviceConfig": resource{
				"availableCpu": "1", "availableMemory": "256Mi", "maxInstanceCount": 10.0, "maxInstanceRequestConcurrency": 80.0,
				"timeoutSeconds": 1800.0, "serviceAccountEmail": "oauth-functions@project.iam.gserviceaccount.com",
				"service": "projects/project/locations/region/services/dailyevent", "uri": "https://dailyevent-1234567890.region.run.app",
				"ingressSettings": "ALLOW_ALL", "allTrafficOnLatestRevision": true,
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

	t.Run("lets everybody call it, also where that failed after a deploy that did not", func(t *testing.T) {
		delete(c.policies, "projects/project/locations/region/services/dailyevent")
		deploy()
		got := c.policies["projects/project/locations/region/services/dailyevent"]["bindings"]
		if want := []any{resource{"role": "roles/run.invoker", "members": []any{"allUsers"}}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})

	t.Run("uploads what was laid out, and nothing else", func(t *testing.T) {
		if len(c.uploads) != 1 { // by two deploys
			t.Fatalf("%d uploads", len(c.uploads))
		}
		z, err := zip.NewReader(bytes.NewReader(c.uploads[0]), int64(len(c.uploads[0])))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := files(t, z), files(t, os.DirFS(filepath.Join(laidOut, "dailyevent"))); !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	})

	t.Run("prints with DRY_RUN=1 what it runs without, and does nothing", func(t *testing.T) {
		before := len(c.calls)
		dry := output(t, append(env, "DRY_RUN=1"), "deploy/deploy.sh dailyevent")
		if len(c.calls) != before {
			t.Errorf("%v", c.calls[before:])
		}
		var ran strings.Builder
		for line := range strings.Lines(out) {
			if command, ok := strings.CutPrefix(line, "dailyevent: + "); ok {
				ran.WriteString(command)
			}
		}
		if dry != ran.String() {
			t.Errorf("%s\nran %s", dry, &ran)
		}
	})

	t.Run("leaves alone what did not change", func(t *testing.T) {
		before := len(c.calls)
		if out := deploy(); len(c.calls) != before+1 || !strings.Contains(out, "dailyevent: is deployed as it is here already") {
			t.Errorf("%v\n%s", c.calls[before:], out)
		}
		if deploy("FORCE=1"); len(c.uploads) != 2 {
			t.Errorf("with FORCE=1: %d uploads", len(c.uploads))
		}
	})

	t.Run("deploys what failed before, though it did not change", func(t *testing.T) {
		c.resources[function]["state"] = "FAILED"
		if deploy(); len(c.uploads) != 3 {
			t.Errorf("%d uploads", len(c.uploads))
		}
	})

	t.Run("with other settings replaces the environment", func(t *testing.T) {
		t.Chdir(t.TempDir()) // from wherever it is called
		deploy("BASE_URL=https://app.example.com/", "SESSION_COOKIE=__session", "FIRESTORE_DATABASE=tokens", "OAUTH_SCOPES=a,b c",
			"TASK_QUEUE=jobs", "FRONT_ENDS=https://a.example.com/x?y=z https://b.example.com/", "ALLOWED_DOMAINS=example.com",
			"AUTH_ISSUER=https://issuer.example.com", "AUTH_AUDIENCE=app", "INGRESS=internal-and-gclb")
		want := resource{"BASE_URL": "https://app.example.com", "SESSION_COOKIE": "__session", "FIRESTORE_DATABASE": "tokens",
			"OAUTH_SCOPES": "a b c", "GOOGLE_CLOUD_PROJECT": "project", "SCHEDULER_ACCOUNT": "oauth-scheduler@project.iam.gserviceaccount.com",
			"TASK_QUEUE": "projects/project/locations/region/queues/jobs", "FRONT_ENDS": "https://a.example.com/x?y=z https://b.example.com/",
			"ALLOWED_DOMAINS": "example.com", "AUTH_ISSUER": "https://issuer.example.com", "AUTH_AUDIENCE": "app"}
		config := c.resources[function]["serviceConfig"].(resource)
		if got := config["environmentVariables"]; !reflect.DeepEqual(got, want) || config["ingressSettings"] != "ALLOW_INTERNAL_AND_GCLB" {
			t.Errorf("%v, ingress %v\nwant %v", got, config["ingressSettings"], want)
		}
	})
}

// A user of a public function is not in the organization, which may forbid that.
func TestDeployWhereAnOrganizationForbidsAllUsers(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	env := append(c.env(t), stagedAll(t)...)
	c.refuse = func(call string, sent resource) (int, string) {
		if strings.HasSuffix(call, ":setIamPolicy") && strings.Contains(fmt.Sprint(sent), "allUsers") {
			return 400, "One or more users named in the policy do not belong to a permitted customer, perhaps due to an organization policy."
		}
		return 0, ""
	}

	t.Run("says what to do", func(t *testing.T) {
		out, err := c.script(env, "deploy.sh", "listlabels")
		if err == nil || !strings.Contains(out, "PUBLIC=no-invoker-check") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("takes the check away instead, after every deploy", func(t *testing.T) {
		for range 2 {
			out, err := c.script(append(env, "PUBLIC=no-invoker-check", "FORCE=1"), "deploy.sh", "listlabels")
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			service := c.resources[knative+"services/listlabels"]["metadata"].(resource)
			if service["annotations"].(resource)["run.googleapis.com/invoker-iam-disabled"] == nil {
				t.Error("the check is still made")
			}
			delete(service["annotations"].(resource), "run.googleapis.com/invoker-iam-disabled")
		}
	})
}

func TestDeployAll(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	env := append(c.env(t), stagedAll(t)...)
	var names []string
	for _, s := range settings(t) {
		names = append(names, s.name)
	}
	third := true
	c.refuse = func(call string, _ resource) (int, string) {
		if third && call == "POST projects/project/locations/region/functions "+names[2] {
			return 403, "no quota for builds"
		}
		return 0, ""
	}

	t.Run("goes on when one fails, and ends with what to repeat", func(t *testing.T) {
		out, err := c.script(env, "deploy.sh", "all")
		if want := "FAILED: " + names[2] + ". Repeat with: "; err == nil || !strings.Contains(out, want) || !strings.Contains(out, "deploy.sh "+names[2]+"\n") {
			t.Errorf("%v\n%s", err, out)
		}
		for i, name := range names {
			if deployed := c.resources[functionsPath+name] != nil; deployed == (i == 2) {
				t.Errorf("%s: deployed %v", name, deployed)
			}
		}
	})

	t.Run("then deploys that one alone", func(t *testing.T) {
		third = false
		uploads := len(c.uploads)
		out, err := c.script(env, "deploy.sh", "all")
		if err != nil || len(c.uploads) != uploads+1 || c.resources[functionsPath+names[2]] == nil || !strings.Contains(out, "done: "+strings.Join(names, " ")+"\n") {
			t.Errorf("%v, %d uploads\n%s", err, len(c.uploads)-uploads, out)
		}
	})

	traffic := func(t *testing.T, args ...string) string {
		t.Helper()
		out, err := c.script(env, "traffic.sh", args...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	serve := func(t *testing.T, want map[string]string) {
		t.Helper()
		for name, revision := range want {
			if got := c.serving(name); got != name+revision {
				t.Errorf("%s serves, want %s%s", got, name, revision)
			}
		}
	}

	t.Run("a new version of a secret starts a revision of each, and builds nothing", func(t *testing.T) {
		uploads := len(c.uploads)
		out, err := c.script(env, "restart.sh", "all")
		if err != nil || len(c.uploads) != uploads {
			t.Fatalf("%v, %d uploads\n%s", err, len(c.uploads)-uploads, out)
		}
		for _, name := range names {
			serve(t, map[string]string{name: "-00002"})
		}
	})

	t.Run("roll back goes to the revision before, for one or for all, and forward again", func(t *testing.T) {
		traffic(t, "back", "listlabels")
		serve(t, map[string]string{"listlabels": "-00001", "account": "-00002"})
		out, err := c.script(env, "traffic.sh", "back", "all")
		if err == nil || !strings.Contains(out, "listlabels: no revision before listlabels-00001") || !strings.Contains(out, "Repeat with: ") || !strings.Contains(out, "traffic.sh back listlabels\n") {
			t.Errorf("%v\n%s", err, out)
		}
		serve(t, map[string]string{"listlabels": "-00001", "account": "-00001"})
		traffic(t, "latest", "all")
		serve(t, map[string]string{"listlabels": "-00002", "account": "-00002"})
	})

	t.Run("a revision that never became ready is passed over", func(t *testing.T) {
		c.revise("listlabels", true)
		c.revise("listlabels", true)
		c.resources[knative+"revisions/listlabels-00003"]["status"] = resource{"conditions": []any{resource{"type": "Ready", "status": "False"}}}
		traffic(t, "back", "listlabels")
		serve(t, map[string]string{"listlabels": "-00002"})
	})

	t.Run("a deploy after a roll back serves again", func(t *testing.T) {
		out, err := c.script(env, "deploy.sh", "listlabels")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		serve(t, map[string]string{"listlabels": "-00005"})
	})
}

func TestDeployAllInOne(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	out, err := c.script(c.env(t), "deploy.sh", "app")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := c.resources[functionsPath+"app"]["serviceConfig"].(resource)
	variables := config["environmentVariables"].(resource)
	if config["availableMemory"] != "512Mi" || config["timeoutSeconds"] != 1800.0 || variables["SCHEDULER_ACCOUNT"] == nil ||
		variables["BASE_URL"] != "https://region-project.cloudfunctions.net/app" || len(c.uploads) != 1 {
		t.Errorf("%v, %d uploads", config, len(c.uploads))
	}
	z, err := zip.NewReader(bytes.NewReader(c.uploads[0]), int64(len(c.uploads[0])))
	if err != nil {
		t.Fatal(err)
	}
	if uploaded := files(t, z); uploaded["functions/dailyevent/dailyevent.go"] == "" || !strings.Contains(uploaded["function.go"], `httpfunc.Together("app")`) {
		t.Error("it is not all in one")
	}
}

func TestDeployRefuses(t *testing.T) {
	requireShell(t)
	for what, test := range map[string]struct {
		args    []string
		project string
		want    string
	}{
		"a name that is no function": {[]string{"listlabels", "nope"}, "project", `no function "nope"; there are: account `},
		"a pattern":                  {[]string{"list.*"}, "project", `no function "list.*"`},
		"one of all in one":          {[]string{"app", "listlabels"}, "project", `no function "listlabels" beside app`},
		"no name":                    {nil, "project", "deploy.sh NAME...|all"},
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

// The scripts find themselves whatever the shell of whoever calls them is set to.
func TestScriptsWithSomebodysSettings(t *testing.T) {
	requireShell(t)
	t.Run("CDPATH", func(t *testing.T) {
		other := t.TempDir()
		if err := os.Mkdir(filepath.Join(other, "deploy"), 0o755); err != nil {
			t.Fatal(err)
		}
		out := output(t, append(environment("DRY_RUN=1", "CDPATH="+other), stagedAll(t)...), "deploy/deploy.sh listlabels")
		if !strings.HasPrefix(out, "gcloud functions deploy listlabels ") {
			t.Error(out)
		}
	})
}

// files returns the content of every file.
func files(t *testing.T, from fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := from.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// stagedAll lays out every function once, and returns the variables with which the scripts take what is there.
func stagedAll(t *testing.T) []string {
	t.Helper()
	requireShell(t)
	if out, err := layOutAll(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return []string{"STAGED=1", "STAGES=" + stages}
}
