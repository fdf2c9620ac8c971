// Package listprojects lists the signed-in user's Google Cloud projects.
package listprojects

import (
	"cmp"
	_ "embed"
	"strings"

	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

//go:embed listprojects.html
var html string

var page = httpfunc.NewPage("", html)

func init() {
	httpfunc.ForUser(httpfunc.Function{
		Name:       "listprojects",
		Title:      "List my Google Cloud projects",
		API:        "cloudresourcemanager.googleapis.com",
		Permission: "see your Google Cloud projects",
		Scopes:     httpfunc.Scopes{{cloudresourcemanager.CloudPlatformReadOnlyScope, cloudresourcemanager.CloudPlatformScope}},
		Apart:      true,
		Get:        listProjects,
	})
}

type projects struct {
	Projects []project `json:"projects"`
}

type project struct {
	ID    string `json:"id"`
	Name  string `json:"name"`  // or the id, where it has no name
	State string `json:"state"` // ACTIVE or DELETE_REQUESTED
}

// StateInWords returns the state as it is shown to people.
func (p project) StateInWords() string {
	if p.State == "DELETE_REQUESTED" {
		return "about to be deleted"
	}
	return strings.ToLower(p.State)
}

func listProjects(c *httpfunc.Call) (*httpfunc.View, error) {
	svc, err := cloudresourcemanager.NewService(c.Context(), option.WithHTTPClient(c.Client))
	if err != nil {
		return nil, err
	}
	found := projects{Projects: []project{}}
	search := svc.Projects.Search().Fields("nextPageToken,projects(projectId,displayName,state)").Context(c.Context())
	err = httpfunc.Pages(c, func(token string) (string, error) {
		res, err := search.PageToken(token).Do()
		if err != nil {
			return "", err
		}
		for _, p := range res.Projects {
			found.Projects = append(found.Projects, project{p.ProjectId, cmp.Or(p.DisplayName, p.ProjectId), p.State})
		}
		return res.NextPageToken, nil
	})
	if err != nil {
		return nil, err
	}
	return page.View(found), nil
}
