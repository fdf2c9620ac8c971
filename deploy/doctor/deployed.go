package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// deployed is what the settings, the tree and Google Cloud say. The exported fields have the form of gcloud's JSON.
type deployed struct {
	settings  map[string]string // of settings.sh
	functions []row             // of the tree
	versions  map[string]string // by the name of a function: what the tree would deploy

	Functions []struct {
		Name, State   string
		Labels        map[string]string
		ServiceConfig struct {
			ServiceAccountEmail        string
			AllTrafficOnLatestRevision bool
		}
	}
	Services []struct {
		Metadata struct{ Name string }
		Status   struct {
			Traffic []struct{ RevisionName string }
		}
	}
	Revisions []struct {
		Metadata struct {
			Name              string
			CreationTimestamp time.Time
		}
	}
	Client, Keyset struct{ CreateTime time.Time } // the latest versions of the secrets
	Database       struct{ Type string }
	TTL            []struct{ TTLConfig struct{ State string } }
	Jobs           []struct {
		Name, State string
		Status      struct{ Code int }
		HTTPTarget  struct {
			OIDCToken struct{ ServiceAccountEmail, Audience string }
		}
	}
	APIs  []struct{ Config struct{ Name string } }
	Queue struct{ State string }
}

// A row is a line of FUNCTIONS in settings.sh.
type row struct {
	name, kind, api string
	visitor         int // the HTTP status that somebody without a session gets
}

// examineDeployed reports whether what is deployed works, and is what the tree would deploy.
func (d *doctor) examineDeployed(ctx context.Context) bool {
	c := &deployed{}
	if err := c.readTree(ctx); err != nil {
		d.wrong("the settings", "%v", err)
		return false
	}
	if err := c.readCloud(ctx); err != nil {
		d.wrong("Google Cloud", "%v", err)
		return false
	}
	d.checkFunctions(c)
	d.checkPublic(ctx, c)
	d.checkStore(c)
	d.checkJobs(c)
	d.checkAPIs(c)
	return !d.sick
}

