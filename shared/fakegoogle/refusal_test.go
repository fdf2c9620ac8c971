package fakegoogle

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRefuse(t *testing.T) {
	sentences(t, map[string]func(*world){
		"accessNotConfigured names the API, in both formats, and its page in the console": func(w *world) {
			for path, service := range map[string]string{
				"/gmail/v1/users/me/labels": "gmail.googleapis.com", "/drive/v3/files/x": "drive.googleapis.com",
				"/calendar/v3/calendars/primary/events/abcde": "calendar-json.googleapis.com", "/v3/projects:search": "cloudresourcemanager.googleapis.com",
			} {
				w.Refuse(path, 1, "accessNotConfigured")
				resp, body := w.get(path, "")
				var f struct {
					Error struct {
						Message string
						Errors  []struct{ Reason string }
						Details []struct {
							Reason   string
							Metadata map[string]string
						}
					}
				}
				raw, _ := json.Marshal(body)
				if err := json.Unmarshal(raw, &f); err != nil || resp.StatusCode != 403 || len(f.Error.Errors) != 1 || len(f.Error.Details) == 0 {
					w.Fatalf("%s: %d %s, %v", path, resp.StatusCode, raw, err)
				}
				e := f.Error
				at := e.Details[0].Metadata["activationUrl"]
				if e.Errors[0].Reason != "accessNotConfigured" || e.Details[0].Reason != "SERVICE_DISABLED" || e.Details[0].Metadata["service"] != service ||
					!strings.Contains(at, "/"+service+"/") || !strings.Contains(e.Message, at) {
					w.Errorf("%s: %s", path, raw)
				}
				if resp, _ := w.get(path, ""); resp.StatusCode != 401 {
					w.Errorf("%s: the request after it: %d", path, resp.StatusCode)
				}
			}
		},
		"invalid_client is the token endpoint's": func(w *world) {
			w.Refuse("/token", 1, "invalid_client")
			status, body := w.refreshWith("any")
			wantOAuthError(w.T, status, body, 401, "invalid_client")
		},
		"an unknown name is a mistake of the test": func(w *world) {
			defer func() {
				if recover() == nil {
					w.Error("took a name that it does not know")
				}
			}()
			w.Refuse("/", 1, "noSuchReason")
		},
	})
}
