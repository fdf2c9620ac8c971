package deploy_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// requireTool skips the test where a program is missing, and fails it there if CI=true. With -short it skips the test.
func requireTool(t testing.TB, name, how string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs " + name)
	}
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s: %s", name, how)
	}
	t.Skipf("no %s: %s", name, how)
}

// requireShell skips the test where what the scripts are written in is missing.
func requireShell(t testing.TB) {
	t.Helper()
	for _, name := range []string{"bash", "awk", "sed", "dirname"} {
		requireTool(t, name, "install bash, awk, sed and coreutils")
	}
}

func requireGcloud(t *testing.T) {
	t.Helper()
	requireTool(t, "gcloud", "install the Google Cloud CLI")
}

// A resource is one of a Google Cloud API, as JSON.
type resource = map[string]any

// A cloud stands in for the Google Cloud APIs that the scripts call through gcloud: a resource that was
// created can be got, listed and changed; every operation is done at once.
type cloud struct {
	*httptest.Server
	t *testing.T

	mu        sync.Mutex
	resources map[string]resource                                           // by path without the version, such as projects/p/secrets/s
	policies  map[string]resource                                           // of IAM, by the resource's path
	refuse    func(call string, sent resource) (status int, message string) // of a call such as "GET projects/p/secrets/s" or "POST projects/p/secrets s", or 0
	uploads   [][]byte
	calls     []string // that change something
	ticks     int
}

func refuseNothing(string, resource) (int, string) { return 0, "" }

func newCloud(t *testing.T) *cloud {
	c := &cloud{t: t, resources: map[string]resource{
		"projects/project": {"projectId": "project", "projectNumber": "123456789012", "lifecycleState": "ACTIVE"},
		"projects/project/locations/region/runtimes": {
			"runtimes": []resource{{"name": "go126", "environment": "GEN_2", "stage": "GA"}}},
	}, policies: map[string]resource{}, refuse: refuseNothing}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// environment is ours without what settings.sh would take from it.
func environment(more ...string) []string {
	env := os.Environ()
	for _, name := range []string{"REGION", "BASE_URL", "FIRESTORE_DATABASE", "FIRESTORE_LOCATION", "COLLECTION_PREFIX",
		"SESSION_COOKIE", "OAUTH_SCOPES", "AUTH_ISSUER", "AUTH_AUDIENCE", "FRONT_ENDS", "ALLOWED_DOMAINS", "TIME_ZONE", "TASK_QUEUE",
		"INGRESS", "PUBLIC", "ALL_IN_ONE", "NAMES", "OAUTH_CLIENT_JSON", "STAGED", "DRY_RUN", "FORCE"} {
		env = append(env, name+"=") // settings.sh takes empty for unset
	}
	return append(append(env, "GOOGLE_CLOUD_PROJECT=project", "STAGES="+stages+"/scratch", "PAUSE=0"), more...)
}

// stages is where every function is laid out once, and its folder scratch where single tests do it: nothing is written
// into the tree.
var stages string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "stages")
	if err != nil {
		panic(err)
	}
	stages = dir
	code := m.Run()
	stopGcloud()
	os.RemoveAll(dir)
	os.Exit(code)
}

