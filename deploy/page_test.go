package deploy_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// A block is a piece of shell on the page, to be pasted.
type block struct{ heading, text string }

// blocks returns those of the page, in order.
func blocks(t *testing.T) []block {
	t.Helper()
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	heading, inside := "", false
	for line := range strings.Lines(string(page)) {
		switch trimmed := strings.TrimSpace(line); {
		case !inside && strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case trimmed == "```sh":
			all, inside = append(all, block{heading: heading}), true
		case trimmed == "```":
			inside = false
		case inside:
			all[len(all)-1].text += strings.TrimPrefix(line, "   ")
		}
	}
	return all
}

// under returns the blocks under a heading, one after the other.
func under(t *testing.T, heading string) string {
	t.Helper()
	text := ""
	for _, b := range blocks(t) {
		if b.heading == heading {
			text += b.text
		}
	}
	if text == "" {
		t.Fatalf("nothing under %q", heading)
	}
	return text
}

// An interactive zsh, the shell of a Mac, takes # and what follows for words.
func TestBlocksCanBePasted(t *testing.T) {
	for _, b := range blocks(t) {
		if regexp.MustCompile(`(?m)(^|\s)#`).MatchString(b.text) {
			t.Errorf("a comment under %s:\n%s", b.heading, b.text)
		}
	}
}

func TestThePage(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	env := append(append(c.env(t), stagedAll(t)...), "DOMAIN=app.example.com", "BASE_URL=https://region-project.cloudfunctions.net")
	run := func(t *testing.T, shell string) string {
		t.Helper()
		out, err := c.run(bash(env, shell))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}

	t.Run("makes a load balancer whose parts hang together", func(t *testing.T) {
		balancer, _, _ := strings.Cut(under(t, "Hosts"), "export ")
		out := run(t, balancer)
		if !strings.HasSuffix(out, "203.0.113.1\n") {
			t.Errorf("no address:\n%s", out)
		}
		const global = "projects/project/global/"
		at := func(path string) string { return c.URL + "/compute/v1/" + path }
		part := func(path string) resource { return c.resources[path] }
		rule, proxy := part(global+"forwardingRules/oauth-functions"), part(global+"targetHttpsProxies/oauth-functions")
		backends, _ := part(global + "backendServices/oauth-functions")["backends"].([]any)
		group := part("projects/project/regions/region/networkEndpointGroups/oauth-functions")
		if rule["target"] != at(global+"targetHttpsProxies/oauth-functions") || rule["IPAddress"] != at(global+"addresses/oauth-functions") || rule["portRange"] != "443" ||
			proxy["urlMap"] != at(global+"urlMaps/oauth-functions") || !reflect.DeepEqual(proxy["sslCertificates"], []any{at(global + "sslCertificates/oauth-functions")}) ||
			part(global + "urlMaps/oauth-functions")["defaultService"] != at(global+"backendServices/oauth-functions") ||
			len(backends) != 1 || backends[0].(resource)["group"] != at("projects/project/regions/region/networkEndpointGroups/oauth-functions") ||
			!reflect.DeepEqual(group["cloudRun"], resource{"urlMask": "/<service>"}) ||
			!reflect.DeepEqual(part(global + "sslCertificates/oauth-functions")["managed"], resource{"domains": []any{"app.example.com"}}) {
			t.Errorf("%v\n%v\n%v\n%v", rule, proxy, backends, group)
		}
	})

	t.Run("makes a channel and alerts that use it", func(t *testing.T) {
		run(t, under(t, "Watch"))
		for name, r := range c.resources {
			if strings.Contains(name, "/alertPolicies/") && !strings.Contains(r["notificationChannels"].([]any)[0].(string), "/notificationChannels/") {
				t.Errorf("%v", r)
			}
		}
	})

	t.Run("has the database kept daily", func(t *testing.T) {
		first, _, _ := strings.Cut(under(t, "Backups, and the end"), "\n")
		run(t, first)
		for _, call := range c.calls {
			if strings.HasPrefix(call, "POST projects/project/databases/(default)/backupSchedules") {
				return
			}
		}
		t.Errorf("%v", c.calls)
	})

	t.Run("gives Cloud Build's account no more than a deploy takes", func(t *testing.T) {
		accounts, _, _ := strings.Cut(under(t, "Cloud Build"), "gcloud builds ")
		accounts = regexp.MustCompile(`(?m)^gcloud storage .*$`).ReplaceAllString(accounts, "")
		run(t, accounts)
		const deployer = "serviceAccount:oauth-deployer@project.iam.gserviceaccount.com"
		got := map[string]bool{}
		for on, policy := range c.policies {
			for _, b := range policy["bindings"].([]any) {
				for _, member := range b.(resource)["members"].([]any) {
					if member == deployer {
						got[b.(resource)["role"].(string)+" on "+on] = true
					}
				}
			}
		}
		want := map[string]bool{
			"roles/cloudfunctions.developer on projects/project": true, "roles/run.admin on projects/project": true, "roles/logging.logWriter on projects/project": true,
			"roles/iam.serviceAccountUser on projects/project/serviceAccounts/oauth-functions@project.iam.gserviceaccount.com": true,
			"roles/iam.serviceAccountUser on projects/project/serviceAccounts/oauth-builder@project.iam.gserviceaccount.com":   true,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})
}
