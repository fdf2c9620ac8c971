package fakegoogle

import (
	"fmt"
	"testing"

	crm "google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/option"
)

func (w *world) projects(user string) *crm.Service {
	w.Helper()
	svc, err := crm.NewService(w.Context(), option.WithHTTPClient(w.client(user, cloudRead)))
	if err != nil {
		w.Fatal(err)
	}
	return svc
}

func TestProjects(t *testing.T) {
	many := make([]Project, 250)
	for i := range many {
		many[i] = Project{ID: fmt.Sprintf("p-%d", i), Name: fmt.Sprintf("P %d", i), Number: fmt.Sprint(1000 + i)}
	}
	sentences(t, map[string]func(*world){
		"lists the user's projects": func(w *world) {
			w.SetProjects(ada, []Project{{ID: "a", Name: "A", Number: "1"}, {ID: "b", Name: "B", Number: "2", State: "DELETE_REQUESTED"}})
			list, err := w.projects(ada).Projects.Search().Do()
			if err != nil || len(list.Projects) != 2 || list.NextPageToken != "" {
				w.Fatalf("%+v, %v", list, err)
			}
			if p := list.Projects[0]; p.Name != "projects/1" || p.ProjectId != "a" || p.DisplayName != "A" || p.State != "ACTIVE" {
				w.Errorf("%+v", p)
			}
			if p := list.Projects[1]; p.State != "DELETE_REQUESTED" {
				w.Errorf("%+v", p)
			}
		},
		"lists none": func(w *world) {
			w.SetProjects(ada, nil)
			if list, err := w.projects(ada).Projects.Search().Do(); err != nil || len(list.Projects) != 0 {
				w.Errorf("%+v, %v", list, err)
			}
		},
		"answers pages of a hundred, or of the size that was asked for": func(w *world) {
			w.SetProjects(ada, many)
			for size, want := range map[int64]int{0: 3, 50: 5, 1000: 3, 249: 3} {
				pages, seen := 0, map[string]bool{}
				err := w.projects(ada).Projects.Search().PageSize(size).Pages(w.Context(), func(list *crm.SearchProjectsResponse) error {
					pages++
					for _, p := range list.Projects {
						seen[p.ProjectId] = true
					}
					return nil
				})
				if err != nil || pages != want || len(seen) != len(many) {
					w.Errorf("size %d: %d pages, %d projects, %v", size, pages, len(seen), err)
				}
			}
		},
		"refuses a page token of another user and a negative size": func(w *world) {
			w.SetProjects(ada, many)
			w.SetProjects(grace, many)
			list, err := w.projects(ada).Projects.Search().Do()
			if err != nil {
				w.Fatal(err)
			}
			_, err = w.projects(grace).Projects.Search().PageToken(list.NextPageToken).Do()
			wantFault(w.T, err, 400, "badRequest")
			_, err = w.projects(ada).Projects.Search().PageSize(-1).Do()
			wantFault(w.T, err, 400, "badRequest")
		},
	})
}
