package fakegoogle

import (
	"fmt"
	"net/http"
	"strings"
)

// A refusal writes an answer that Google gives whatever is asked; path is the request's.
type refusal func(w http.ResponseWriter, path string)

// refusals are the answers that Refuse gives, by name.
var refusals = map[string]refusal{
	"accessNotConfigured": func(w http.ResponseWriter, path string) { writeAPIError(w, serviceDisabled(apiOf(path))) },
	"invalid_client":      func(w http.ResponseWriter, _ string) { invalidClient("Unauthorized").write(w) },
}

// Refuse lets the next n requests whose path begins with match be answered as Google answers an operator's mistake:
// by the name "accessNotConfigured" an API that is not switched on in the project, by "invalid_client" a token request
// of an OAuth client whose secret is wrong. It panics for another name. Its plans and those of Fail are used up in the
// order in which they were made; StopFailing takes back both.
func (s *Server) Refuse(match string, n int, name string) {
	r := refusals[name]
	if r == nil {
		panic(fmt.Sprintf("fakegoogle: no refusal %q", name))
	}
	s.Fail(match, n, Failure{refusal: r})
}

// googleAPI is how Google calls an API in its errors.
type googleAPI struct{ service, title string }

func apiOf(path string) googleAPI {
	switch {
	case strings.HasPrefix(path, "/gmail/"):
		return googleAPI{"gmail.googleapis.com", "Gmail API"}
	case strings.HasPrefix(path, "/drive/"), strings.HasPrefix(path, "/upload/drive/"):
		return googleAPI{"drive.googleapis.com", "Google Drive API"}
	case strings.HasPrefix(path, "/calendar/"):
		return googleAPI{"calendar-json.googleapis.com", "Google Calendar API"}
	}
	return googleAPI{"cloudresourcemanager.googleapis.com", "Cloud Resource Manager API"}
}

const projectNumber = "123456789012"

// serviceDisabled is the refusal of an API that is not switched on in the client's project.
func serviceDisabled(api googleAPI) *apiError {
	at := "https://console.developers.google.com/apis/api/" + api.service + "/overview?project=" + projectNumber
	message := fmt.Sprintf("%s has not been used in project %s before or it is disabled. Enable it by visiting %s then retry. "+
		"If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.", api.title, projectNumber, at)
	return &apiError{
		status: http.StatusForbidden, domain: "usageLimits", reason: "accessNotConfigured", message: message,
		details: []any{
			errorInfoDetail("SERVICE_DISABLED", map[string]any{
				"service": api.service, "serviceTitle": api.title, "consumer": "projects/" + projectNumber,
				"containerInfo": projectNumber, "activationUrl": at,
			}),
			map[string]any{"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message},
			map[string]any{"@type": "type.googleapis.com/google.rpc.Help", "links": []any{map[string]any{"description": "Google developers console API activation", "url": at}}},
		},
	}
}
