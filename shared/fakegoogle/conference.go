package fakegoogle

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// A conference is a request for a Google Meet room.
type conference struct{ requestID string }

// parseConference reads the request for a room in an event. It returns nil where there is none, and where
// conferenceDataVersion is not 1: then Calendar ignores what the client sends of conferences.
func parseConference(version string, body map[string]any) (*conference, *apiError) {
	switch version {
	case "", "0":
		return nil, nil
	case "1":
	default:
		return nil, apiErrorf(http.StatusBadRequest, "invalidParameter", "Invalid value '%s'. Values must be within the range: [0, 1]", version).at("parameter", "conferenceDataVersion")
	}
	data, _ := body["conferenceData"].(map[string]any)
	create, ok := data["createRequest"].(map[string]any)
	if !ok {
		return nil, nil
	}
	id, _ := create["requestId"].(string)
	if id == "" {
		return nil, apiErrorf(http.StatusBadRequest, "required", "Missing conference request id.")
	}
	key, _ := create["conferenceSolutionKey"].(map[string]any)
	if kind, _ := key["type"].(string); kind != "" && kind != "hangoutsMeet" {
		return nil, apiErrorf(http.StatusBadRequest, "invalid", "Invalid conference type value.")
	}
	return &conference{id}, nil
}

// meet returns the address of a new room, in Google's form: three letters, four, three.
func (*conference) meet() string {
	letters := strings.ToLower(strings.NewReplacer("2", "x", "3", "y", "4", "z", "5", "w", "6", "v", "7", "u").Replace(rand.Text()))
	return "https://meet.google.com/" + letters[:3] + "-" + letters[3:7] + "-" + letters[7:10]
}

// resource returns the conferenceData of the event that was made.
func (c *conference) resource(meet string) map[string]any {
	kind := map[string]any{"type": "hangoutsMeet"}
	return map[string]any{
		"createRequest":      map[string]any{"requestId": c.requestID, "conferenceSolutionKey": kind, "status": map[string]any{"statusCode": "success"}},
		"entryPoints":        []any{map[string]any{"entryPointType": "video", "uri": meet, "label": strings.TrimPrefix(meet, "https://")}},
		"conferenceSolution": map[string]any{"key": kind, "name": "Google Meet"},
		"conferenceId":       strings.TrimPrefix(meet, "https://meet.google.com/"),
	}
}
