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
	c := newCloud(t)
	env := append(c.env(t), "TIME_ZONE=Europe/Berlin", "COLLECTION_PREFIX=x-", "BASE_URL=https://app.example.com/api")
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

	t.Run("has Firestore remove the marks of used sign-ins", func(t *testing.T) {
		if c.resources["projects/project/databases/(default)"]["type"] != "FIRESTORE_NATIVE" {
			t.Error("no database")
		}
		if c.resources["projects/project/databases/(default)/collectionGroups/x-flows/fields/expires"]["ttlConfig"] == nil {
			t.Error("no TTL policy")
		}
	})

	t.Run("gives each account what it needs and the scheduler's nothing", func(t *testing.T) {
		got := map[string][]string{}
		for on, policy := range c.policies {
			for _, b := range policy["bindings"].([]any) {
				for _, member := range b.(resource)["members"].([]any) {
					got[member.(string)] = append(got[member.(string)], b.(resource)["role"].(string)+" on "+on)
				}
			}
		}
		for _, roles := range got {
			slices.Sort(roles)
		}
		want := map[string][]string{
			"serviceAccount:oauth-functions@project.iam.gserviceaccount.com": {
				"roles/datastore.user on projects/project",
				"roles/secretmanager.secretAccessor on projects/project/secrets/oauth-client",
				"roles/secretmanager.secretAccessor on projects/project/secrets/token-keyset",
			},
			"serviceAccount:oauth-builder@project.iam.gserviceaccount.com": {"roles/cloudbuild.builds.builder on projects/project"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})

	t.Run("has the scheduler call dailyevent with a token and retry", func(t *testing.T) {
		job := c.resources["projects/project/locations/region/jobs/dailyevent"]
		target := job["httpTarget"].(resource)
		body, _ := base64.StdEncoding.DecodeString(target["body"].(string))
		if string(body) != `{"time_zone":"Europe/Berlin"}` {
			t.Errorf("body %s", body)
		}
		token := resource{"serviceAccountEmail": "oauth-scheduler@project.iam.gserviceaccount.com",
			"audience": "https://app.example.com/api/dailyevent"}
		if target["uri"] != "https://region-project.cloudfunctions.net/dailyevent" || target["httpMethod"] != "POST" || !reflect.DeepEqual(target["oidcToken"], token) ||
			target["headers"].(resource)["Content-Type"] != "application/json" {
			t.Errorf("target %v", target)
		}
		retry := resource{"retryCount": 5.0, "minBackoffDuration": "10s", "maxBackoffDuration": "600s", "maxDoublings": 5.0}
		if job["schedule"] != "0 18 * * *" || job["timeZone"] != "Europe/Berlin" || job["attemptDeadline"] != "180s" ||
			!reflect.DeepEqual(job["retryConfig"], retry) {
			t.Errorf("job %v", job)
		}
	})

	t.Run("says what is left to do by hand", func(t *testing.T) {
		for _, text := range []string{
			"redirect URI       https://app.example.com/api/oauth2callback\n",
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

	t.Run("keeps everything when it is run again", func(t *testing.T) {
		keyset, before := payload("token-keyset"), len(c.calls)
		other := clientFile(t, strings.Replace(clientJSON, "canary", "other", 1))
		out, err := c.script(env, "setup.sh", other)
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
			if !strings.Contains(out, "The secret "+secret+" is kept as it is.") {
				t.Errorf("nothing is said of %s:\n%s", secret, out)
			}
		}
	})

	t.Run("makes no keyset where it cannot see whether there is one", func(t *testing.T) {
		c.forbidden = "projects/project/secrets/token-keyset/versions"
		before := len(c.calls)
		out, err := c.script(env, "setup.sh", client)
		if err == nil || !strings.Contains(out, "forbidden") {
			t.Errorf("%v\n%s", err, out)
		}
		if slices.Contains(c.calls[before:], "POST projects/project/secrets/token-keyset:addVersion") {
			t.Error("it made one")
		}
	})
}

func TestSetupRefuses(t *testing.T) {
	for what, file := range map[string]string{
		"a client of another type": clientFile(t, strings.Replace(clientJSON, "web", "installed", 1)),
		"a file that is not there": "/nowhere/client_secret.json",
		"no file":                  "",
	} {
		t.Run(what, func(t *testing.T) {
			out, err := script(environment("DRY_RUN=1"), "setup.sh", file)
			if err == nil || !strings.Contains(out, `a client of the type "Web application"`) || strings.Contains(out, "gcloud ") {
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
