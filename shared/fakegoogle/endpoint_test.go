package fakegoogle

import (
	"strings"
	"testing"
	"time"
)

// everyEndpoint is one request for each API, with the scopes that each accept alone.
var everyEndpoint = []struct {
	path   string
	scopes []string
}{
	{"/gmail/v1/users/me/labels", gmailLabelsList.scopes},
	{"/drive/v3/files/generateIds", driveGenerateIDs.scopes},
	{"/drive/v3/files/x", driveGet.scopes},
	{"/calendar/v3/calendars/primary/events/xxxxx", calendarGet.scopes},
	{"/v3/projects:search", projectsSearch.scopes},
}

func TestEveryAPI(t *testing.T) {
	sentences(t, map[string]func(*world){
		"refuses a request without a good token": func(w *world) {
			expired := w.accessToken("", "openid "+gmailLabels)
			w.clock.advance(time.Hour)
			revoked := w.accessToken(grace, gmailLabels)
			w.Revoke(grace)
			for name, header := range map[string]string{
				"missing": "", "basic": "Basic YTpi", "empty": "Bearer ", "unknown": "Bearer ya29.nothing",
				"expired": "Bearer " + expired, "revoked": "Bearer " + revoked,
			} {
				for _, ep := range everyEndpoint {
					resp, body := w.get(ep.path, header)
					fault, _ := body["error"].(map[string]any)
					if resp.StatusCode != 401 || fault["code"] != 401.0 || fault["status"] != "UNAUTHENTICATED" || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer ") {
						w.Errorf("%s %s: %d %v", name, ep.path, resp.StatusCode, body)
					}
				}
			}
		},
		"refuses a token in the query": func(w *world) {
			if resp, _ := w.get("/gmail/v1/users/me/labels?access_token="+w.accessToken("", gmailLabels), ""); resp.StatusCode != 401 {
				w.Errorf("status %d", resp.StatusCode)
			}
		},
		"refuses a token whose scopes do not do, and says which would": func(w *world) {
			token := w.accessToken("", "openid email")
			for _, ep := range everyEndpoint {
				resp, body := w.get(ep.path, "Bearer "+token)
				fault := body["error"].(map[string]any)
				item := fault["errors"].([]any)[0].(map[string]any)
				detail := fault["details"].([]any)[0].(map[string]any)
				if resp.StatusCode != 403 || fault["status"] != "PERMISSION_DENIED" || item["reason"] != "insufficientPermissions" || detail["reason"] != "ACCESS_TOKEN_SCOPE_INSUFFICIENT" {
					w.Errorf("%s: %d %v", ep.path, resp.StatusCode, body)
				}
				if !strings.Contains(resp.Header.Get("WWW-Authenticate"), ep.scopes[0]) {
					w.Errorf("%s: WWW-Authenticate %q", ep.path, resp.Header.Get("WWW-Authenticate"))
				}
			}
		},
		"takes each of the scopes that Google takes": func(w *world) {
			for _, ep := range everyEndpoint {
				for _, scope := range ep.scopes {
					token := w.tokens("", scope, "include_granted_scopes", "")["access_token"].(string)
					if resp, body := w.get(ep.path, "Bearer "+token); resp.StatusCode != 200 && resp.StatusCode != 404 {
						w.Errorf("%s with %s: %d %v", ep.path, scope, resp.StatusCode, body)
					}
				}
			}
		},
		"refuses every token after ExpireAccessTokens": func(w *world) {
			token := w.accessToken("", gmailLabels)
			w.ExpireAccessTokens()
			if resp, _ := w.get("/gmail/v1/users/me/labels", "Bearer "+token); resp.StatusCode != 401 {
				w.Errorf("status %d", resp.StatusCode)
			}
		},
		"answers only the fields that were asked for": func(w *world) {
			_, body := w.get("/gmail/v1/users/me/labels?fields=labels(name)", "Bearer "+w.accessToken("", gmailLabels))
			label := body["labels"].([]any)[0].(map[string]any)
			if len(label) != 1 || label["name"] != "INBOX" {
				w.Errorf("%v", label)
			}
		},
		"refuses fields that make no sense, and another alt": func(w *world) {
			token := "Bearer " + w.accessToken("", gmailLabels)
			for _, query := range []string{"fields=labels(name", "fields=,", "fields=a)", "alt=media"} {
				if resp, _ := w.get("/gmail/v1/users/me/labels?"+query, token); resp.StatusCode != 400 {
					w.Errorf("%s: status %d", query, resp.StatusCode)
				}
			}
		},
		"answers an unknown path with 404 in Google's shape": func(w *world) {
			resp, body := w.get("/youtube/v3/channels?part=id&mine=true", "Bearer "+w.accessToken("", gmailLabels))
			fault, _ := body["error"].(map[string]any)
			if resp.StatusCode != 404 || fault["code"] != 404.0 || fault["status"] != "NOT_FOUND" {
				w.Errorf("%d %v", resp.StatusCode, body)
			}
		},
	})
}

func TestFields(t *testing.T) {
	whole := map[string]any{
		"a": "1", "b": map[string]any{"c": "2", "d": "3"},
		"e": []any{map[string]any{"f": "4", "g": map[string]any{"h": "5", "i": "6"}}},
	}
	for _, tt := range []struct{ fields, want string }{
		{"", `{"a":"1","b":{"c":"2","d":"3"},"e":[{"f":"4","g":{"h":"5","i":"6"}}]}`},
		{"*", `{"a":"1","b":{"c":"2","d":"3"},"e":[{"f":"4","g":{"h":"5","i":"6"}}]}`},
		{"a", `{"a":"1"}`},
		{"a, b", `{"a":"1","b":{"c":"2","d":"3"}}`},
		{"b/c", `{"b":{"c":"2"}}`},
		{"b/c,b/d", `{"b":{"c":"2","d":"3"}}`},
		{"b,b/c", `{"b":{"c":"2","d":"3"}}`},
		{"e(f,g/h),a", `{"a":"1","e":[{"f":"4","g":{"h":"5"}}]}`},
		{"e/g(i),a", `{"a":"1","e":[{"g":{"i":"6"}}]}`},
		{"e/*/h", `{"e":[{"f":"4","g":{"h":"5"}}]}`},
		{"nothing", `{}`},
	} {
		t.Run(tt.fields, func(t *testing.T) {
			sel, err := parseFields(tt.fields)
			if err != nil {
				t.Fatal(err)
			}
			if got := asJSON(t, sel.of(whole)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	for _, fields := range []string{",", "a,", "a/", "a(", "a()", "a(b", "a)", "a(b)c", "(a)", "/a"} {
		t.Run("refuses "+fields, func(t *testing.T) {
			if sel, err := parseFields(fields); err == nil {
				t.Errorf("got %v", sel)
			}
		})
	}
}