// readTree reads the settings as the scripts do, and the versions that they would deploy.
func (c *deployed) readTree(ctx context.Context) error {
	out, err := output(ctx, nil, "bash", "-c", `set -euo pipefail
		. deploy/settings.sh
		for name in GOOGLE_CLOUD_PROJECT REGION BASE_URL FIRESTORE_DATABASE COLLECTION_PREFIX TASK_QUEUE ALL_IN_ONE CLIENT_SECRET KEYSET_SECRET FUNCTIONS_ACCOUNT SCHEDULER_ACCOUNT; do
			printf '%s=%s\n' "$name" "${!name}"
		done
		printf '%s\n' "$FUNCTIONS"`)
	if err != nil {
		return err
	}
	c.settings = map[string]string{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if f := strings.Fields(line); len(f) >= 8 && !strings.Contains(f[0], "=") {
			visitor, _ := strconv.Atoi(f[4])
			c.functions = append(c.functions, row{f[0], f[1], f[5], visitor})
		} else if name, value, ok := strings.Cut(line, "="); ok {
			c.settings[name] = value
		}
	}
	if out, err = output(ctx, []string{"DRY_RUN=1"}, "bash", "deploy/deploy.sh", "all"); err != nil {
		return err
	}
	c.versions = map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^gcloud functions deploy (\S+) .*--update-labels=version=(\S+)`).FindAllSubmatch(out, -1) {
		c.versions[string(m[1])] = string(m[2])
	}
	return nil
}

// readCloud asks gcloud for everything at once.
func (c *deployed) readCloud(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	region, database := "--region="+c.settings["REGION"], "--database="+c.settings["FIRESTORE_DATABASE"]
	location := "--location=" + c.settings["REGION"]
	read := func(into any, args ...string) {
		all.Go(func() error {
			out, err := output(ctx, nil, "gcloud", append(args, "--project="+c.settings["GOOGLE_CLOUD_PROJECT"], "--format=json")...)
			if err != nil {
				return err
			}
			return json.Unmarshal(out, into)
		})
	}
	read(&c.Functions, "functions", "list", "--v2", "--regions="+c.settings["REGION"])
	read(&c.Services, "run", "services", "list", region)
	read(&c.Revisions, "run", "revisions", "list", region)
	read(&c.Client, "secrets", "versions", "describe", "latest", "--secret="+c.settings["CLIENT_SECRET"])
	read(&c.Keyset, "secrets", "versions", "describe", "latest", "--secret="+c.settings["KEYSET_SECRET"])
	read(&c.Database, "firestore", "databases", "describe", database)
	read(&c.TTL, "firestore", "fields", "ttls", "list", "--collection-group="+c.settings["COLLECTION_PREFIX"]+"flows", database)
	read(&c.Jobs, "scheduler", "jobs", "list", location)
	read(&c.APIs, "services", "list", "--enabled")
	if queue := c.settings["TASK_QUEUE"]; queue != "" {
		read(&c.Queue, "tasks", "queues", "describe", path.Base(queue), location)
	}
	return all.Wait()
}

// output runs a command and returns what it prints. Its error holds what the command says on standard error.
func output(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append(os.Environ(), "CLOUDSDK_CORE_USER_OUTPUT_ENABLED=true", "CLOUDSDK_CORE_DISABLE_PROMPTS=true"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// checkFunctions compares each function's version with the tree's, and looks whether its instances have the newest
// secrets.
func (d *doctor) checkFunctions(c *deployed) {
	place := fmt.Sprintf("--region=%s --project=%s", c.settings["REGION"], c.settings["GOOGLE_CLOUD_PROJECT"])
	created := map[string]time.Time{} // by revision
	for _, r := range c.Revisions {
		created[r.Metadata.Name] = r.Metadata.CreationTimestamp
	}
	serving := map[string]time.Time{} // by service, since when
	for _, s := range c.Services {
		for _, t := range s.Status.Traffic {
			serving[s.Metadata.Name] = created[t.RevisionName]
		}
	}
	there := map[string]bool{}
	for _, f := range c.Functions {
		name := path.Base(f.Name)
		there[name] = true
		version, ours := c.versions[name]
		switch since := serving[name]; {
		case !ours && f.ServiceConfig.ServiceAccountEmail == c.settings["FUNCTIONS_ACCOUNT"]:
			d.wrong(name, "is deployed and no longer in the tree: gcloud functions delete %s --gen2 %s", name, place)
		case !ours: // it belongs to somebody else
		case f.State != "ACTIVE":
			d.wrong(name, "is %s since its last deploy: deploy/deploy.sh %s", f.State, name)
		case f.Labels["version"] != version:
			d.wrong(name, "is another version than the tree's, or has other settings: deploy/deploy.sh %s", name)
		case !f.ServiceConfig.AllTrafficOnLatestRevision:
			d.wrong(name, "was rolled back and serves an old revision: deploy/traffic.sh latest %s, when it may go forward", name)
		case since.Before(c.Client.CreateTime) || since.Before(c.Keyset.CreateTime):
			d.wrong(name, "runs since before the newest version of its secrets, and may not know it: deploy/restart.sh %s", name)
		default:
			d.fine(name, "is deployed as it is here, with the newest secrets")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.versions)) {
		if !there[name] {
			d.wrong(name, "is not deployed: deploy/deploy.sh %s", name)
		}
	}
}

// checkPublic calls each function as somebody without a session does.
func (d *doctor) checkPublic(ctx context.Context, c *deployed) {
	for _, f := range c.functions {
		if f.kind == "all" {
			continue
		}
		address := c.settings["BASE_URL"] + "/" + f.name
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			d.wrong(address, "%v", err)
			continue
		}
		r.Header.Set("Accept", "text/html")
		client := *d.client
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res, err := client.Do(r)
		if err != nil {
			d.wrong(address, "does not answer: %v", err)
			continue
		}
		res.Body.Close()
		switch {
		case res.StatusCode == f.visitor:
			d.fine(address, "answers %d", res.StatusCode)
		case res.StatusCode == http.StatusForbidden:
			d.wrong(address, "is not public: deploy/deploy.sh %s, with PUBLIC=no-invoker-check where an organization forbids allUsers", f.name)
		default:
			d.wrong(address, "answers %d, want %d: look into its log", res.StatusCode, f.visitor)
		}
	}
}

// checkStore looks at the database and its TTL policy.
func (d *doctor) checkStore(c *deployed) {
	name := "the database " + c.settings["FIRESTORE_DATABASE"]
	switch {
	case c.Database.Type != "FIRESTORE_NATIVE":
		d.wrong(name, "is of the type %s: name another one in FIRESTORE_DATABASE and run deploy/setup.sh", c.Database.Type)
	case len(c.TTL) == 0:
		d.wrong(name, "keeps the marks of used sign-ins for ever: run deploy/setup.sh")
	default:
		d.fine(name, "is in native mode and removes the marks of used sign-ins")
	}
}

// checkJobs compares the scheduler's jobs with the functions that are jobs, and looks at the queue.
func (d *doctor) checkJobs(c *deployed) {
	wanted := map[string]bool{}
	for _, f := range c.functions {
		wanted[f.name] = f.kind == "job"
	}
	there := map[string]bool{}
	for _, j := range c.Jobs {
		name := path.Base(j.Name)
		there[name] = true
		what, audience := "the scheduler's job "+name, c.settings["BASE_URL"]+"/"+name
		switch {
		case !wanted[name] && j.HTTPTarget.OIDCToken.ServiceAccountEmail == c.settings["SCHEDULER_ACCOUNT"]:
			d.wrong(what, "is for no function of the tree: gcloud scheduler jobs delete %s --location=%s --project=%s", name, c.settings["REGION"], c.settings["GOOGLE_CLOUD_PROJECT"])
		case !wanted[name]: // it belongs to somebody else
		case j.HTTPTarget.OIDCToken.Audience != audience:
			d.wrong(what, "has the audience %s, and the function wants %s: run deploy/setup.sh", j.HTTPTarget.OIDCToken.Audience, audience)
		case j.State != "ENABLED":
			d.wrong(what, "is %s: gcloud scheduler jobs resume %s --location=%s --project=%s", j.State, name, c.settings["REGION"], c.settings["GOOGLE_CLOUD_PROJECT"])
		case j.Status.Code != 0:
			d.wrong(what, "failed at its last attempt (code %d): look for \"job run\" in the function's log", j.Status.Code)
		default:
			d.fine(what, "calls the function")
		}
	}
	for _, f := range c.functions {
		if f.kind == "job" && !there[f.name] {
			d.wrong("the scheduler's job "+f.name, "is missing: run deploy/setup.sh")
		}
	}
	if queue := c.settings["TASK_QUEUE"]; queue != "" && c.Queue.State != "RUNNING" {
		d.wrong("the queue "+queue, "is %s: gcloud tasks queues resume %s --location=%s --project=%s", c.Queue.State, path.Base(queue), c.settings["REGION"], c.settings["GOOGLE_CLOUD_PROJECT"])
	}
}

// checkAPIs looks whether the APIs that the functions call are switched on.
func (d *doctor) checkAPIs(c *deployed) {
	on := map[string]bool{}
	for _, api := range c.APIs {
		on[api.Config.Name] = true
	}
	for _, f := range c.functions {
		if f.api != "-" && !on[f.api] {
			d.wrong(f.api, "is switched off, and %s calls it: run deploy/setup.sh", f.name)
		}
	}
}
