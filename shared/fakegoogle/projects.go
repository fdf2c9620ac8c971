package fakegoogle

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var projectsSearch = endpoint{
	service: "cloudresourcemanager.googleapis.com", method: "google.cloud.resourcemanager.v3.Projects.SearchProjects",
	scopes: scopesOf("cloud-platform", "cloud-platform.read-only"),
}

// A Project is a Google Cloud project.
type Project struct {
	ID, Name, Number string
	State            string // default: ACTIVE
}

// maxProjects is the largest page of a search, and the size of one when the client names none.
const maxProjects = 100

// SetProjects replaces the Google Cloud projects of the user with that subject.
func (s *Server) SetProjects(sub string, projects []Project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(sub); a != nil {
		a.projects = slices.Clone(projects)
	}
}

// searchProjects serves projects.search. It ignores the parameter query.
func (s *Server) searchProjects(c *call) (map[string]any, *apiError) {
	q := c.r.URL.Query()
	size, from := maxProjects, 0
	if text := q.Get("pageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, apiErrorf(http.StatusBadRequest, "badRequest", "Request contains an invalid argument: page_size.")
		}
		if n > 0 {
			size = min(n, maxProjects)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if token := q.Get("pageToken"); token != "" {
		text, ok := strings.CutPrefix(token, "page-"+c.who.Subject+"-")
		n, err := strconv.Atoi(text)
		if !ok || err != nil || n < 0 || n > len(c.who.projects) {
			return nil, apiErrorf(http.StatusBadRequest, "badRequest", "Request contains an invalid argument: page_token.")
		}
		from = n
	}
	to := min(from+size, len(c.who.projects))
	found := []any{}
	for _, p := range c.who.projects[from:to] {
		state := p.State
		if state == "" {
			state = "ACTIVE"
		}
		found = append(found, map[string]any{
			"name": "projects/" + p.Number, "projectId": p.ID, "displayName": p.Name, "state": state,
			"createTime": "2024-01-02T03:04:05.678Z", "updateTime": "2024-01-02T03:04:05.678Z",
		})
	}
	body := map[string]any{}
	if len(found) > 0 {
		body["projects"] = found
	}
	if to < len(c.who.projects) {
		body["nextPageToken"] = "page-" + c.who.Subject + "-" + strconv.Itoa(to)
	}
	return body, nil
}
