package main

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"functions.local/oauth/shared/httpfunc"
)

func TestFunctions(t *testing.T) {
	print := func(set ...string) (string, error) {
		env := map[string]string{"BASE_URL": "https://app.example.com/api/", "GOOGLE_CLOUD_PROJECT": "project", "REGION": "region",
			"TOKEN_STORE": "memory", "GOOGLE_BASE_URL": "http://127.0.0.1:1"}
		for i := 0; i < len(set); i += 2 {
			env[set[i]] = set[i+1]
		}
		var out strings.Builder
		err := run(nil, func(name string) string { return env[name] }, &out)
		return out.String(), err
	}
	out, err := print()
	if err != nil {
		t.Fatal(err)
	}

	t.Run("says of each function what its literal says, and asks it for the rest", func(t *testing.T) {
		for _, line := range []string{
			"oauth2init framework 256Mi 60 302 - - -\n",
			"oauth2callback framework 256Mi 60 400 - - -\n",
			"listlabels user 256Mi 60 302 gmail.googleapis.com - -\n",
			"createfile user 512Mi 600 302 drive.googleapis.com - -\n",
			"dailyevent job 256Mi 1800 302 calendar-json.googleapis.com 1.666 0 18 * * *\n",
			"app all 512Mi 1800 404 - - -'\n",
		} {
			if !strings.Contains(out, line) {
				t.Errorf("no %q in\n%s", line, out)
			}
		}
	})

	t.Run("reads BASE_URL as the functions do", func(t *testing.T) {
		if !strings.HasPrefix(out, "BASE_URL='https://app.example.com/api'\n") {
			t.Error(out)
		}
	})

	for what, set := range map[string][]string{
		"an address without https":                {"BASE_URL", "http://app.example.com"},
		"a cookie that is not ours":               {"SESSION_COOKIE", "sid"},
		"a desktop client":                        {"OAUTH_CLIENT_JSON", `{"installed":{}}`},
		"a queue without who calls for its tasks": {"TASK_QUEUE", "projects/p/locations/l/queues/q"},
		"a front end with a fragment":             {"FRONT_ENDS", "https://app.example.com/#x"},
	} {
		t.Run("names "+what+" and prints nothing", func(t *testing.T) {
			out, err := print(set...)
			if err == nil || !strings.Contains(err.Error(), set[0]) || out != "" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}

	t.Run("has Firebase Hosting pass on every function", func(t *testing.T) {
		var out strings.Builder
		if err := run([]string{"-firebase"}, func(string) string { return "europe-west1" }, &out); err != nil {
			t.Fatal(err)
		}
		var file struct {
			Hosting struct {
				Rewrites []struct {
					Source string
					Run    struct{ ServiceID, Region string }
				}
			}
		}
		if err := json.Unmarshal([]byte(out.String()), &file); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range file.Hosting.Rewrites {
			if r.Source != "/"+r.Run.ServiceID || r.Run.Region != "europe-west1" {
				t.Errorf("%+v", r)
			}
			got = append(got, r.Run.ServiceID)
		}
		if want := httpfunc.Names(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})

	t.Run("shows its usage for what it does not know", func(t *testing.T) {
		if err := run([]string{"list"}, nil, io.Discard); err == nil || err.Error() != strings.TrimSpace(usage) {
			t.Errorf("run = %v", err)
		}
	})
}

func TestCompareMemory(t *testing.T) {
	sizes := []string{"2Gi", "512Mi", "1Gi", "256Mi"}
	slices.SortFunc(sizes, compareMemory)
	if want := []string{"256Mi", "512Mi", "1Gi", "2Gi"}; !slices.Equal(sizes, want) {
		t.Errorf("%v, want %v", sizes, want)
	}
}
