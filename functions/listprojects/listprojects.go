// Package listprojects lists the signed-in user's Google Cloud projects.
package listprojects

import (
	_ "embed"
	"net/http"

	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

//go:embed listprojects.html
var html string

var page = httpfunc.NewPage("Your Google Cloud projects", html)

func init() {
	httpfunc.ForUser("listprojects", httpfunc.Scopes{{cloudresourcemanager.CloudPlatformReadOnlyScope,
		cloudresourcemanager.CloudPlatformScope}}, listProjects)
}

type projects struct {
	Projects []project `json:"projects"`
}

type project struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"` // ACTIVE or DELETE_REQUESTED
}

func listProjects(r *http.Request, client *http.Client) (any, error) {
	svc, err := cloudresourcemanager.NewService(r.Context(), option.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	found := projects{Projects: []project{}}
	search := svc.Projects.Search().Fields("nextPageToken,projects(projectId,displayName,state)")
	// The request's deadline bounds the number of pages: a shorter list would pass for the whole one.
	err = search.Pages(r.Context(), func(page *cloudresourcemanager.SearchProjectsResponse) error {
		for _, p := range page.Projects {
			found.Projects = append(found.Projects, project{p.ProjectId, p.DisplayName, p.State})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return page.View(found), nil
}
