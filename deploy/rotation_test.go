package deploy_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"functions.local/oauth/shared/seal"
)

// rotation is a step of the rotation of the keyset, as the page has it: add, then rotate, and every function is
// started anew after each.
const rotation = `next=$(gcloud secrets versions access latest --secret=token-keyset --project="$GOOGLE_CLOUD_PROJECT" | go run ./deploy/keyset %s) &&
  printf '%%s' "$next" | gcloud secrets versions add token-keyset --project="$GOOGLE_CLOUD_PROJECT" --data-file=- &&
  deploy/restart.sh all
`

func TestKeysetRotation(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	env := append(c.env(t), stagedAll(t)...)
	for _, s := range settings(t) {
		c.revise(s.name, true)
	}
	const secret = "projects/project/secrets/token-keyset"
	put := func(version int, json string) {
		name := fmt.Sprintf("%s/versions/%d", secret, version)
		c.resources[name] = resource{"name": name, "state": "ENABLED", "payload": resource{"data": base64.StdEncoding.EncodeToString([]byte(json))}}
	}
	keyset := func(version int) *seal.Keyset {
		t.Helper()
		payload, _ := c.resources[fmt.Sprintf("%s/versions/%d", secret, version)]["payload"].(resource)
		data, _ := payload["data"].(string)
		json, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		k, err := seal.Parse(string(json))
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		return k
	}
	step := func(what string) error {
		out, err := c.run(bash(env, fmt.Sprintf(rotation, what)))
		if strings.Contains(out, `"value"`) {
			t.Errorf("a key is shown: %s", out)
		}
		return err
	}

	first, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	put(1, string(first.JSON()))
	for _, what := range []string{"add", "rotate"} {
		if err := step(what); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("leaves no moment in which an instance cannot open what another one sealed", func(t *testing.T) {
		for _, pair := range [][2]int{{1, 2}, {2, 3}} { // the versions that are in use at the same time
			for _, sealer := range pair {
				for _, opener := range pair {
					sealed, err := keyset(sealer).Seal("purpose", "owner", []byte("text"))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := keyset(opener).Open("purpose", "owner", sealed); err != nil {
						t.Errorf("version %d does not open what version %d sealed: %v", opener, sealer, err)
					}
				}
			}
		}
	})

	t.Run("has a new key seal in the end, and opens what the first one sealed", func(t *testing.T) {
		sealed, err := keyset(3).Seal("purpose", "owner", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := first.Open("purpose", "owner", sealed); err == nil {
			t.Error("the first key still seals")
		}
		old, err := first.Seal("purpose", "owner", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyset(3).Open("purpose", "owner", old); err != nil {
			t.Error(err)
		}
	})

	t.Run("adds no version where the keyset does not open", func(t *testing.T) {
		put(4, "{}")
		if err := step("add"); err == nil || c.resources[secret+"/versions/5"] != nil {
			t.Errorf("%v, version 5: %v", err, c.resources[secret+"/versions/5"] != nil)
		}
	})

	t.Run("starts each function anew after each step", func(t *testing.T) {
		if got := c.serving("listlabels"); got != "listlabels-00003" {
			t.Errorf("%s serves", got)
		}
	})

	t.Run("is on the page", func(t *testing.T) {
		readme, err := os.ReadFile("README.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"add", "rotate"} {
			if text := fmt.Sprintf(rotation, what); !strings.Contains(string(readme), text) {
				t.Errorf("not there:\n%s", text)
			}
		}
	})
}
