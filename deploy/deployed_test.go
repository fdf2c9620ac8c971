package deploy_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The doctor looks at a cloud in which everything is deployed, and then one thing is not well at a time.
func TestDoctorDeployed(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	stagedAll(t)
	answers := map[string]int{}
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(answers[strings.TrimPrefix(r.URL.Path, "/")])
	}))
	t.Cleanup(public.Close)
	for _, s := range settings(t) {
		answers[s.name] = s.visitor
	}
	// What was laid out, but at the address of that server.
	dir := t.TempDir()
	for _, s := range settings(t) {
		if err := os.Symlink(filepath.Join(stages, s.name), filepath.Join(dir, s.name)); err != nil {
			t.Fatal(err)
		}
		report, err := os.ReadFile(filepath.Join(stages, s.name+".report"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, s.name+".report"), report, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := readSettings(t, environment("REGION=region"))
	if err := os.WriteFile(filepath.Join(dir, "settings"), []byte("BASE_URL="+public.URL+"\n"+read[strings.Index(read, "FUNCTIONS="):]), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(c.env(t), "STAGED=1", "STAGES="+dir, "TASK_QUEUE=jobs")
	// What setup and deploy have made of it.
	dry, err := c.script(append(env, "DRY_RUN=1"), "deploy.sh", "all")
	if err != nil {
		t.Fatalf("%v\n%s", err, dry)
	}
	for _, m := range regexp.MustCompile(`functions deploy (\S+) .* --update-labels=version=(\S+)`).FindAllStringSubmatch(dry, -1) {
		c.put(functionsPath+m[1], resource{"name": functionsPath + m[1], "labels": resource{"version": m[2]},
			"serviceConfig": resource{"serviceAccountEmail": "oauth-functions@project.iam.gserviceaccount.com"}})
	}
	const database, secrets = "projects/project/databases/(default)", "projects/project/secrets/"
	for name, r := range map[string]resource{
		database: {"type": "FIRESTORE_NATIVE"},
		database + "/collectionGroups/flows/fields/expires": {"ttlConfig": resource{"state": "ACTIVE"}},
		secrets + "oauth-client/versions/1":                 {"state": "ENABLED", "createTime": "2025-01-01T00:00:00Z"},
		secrets + "token-keyset/versions/1":                 {"state": "ENABLED", "createTime": "2025-01-01T00:00:00Z"},
		queuePath:                                           {"state": "RUNNING"},
		jobPath: {"state": "ENABLED", "httpTarget": resource{"oidcToken": resource{
			"serviceAccountEmail": "oauth-scheduler@project.iam.gserviceaccount.com", "audience": public.URL + "/dailyevent"}}},
	} {
		r["name"] = name
		c.resources[name] = r
	}
	for _, m := range regexp.MustCompile(`(?m)\S+\.googleapis\.com`).FindAllString(read, -1) {
		c.resources["projects/project/services/"+m] = resource{"name": m, "state": "ENABLED", "config": resource{"name": m}}
	}
	program := filepath.Join(t.TempDir(), "doctor")
	command(t, root, "go", "build", "-buildvcs=false", "-o", program, "./deploy/doctor")
	examine := func(t *testing.T, more ...string) (string, error) {
		t.Helper()
		cmd := exec.Command(program, "-deployed")
		cmd.Dir, cmd.Env = root, append(env, more...)
		return c.run(cmd)
	}

	t.Run("says that all is well", func(t *testing.T) {
		out, err := examine(t)
		if err != nil || strings.Contains(out, "WRONG") || strings.Count(out, "ok ") != 2*len(answers)+2 {
			t.Errorf("%v\n%s", err, out)
		}
	})

	service := func(name string) resource { return c.resources[functionsPath+name]["serviceConfig"].(resource) }
	for what, test := range map[string]struct {
		harm func()
		want []string // what is wrong, and how it is mended
	}{
		"functions that are missing, failed, of another version and rolled back": {
			func() {
				delete(c.resources, functionsPath+"account")
				c.resources[functionsPath+"createfile"]["state"] = "FAILED"
				c.resources[functionsPath+"createevent"]["labels"].(resource)["version"] = "x"
				c.revise("listlabels", true)
				spec := c.resources[knative+"services/listlabels"]["spec"].(resource)
				spec["traffic"] = []any{resource{"revisionName": "listlabels-00001", "percent": 100.0}}
				c.route("listlabels")
			},
			[]string{
				"WRONG   account is not deployed: deploy/deploy.sh account\n",
				"WRONG   createfile is FAILED since its last deploy: deploy/deploy.sh createfile\n",
				"WRONG   createevent is another version than the tree's",
				"WRONG   listlabels was rolled back and serves an old revision: deploy/traffic.sh latest listlabels",
			},
		},
		"what else is wrong with functions, and with what they need": {
			func() {
				c.put(functionsPath+"oldone", resource{"name": functionsPath + "oldone",
					"serviceConfig": resource{"serviceAccountEmail": service("listprojects")["serviceAccountEmail"]}})
				old := resource{}
				for name, value := range c.resources[jobPath] {
					old[name] = value
				}
				old["name"] = "projects/project/locations/region/jobs/oldjob"
				c.resources["projects/project/locations/region/jobs/oldjob"] = old
				version := c.resources["projects/project/secrets/token-keyset/versions/1"]
				version["createTime"] = c.tick()
				c.resources[jobPath]["httpTarget"].(resource)["oidcToken"].(resource)["audience"] = "https://app.example.com//dailyevent"
				c.resources[queuePath]["state"] = "PAUSED"
				delete(c.resources, "projects/project/services/gmail.googleapis.com")
				c.resources["projects/project/databases/(default)"]["type"] = "DATASTORE_MODE"
				answers["oauth2callback"], answers["oauth2init"] = 403, 500
			},
			[]string{
				"WRONG   oldone is deployed and no longer in the tree: gcloud functions delete oldone --gen2 --region=region --project=project\n",
				"WRONG   the scheduler's job oldjob is for no function of the tree: gcloud scheduler jobs delete oldjob --location=region --project=project\n",
				"WRONG   oauth2init runs since before the newest version of its secrets, and may not know it: deploy/restart.sh oauth2init\n",
				"/oauth2callback is not public: deploy/deploy.sh oauth2callback, with PUBLIC=no-invoker-check", "/oauth2init answers 500, want 302: look into its log",
				"WRONG   the scheduler's job dailyevent has the audience https://app.example.com//dailyevent", "WRONG   the queue " + queuePath + " is PAUSED",
				"WRONG   gmail.googleapis.com is switched off, and listlabels calls it: run deploy/setup.sh\n", "WRONG   the database (default) is of the type DATASTORE_MODE",
			},
		},
	} {
		t.Run("finds "+what, func(t *testing.T) {
			test.harm()
			out, err := examine(t)
			if err == nil {
				t.Error("all is well?")
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}

	t.Run("says why it cannot look", func(t *testing.T) {
		c.refuse = func(string, resource) (int, string) { return 403, "you may not look" }
		if out, err := examine(t); err == nil || !strings.Contains(out, "you may not look") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

const (
	jobPath   = "projects/project/locations/region/jobs/dailyevent"
	queuePath = "projects/project/locations/region/queues/jobs"
)