// env is the environment of a script that takes c for Google Cloud.
func (c *cloud) env(t *testing.T) []string {
	env := environment(
		"PATH="+gcloudPath(),
		"CLOUDSDK_CONFIG="+t.TempDir(), // nobody's account and settings
		"STAGES="+filepath.Join(t.TempDir(), "stages"),
		"CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true",
		"CLOUDSDK_CORE_DISABLE_PROMPTS=true",
		"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true",
		"CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=true",
		"REGION=region", "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE="+c.URL+"/compute/v1/",
		// gcloud puts the region before the host of Cloud Run's API, so that this one has to be reached through a proxy.
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN=http://run.invalid/", "http_proxy="+c.URL, "no_proxy=127.0.0.1")
	for _, api := range []string{"CLOUDFUNCTIONS", "SERVICEUSAGE", "CLOUDRESOURCEMANAGER", "IAM", "SECRETMANAGER",
		"FIRESTORE", "CLOUDSCHEDULER", "CLOUDTASKS", "CLOUDBUILD", "ARTIFACTREGISTRY", "STORAGE", "MONITORING", "LOGGING"} {
		env = append(env, "CLOUDSDK_API_ENDPOINT_OVERRIDES_"+api+"="+c.URL+"/")
	}
	return env
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	if r.URL.Path == "/upload" {
		c.uploads = append(c.uploads, body)
		return
	}
	var sent resource
	if len(body) > 0 {
		if err := json.Unmarshal(body, &sent); err != nil {
			c.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
	}
	_, name, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/compute"), "/"), "/") // without the version
	name, verb, _ := strings.Cut(strings.Replace(name, "projects/-/", "projects/project/", 1), ":")
	call := r.Method + " " + name + strings.TrimSuffix(":"+verb, ":")
	if id := c.id(r, sent); r.Method == http.MethodPost && verb == "" {
		call += " " + id
	}
	var (
		status int
		answer resource
	)
	if refused, message := c.refuse(call, sent); refused == 0 {
		status, answer = c.serve(r, name, verb, sent)
	} else {
		status, answer = refused, resource{"error": resource{"code": refused, "message": message, "status": statusNames[refused]}}
	}
	if os.Getenv("CLOUD_TRACE") != "" {
		c.t.Logf("%s %s %s -> %d", r.Method, r.URL, body, status)
	}
	if r.Method != http.MethodGet && verb != "getIamPolicy" {
		c.calls = append(c.calls, call)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		c.t.Error(err)
	}
}

func (c *cloud) serve(r *http.Request, name, verb string, sent resource) (int, resource) {
	stored, exists := c.resources[name]
	switch {
	case strings.HasPrefix(name, knative):
		return c.serveRun(r, strings.TrimPrefix(name, knative), sent)
	case isCompute(name):
		return c.serveCompute(r, name, sent)
	case verb == "getIamPolicy":
		return http.StatusOK, c.policy(name)
	case verb == "setIamPolicy":
		c.policies[name] = sent["policy"].(resource)
		return http.StatusOK, c.policies[name]
	case verb == "generateUploadUrl":
		return http.StatusOK, resource{"uploadUrl": c.URL + "/upload", "storageSource": resource{"bucket": "sources", "object": "1.zip"}}
	case verb == "addVersion":
		name += "/versions/" + strconv.Itoa(len(c.list(name+"/versions"))+1)
		sent["name"], sent["state"], sent["createTime"], sent["clientSpecifiedPayloadChecksum"] = name, "ENABLED", c.tick(), true
		c.resources[name] = sent
		return http.StatusOK, sent
	case path.Base(name) == "latest" && len(c.list(path.Dir(name))) > 0:
		stored := c.resources[path.Dir(name)+"/"+strconv.Itoa(len(c.list(path.Dir(name))))]
		if verb == "access" {
			return http.StatusOK, resource{"name": stored["name"], "payload": stored["payload"]}
		}
		return http.StatusOK, stored
	case verb == "batchEnable":
		for _, id := range sent["serviceIds"].([]any) {
			api := "projects/project/services/" + id.(string)
			c.resources[api] = resource{"name": api, "state": "ENABLED", "config": resource{"name": id}}
		}
		return http.StatusOK, operation(name)
	case path.Base(path.Dir(name)) == "operations":
		return http.StatusOK, operation(name)
	case strings.HasPrefix(name, "projects/project/services/"):
		return http.StatusOK, resource{"name": name, "state": "ENABLED"}
	case r.Method == http.MethodPost:
		name += "/" + c.id(r, sent)
		if _, exists := c.resources[name]; exists {
			return http.StatusConflict, resource{"error": resource{"code": 409, "message": "exists", "status": "ALREADY_EXISTS"}}
		}
		sent["name"] = name
		c.put(name, sent)
		if strings.Contains(name, "/functions/") || strings.Contains(name, "/databases/") {
			return http.StatusOK, operation(name)
		}
		return http.StatusOK, sent
	case r.Method == http.MethodPatch || r.Method == http.MethodPut:
		changed := resource{"name": name}
		maps.Copy(changed, stored)
		maps.Copy(changed, sent)
		c.put(name, changed)
		if strings.Contains(name, "/functions/") || strings.Contains(name, "/fields/") {
			return http.StatusOK, operation(name)
		}
		return http.StatusOK, changed
	case r.Method == http.MethodDelete && exists:
		delete(c.resources, name)
		return http.StatusOK, operation(name)
	case exists && strings.Contains(name, "/functions/"):
		return http.StatusOK, c.withTraffic(stored)
	case exists:
		return http.StatusOK, stored
	case path.Base(name) == "functions":
		found := c.list(name)
		for i, f := range found {
			found[i] = c.withTraffic(f)
		}
		return http.StatusOK, resource{"functions": found}
	case path.Base(name) == "fields": // those with a TTL policy
		return http.StatusOK, resource{"fields": slices.DeleteFunc(c.list(name), func(f resource) bool { return f["ttlConfig"] == nil })}
	case slices.Contains(collections, path.Base(name)):
		return http.StatusOK, resource{path.Base(name): c.list(name)}
	}
	return http.StatusNotFound, resource{"error": resource{"code": 404, "message": name + " not found", "status": "NOT_FOUND"}}
}

// collections can be listed.
var collections = []string{"versions", "services", "jobs", "secrets", "metrics", "alertPolicies", "notificationChannels", "uptimeCheckConfigs"}

var statusNames = map[int]string{400: "FAILED_PRECONDITION", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS"}

// operation is one that has done its work on what name names.
func operation(name string) resource {
	parent := "projects/project"
	for _, of := range []string{"projects/project/locations/region", "projects/project/databases/(default)"} {
		if strings.HasPrefix(name, of) {
			parent = of
		}
	}
	return resource{"name": parent + "/operations/1", "done": true, "response": resource{}, "metadata": resource{
		"@type":  "type.googleapis.com/google.cloud.functions.v2.OperationMetadata",
		"stages": []resource{{"name": "BUILD", "state": "COMPLETE"}},
	}}
}

// id finds the id of what is to be created, which each API has in a place of its own.
func (c *cloud) id(r *http.Request, sent resource) string {
	for _, parameter := range []string{"functionId", "secretId", "databaseId"} {
		if id := r.URL.Query().Get(parameter); id != "" {
			return id
		}
	}
	if id, ok := sent["accountId"].(string); ok {
		return id + "@project.iam.gserviceaccount.com"
	}
	id, _ := sent["name"].(string)
	if id == "" { // one that the API gives
		id = strconv.Itoa(len(c.resources))
	}
	return path.Base(id)
}

// put stores a resource. A function runs as a service.
func (c *cloud) put(name string, r resource) {
	c.resources[name] = r
	if !strings.Contains(name, "/functions/") {
		return
	}
	config := r["serviceConfig"].(resource)
	r["state"], r["environment"] = "ACTIVE", "GEN_2"
	config["service"] = "projects/project/locations/region/services/" + path.Base(name)
	config["uri"] = "https://" + path.Base(name) + "-1234567890.region.run.app"
	latest, _ := config["allTrafficOnLatestRevision"].(bool)
	c.revise(path.Base(name), latest)
}

// tick returns a time after every time that it returned before.
func (c *cloud) tick() string {
	c.ticks++
	return time.Date(2026, 1, 1, 0, 0, c.ticks, 0, time.UTC).Format(time.RFC3339)
}

func (c *cloud) list(collection string) []resource {
	found := []resource{}
	for name, r := range c.resources {
		if path.Dir(name) == collection {
			found = append(found, r)
		}
	}
	return found
}

func (c *cloud) policy(name string) resource {
	if p, ok := c.policies[name]; ok {
		return p
	}
	return resource{"etag": "AA==", "version": 1}
}

// run runs a command that c serves. What c holds can be read and changed before and after.
func (c *cloud) run(cmd *exec.Cmd) (output string, err error) {
	settle := func() { c.mu.Lock(); defer c.mu.Unlock() } // orders what c did with what the test does
	settle()
	defer settle()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// script runs a script that c serves.
func (c *cloud) script(env []string, name string, args ...string) (output string, err error) {
	return c.run(scriptCommand(env, name, args))
}

// here is this folder.
var here, _ = filepath.Abs(".")

// bash returns the command that runs a piece of shell, as the scripts would, at the top of the module.
func bash(env []string, shell string) *exec.Cmd {
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", shell)
	cmd.Dir, cmd.Env = filepath.Dir(here), env
	return cmd
}

// scriptCommand returns the command that runs a script of this folder.
func scriptCommand(env []string, name string, args []string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(here, name), args...)
	cmd.Env = env
	return cmd
}

// script runs a script of this folder.
func script(env []string, name string, args ...string) (output string, err error) {
	out, err := scriptCommand(env, name, args).CombinedOutput()
	return string(out), err
}
