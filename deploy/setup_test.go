package deploy_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"functions.local/oauth/shared/seal"
)

const clientJSON = `{"web":{"client_id":"id","client_secret":"canary-client-secret"}}`

func TestSetup(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	env := append(c.env(t), "TIME_ZONE=Europe/Berlin", "COLLECTION_PREFIX=x-", "BASE_URL=https://app.example.com/api/", "TASK_QUEUE=jobs")
	client := clientFile(t, clientJSON)
	out, err := c.script(env, "setup.sh", client)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	payload := func(secret string) string {
		t.Helper()
		version := c.resources["projects/project/secrets/"+secret+"/versions/1"]
		data, err := base64.StdEncoding.DecodeString(version["payload"].(resource)["data"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(data))
	}

	t.Run("keeps the client and a new keyset as secrets, and shows neither", func(t *testing.T) {
		if got := payload("oauth-client"); got != clientJSON {
			t.Errorf("client: %s", got)
		}
		keyset := payload("token-keyset")
		if _, err := seal.Parse(keyset); err != nil {
			t.Errorf("keyset: %v", err)
		}
		_, key, _ := strings.Cut(keyset, `"value":"`)
		key, _, found := strings.Cut(key, `"`)
		if !found || strings.Contains(out, key) || strings.Contains(out, "canary") {
			t.Error("a secret is in the output")
		}
	})

	t.Run("has a protected database, which removes the marks of used sign-ins and has no index that nobody asks", func(t *testing.T) {
		database := c.resources["projects/project/databases/(default)"]
		if database["type"] != "FIRESTORE_NATIVE" || database["deleteProtectionState"] != "DELETE_PROTECTION_ENABLED" {
			t.Errorf("database %v", database)
		}
		const groups = "projects/project/databases/(default)/collectionGroups/"
		if c.resources[groups+"x-flows/fields/expires"]["ttlConfig"] == nil {
			t.Error("no TTL policy")
		}
		for _, field := range []string{"x-flows/fields/expires", "x-grants/fields/expiry", "x-grants/fields/sessions"} {
			if !reflect.DeepEqual(c.resources[groups+field]["indexConfig"], resource{}) {
				t.Errorf("%s: %v", field, c.resources[groups+field])
			}
		}
		for _, asked := range []string{"jobs", "google", "status"} {
			if c.resources[groups+"x-grants/fields/"+asked] != nil {
				t.Errorf("%s has no index", asked)
			}
		}
	})

	t.Run("switches on the APIs that the functions call", func(t *testing.T) {
		for _, api := range []string{"gmail", "drive", "calendar-json", "cloudresourcemanager", "cloudtasks"} {
			if c.resources["projects/project/services/"+api+".googleapis.com"] == nil {
				t.Error("not", api)
			}
		}
	})

	t.Run("gives each account what it needs and the scheduler's nothing", func(t *testing.T) {
		got := map[string][]string{}
		for on, policy := range c.policies {
			for _, b := range policy["bindings"].([]any) {
				role := b.(resource)["role"].(string) + " on " + on
				if condition, ok := b.(resource)["condition"]; ok {
					role += " where " + condition.(resource)["expression"].(string)
				}
				for _, member := range b.(resource)["members"].([]any) {
					got[member.(string)] = append(got[member.(string)], role)
				}
			}
		}
		for _, roles := range got {
			slices.Sort(roles)
		}
		want := map[string][]string{
			"serviceAccount:oauth-functions@project.iam.gserviceaccount.com": {
				"roles/cloudtasks.enqueuer on projects/project/locations/region/queues/jobs",
				"roles/datastore.user on projects/project where resource.name == \"projects/project/databases/(default)\"",
				"roles/iam.serviceAccountUser on projects/project/serviceAccounts/oauth-scheduler@project.iam.gserviceaccount.com",
				"roles/secretmanager.secretAccessor on projects/project/secrets/oauth-client",
				"roles/secretmanager.secretAccessor on projects/project/secrets/token-keyset",
			},
			"serviceAccount:oauth-builder@project.iam.gserviceaccount.com": {"roles/cloudbuild.builds.builder on projects/project"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})

	t.Run("has the queue stay under the quota of the jobs' API, and says so", func(t *testing.T) {
		limits, _ := c.resources["projects/project/locations/region/queues/jobs"]["rateLimits"].(resource)
		if limits["maxDispatchesPerSecond"] != 1.666 || !strings.Contains(out, "at most 1.666 pages of users a second") {
			t.Errorf("%v\n%s", limits, out)
		}
	})

	t.Run("has the scheduler call dailyevent with a token and retry", func(t *testing.T) {
		job := c.resources["projects/project/locations/region/jobs/dailyevent"]
		target := job["httpTarget"].(resource)
		body, _ := base64.StdEncoding.DecodeString(target["body"].(string))
		if string(body) != `{"time_zone":"Europe/Berlin","address":"https://region-project.cloudfunctions.net/dailyevent"}` {
			t.Errorf("body %s", body)
		}
		token := resource{"serviceAccountEmail": "oauth-scheduler@project.iam.gserviceaccount.com",
			"audience": "https://app.example.com/api/dailyevent"}
		if target["uri"] != "https://region-project.cloudfunctions.net/dailyevent" || target["httpMethod"] != "POST" || !reflect.DeepEqual(target["oidcToken"], token) ||
			target["headers"].(resource)["Content-Type"] != "application/json" {
			t.Errorf("target %v", target)
		}
		retry := resource{"retryCount": 5.0, "minBackoffDuration": "10s", "maxBackoffDuration": "600s", "maxDoublings": 5.0}
		if job["schedule"] != "0 18 * * *" || job["timeZone"] != "Europe/Berlin" || job["attemptDeadline"] != "1800s" ||
			!reflect.DeepEqual(job["retryConfig"], retry) {
			t.Errorf("job %v", job)
		}
	})

	t.Run("names the redirect URI before anything else, so that the client can be made with it", func(t *testing.T) {
		uri, first := strings.Index(out, "redirect URI       https://app.example.com/api/oauth2callback\n"), strings.Index(out, "+ gcloud")
		if uri < 0 || uri > first || strings.Contains(out, "com/api//") {
			t.Errorf("%d, %d\n%s", uri, first, out)
		}
	})

	t.Run("says what is left to do by hand", func(t *testing.T) {
		for _, text := range []string{
			"JavaScript origin  https://app.example.com\n",
			"https://console.cloud.google.com/auth/clients?project=project",
			"https://console.cloud.google.com/auth/branding?project=project",
			"https://console.cloud.google.com/auth/scopes?project=project",
			"https://console.cloud.google.com/auth/audience?project=project",
		} {
			if !strings.Contains(out, text) {
				t.Errorf("no %q in\n%s", text, out)
			}
		}
	})

	t.Run("keeps everything when it is run again, by a gcloud that is told to print nothing", func(t *testing.T) {
		keyset, before := payload("token-keyset"), len(c.calls)
		other := clientFile(t, strings.Replace(clientJSON, "canary", "other", 1))
		out, err := c.script(append(slices.Clip(env), "CLOUDSDK_CORE_USER_OUTPUT_ENABLED=false"), "setup.sh", other)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, call := range c.calls[before:] {
			if strings.Contains(call, "addVersion") || strings.HasPrefix(call, "POST") && !strings.Contains(call, ":") {
				t.Error("it calls", call)
			}
		}
		if payload("token-keyset") != keyset || payload("oauth-client") != clientJSON {
			t.Error("a secret changed")
		}
		for _, secret := range []string{"oauth-client", "token-keyset"} {
			if !strings.Contains(out, "The secret "+secret+" is kept as it is.") || c.resources["projects/project/secrets/"+secret+"/versions/2"] != nil {
				t.Errorf("%s:\n%s", secret, out)
			}
		}
	})

	t.Run("makes no keyset where it cannot see whether there is one, and shows Google's words", func(t *testing.T) {
		c.refuse = func(call string, _ resource) (int, string) {
			if call == "GET projects/project/secrets/token-keyset" {
				return 403, "you may not look"
			}
			return 0, ""
		}
		before := len(c.calls)
		out, err := c.script(env, "setup.sh", client)
		if err == nil || !strings.Contains(out, "you may not look") {
			t.Errorf("%v\n%s", err, out)
		}
		for _, call := range c.calls[before:] {
			if strings.Contains(call, "secrets") {
				t.Error("it calls", call)
			}
		}
	})

	t.Run("makes no second keyset where the first one was taken away", func(t *testing.T) {
		c.refuse = refuseNothing
		delete(c.resources, "projects/project/secrets/token-keyset/versions/1")
		out, err := c.script(env, "setup.sh", client)
		if err == nil || !strings.Contains(out, "The secret token-keyset has no version.") || c.resources["projects/project/secrets/token-keyset/versions/1"] != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func TestSetupOnTheFirstDay(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	missing := map[string]int{}
	c.refuse = func(call string, sent resource) (int, string) {
		// What was just made is known a little later: an API at its first call, an account in its first binding.
		first := func(what, message string, status int) (int, string) {
			if missing[what]++; missing[what] > 1 {
				return 0, ""
			}
			return status, message
		}
		switch {
		case call == "GET projects/project/databases/(default)":
			return first(call, "Cloud Firestore API has not been used in project project before or it is disabled.", 403)
		case strings.HasSuffix(call, ":setIamPolicy"):
			return first(call, "Service account oauth-functions@project.iam.gserviceaccount.com does not exist.", 400)
		}
		return 0, ""
	}
	out, err := c.script(append(c.env(t), loadBalanced...), "setup.sh")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	t.Run("asks to be run again where the scheduler's address is not known yet", func(t *testing.T) {
		if c.resources[jobPath] != nil || !strings.Contains(out, "deploy/setup.sh once more") {
			t.Error(out)
		}
	})
	t.Run("waits for what Google makes known slowly", func(t *testing.T) {
		if c.policies["projects/project"] == nil || missing["POST projects/project:setIamPolicy"] < 2 || !strings.Contains(out, "Google does not know everything yet") {
			t.Errorf("%v\n%s", missing, out)
		}
	})
	t.Run("works without the client's file, and says how it is made", func(t *testing.T) {
		if c.resources["projects/project/secrets/oauth-client"] != nil || !strings.Contains(out, "make one with the redirect URI") ||
			!strings.Contains(out, "deploy/setup.sh client_secret.json") {
			t.Error(out)
		}
	})
}

var loadBalanced = []string{"BASE_URL=https://app.example.com", "INGRESS=internal-and-gclb"}

func TestSetupBehindALoadBalancer(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	t.Run("has the scheduler call the function's own address, for the audience of BASE_URL", func(t *testing.T) {
		c.put(functionsPath+"dailyevent", resource{"name": functionsPath + "dailyevent", "serviceConfig": resource{}})
		if out, err := c.script(append(append(c.env(t), loadBalanced...), "SCHEDULE_dailyevent=30 6 * * 1-5", "TIME_ZONE_dailyevent=Asia/Tokyo"), "setup.sh"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		target := c.resources[jobPath]["httpTarget"].(resource)
		if target["uri"] != "https://dailyevent-1234567890.region.run.app" || target["oidcToken"].(resource)["audience"] != "https://app.example.com/dailyevent" {
			t.Errorf("%v", target)
		}
		if c.resources[jobPath]["schedule"] != "30 6 * * 1-5" || c.resources[jobPath]["timeZone"] != "Asia/Tokyo" {
			t.Errorf("%v", c.resources[jobPath])
		}
	})
}

func TestSetupRefuses(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	t.Run("a database in Datastore mode, and names the way out", func(t *testing.T) {
		c := newCloud(t)
		c.resources["projects/project/databases/(default)"] = resource{"name": "projects/project/databases/(default)", "type": "DATASTORE_MODE", "locationId": "region"}
		out, err := c.script(c.env(t), "setup.sh")
		if err == nil || !strings.Contains(out, "set FIRESTORE_DATABASE to a new name") || c.resources["projects/project/secrets/token-keyset"] != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for what, test := range map[string]struct{ file, want string }{
		"a client of another type": {clientFile(t, strings.Replace(clientJSON, "web", "installed", 1)), `make one of the type "Web application"`},
		"a client without secret":  {clientFile(t, `{"web":{"client_id":"id"}}`), "has no client_secret, which the Google Cloud console shows only when it is made"},
		"what is no JSON":          {clientFile(t, "canary"), "is not JSON"},
		"a file that is not there": {"/nowhere/client_secret.json", "No such file"},
	} {
		t.Run(what, func(t *testing.T) {
			out, err := script(environment("DRY_RUN=1"), "setup.sh", test.file)
			if err == nil || !strings.Contains(out, test.want) || strings.Contains(out, "gcloud ") || strings.Contains(out, "canary") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func clientFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "client_secret.json")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
