package fakegoogle

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// refused asks the API at path, signed in, and returns the status, the content type and the body.
func (w *world) refused(path string) (int, string, string) {
	w.Helper()
	resp, err := w.UserClient(w.url, ada, gmailLabels, driveFile, eventsOwned, cloudRead).Get("https://www.googleapis.com" + path)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), strings.TrimSpace(string(body))
}

// apiFault is an error of Google's APIs in both formats.
type apiFault struct {
	Error struct {
		Code            int
		Message, Status string
		Errors          []struct{ Domain, Reason, Message string }
		Details         []struct {
			Type       string `json:"@type"`
			Reason     string
			Metadata   map[string]string
			RetryDelay string
		}
	}
}

func (w *world) fault(path string) (int, apiFault) {
	w.Helper()
	status, _, body := w.refused(path)
	var f apiFault
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		w.Fatalf("%s: %v", body, err)
	}
	return status, f
}

const (
	labelsPath   = "/gmail/v1/users/me/labels"
	filePath     = "/drive/v3/files/x"
	eventPath    = "/calendar/v3/calendars/primary/events/abcde"
	projectsPath = "/v3/projects:search"
)

func TestRefuse(t *testing.T) {
	for name, tt := range map[string]struct {
		path            string
		status          int
		canonical       string
		domain, reason  string // "" where there is no list of errors
		message         string
		detail, service string // of the ErrorInfo
	}{
		"mailServiceNotEnabled":       {labelsPath, 400, "FAILED_PRECONDITION", "global", "failedPrecondition", "Mail service not enabled", "", ""},
		"notACalendarUser":            {eventPath, 403, "PERMISSION_DENIED", "calendar", "notACalendarUser", "signed up for Google Calendar", "", ""},
		"storageQuotaExceeded":        {filePath, 403, "PERMISSION_DENIED", "usageLimits", "storageQuotaExceeded", "Drive storage quota", "", ""},
		"domainPolicy":                {filePath, 403, "PERMISSION_DENIED", "global", "domainPolicy", "have disabled Drive apps", "", ""},
		"accessNotConfigured":         {eventPath, 403, "PERMISSION_DENIED", "usageLimits", "accessNotConfigured", "Google Calendar API has not been used", "SERVICE_DISABLED", "calendar-json.googleapis.com"},
		"SERVICE_DISABLED":            {projectsPath, 403, "PERMISSION_DENIED", "", "", "Cloud Resource Manager API has not been used", "SERVICE_DISABLED", "cloudresourcemanager.googleapis.com"},
		"rateLimitExceeded":           {filePath, 403, "PERMISSION_DENIED", "usageLimits", "rateLimitExceeded", "Rate Limit", "", ""},
		"calendarUsageLimitsExceeded": {eventPath, 403, "PERMISSION_DENIED", "usageLimits", "quotaExceeded", "Calendar usage limits exceeded.", "", ""},
		"RATE_LIMIT_EXCEEDED":         {labelsPath, 403, "PERMISSION_DENIED", "", "", "per minute per user", "RATE_LIMIT_EXCEEDED", "gmail.googleapis.com"},
		"RESOURCE_EXHAUSTED":          {projectsPath, 429, "RESOURCE_EXHAUSTED", "", "", "per minute", "RATE_LIMIT_EXCEEDED", "cloudresourcemanager.googleapis.com"},
		"queriesPerDay":               {labelsPath, 403, "PERMISSION_DENIED", "usageLimits", "rateLimitExceeded", "per day", "RATE_LIMIT_EXCEEDED", "gmail.googleapis.com"},
	} {
		t.Run("answers "+name, func(t *testing.T) {
			w := newWorld(t)
			w.Refuse(tt.path, 1, name)
			status, f := w.fault(tt.path)
			if e := f.Error; status != tt.status || e.Code != tt.status || e.Status != tt.canonical || !strings.Contains(e.Message, tt.message) {
				t.Errorf("%d %+v", status, e)
			}
			switch errs := f.Error.Errors; {
			case tt.reason == "" && len(errs) > 0, tt.reason != "" && (len(errs) != 1 || errs[0].Reason != tt.reason || errs[0].Domain != tt.domain || errs[0].Message != f.Error.Message):
				t.Errorf("errors %+v", errs)
			}
			switch details := f.Error.Details; {
			case tt.detail == "" && len(details) > 0, tt.detail != "" && (len(details) == 0 || details[0].Reason != tt.detail || details[0].Metadata["service"] != tt.service):
				t.Errorf("details %+v", details)
			}
			if status, _, _ := w.refused(tt.path); status != 200 && status != 404 {
				t.Errorf("the request after it: %d", status)
			}
		})
	}
	for name, tt := range map[string]struct {
		status            int
		contentType, body string
	}{
		"html": {200, "text/html", "<!DOCTYPE html>"}, "html502": {502, "text/html", "<!DOCTYPE html>"},
		"null": {200, "application/json", "null"}, "array": {200, "application/json", "[]"}, "empty": {200, "application/json", ""},
		"repeatedPageToken": {200, "application/json", `{"nextPageToken":"again"`},
	} {
		t.Run("answers "+name, func(t *testing.T) {
			w := newWorld(t)
			w.Refuse("/v3/", 1, name)
			if status, kind, body := w.refused(projectsPath); status != tt.status || !strings.HasPrefix(kind, tt.contentType) || !strings.HasPrefix(body, tt.body) || tt.body == "" && body != "" {
				t.Errorf("%d %s %q", status, kind, body)
			}
		})
	}
	sentences(t, map[string]func(*world){
		"names the API's page in the console": func(w *world) {
			w.Refuse("/gmail/", 1, "accessNotConfigured")
			_, f := w.fault(labelsPath)
			at := f.Error.Details[0].Metadata["activationUrl"]
			if !strings.Contains(at, "/gmail.googleapis.com/") || !strings.Contains(f.Error.Message, at) {
				w.Errorf("%+v", f)
			}
		},
		"says in RetryInfo, or in Gmail's message alone, when to try again": func(w *world) {
			w.Refuse("/v3/", 1, "RESOURCE_EXHAUSTED")
			if _, f := w.fault(projectsPath); f.Error.Details[1].RetryDelay != "37s" {
				w.Errorf("%+v", f)
			}
			w.Refuse("/gmail/", 1, "userRateLimitRetryAfter")
			want := "Retry after " + w.clock.now().UTC().Format("2006-01-02T")
			if status, f := w.fault(labelsPath); status != 429 || !strings.Contains(f.Error.Message, want) {
				w.Errorf("%d %+v", status, f)
			}
		},
		"answers for the token endpoint": func(w *world) {
			for name, want := range map[string]struct {
				status        int
				code, subtype string
			}{
				"invalid_rapt": {400, "invalid_grant", "invalid_rapt"}, "access_denied": {403, "access_denied", ""},
				"rate_limit_exceeded": {403, "rate_limit_exceeded", ""}, "admin_policy_enforced": {400, "admin_policy_enforced", ""},
				"deleted_client": {401, "deleted_client", ""}, "internal_failure": {400, "internal_failure", ""},
				"temporarily_unavailable": {503, "temporarily_unavailable", ""},
			} {
				w.Refuse("/token", 1, name)
				status, body := w.refreshWith("any")
				wantOAuthError(w.T, status, body, want.status, want.code)
				if got, _ := body["error_subtype"].(string); got != want.subtype {
					w.Errorf("%s: %v", name, body)
				}
			}
		},
		"knows every name that it lists, for every API": func(w *world) {
			for name := range refusals {
				for _, path := range []string{labelsPath, filePath, eventPath, projectsPath} {
					w.Refuse(path, 1, name)
					w.refused(path)
				}
			}
			defer func() {
				if recover() == nil {
					w.Error("took a name that it does not know")
				}
			}()
			w.Refuse("/", 1, "noSuchReason")
		},
	})
}
