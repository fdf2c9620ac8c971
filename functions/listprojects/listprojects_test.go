package listprojects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

const ada = "ada@example.com"

// list calls the function for a user who has these projects.
func list(t *testing.T, ctx context.Context, has []fakegoogle.Project, plan ...fakegoogle.Failure) ([]project, *fakegoogle.Server, error) {
	t.Helper()
	fake := fakegoogle.New(fakegoogle.Options{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	fake.SetProjects(ada, has)
	for _, f := range plan {
		fake.Fail("/v3/projects:search", 1, f)
	}
	view, err := listProjects(&httpfunc.Call{
		Request: httptest.NewRequest("GET", "/listprojects", nil).WithContext(ctx),
		Client:  fake.UserClient(server.URL, ada, cloudresourcemanager.CloudPlatformReadOnlyScope),
	})
	if err != nil {
		return nil, fake, err
	}
	return view.Value().(projects).Projects, fake, nil
}

func TestListProjects(t *testing.T) {
	many := make([]fakegoogle.Project, 250)
	want := make([]project, len(many))
	for i := range many {
		many[i] = fakegoogle.Project{ID: fmt.Sprintf("p-%d", i), Name: fmt.Sprintf("P %d", i), Number: fmt.Sprint(1000 + i)}
		want[i] = project{many[i].ID, many[i].Name, "ACTIVE"}
	}
	t.Run("lists name, or else id, id and state", func(t *testing.T) {
		got, _, err := list(t, t.Context(), []fakegoogle.Project{{ID: "a", Name: "A", Number: "1"}, {ID: "b", Number: "2", State: "DELETE_REQUESTED"}})
		if want := []project{{"a", "A", "ACTIVE"}, {"b", "b", "DELETE_REQUESTED"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	})
	t.Run("lists none as an empty list", func(t *testing.T) {
		got, _, err := list(t, t.Context(), nil)
		if err != nil || got == nil || len(got) != 0 {
			t.Errorf("%#v, %v", got, err)
		}
	})
	t.Run("lists all pages", func(t *testing.T) {
		got, fake, err := list(t, t.Context(), many)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d projects, %v", len(got), err)
		}
		if n := fake.Calls("/"); n != 3 {
			t.Errorf("%d calls, want one for each of 3 pages", n)
		}
	})
	t.Run("does not go round in pages that repeat", func(t *testing.T) {
		page := fakegoogle.Failure{Status: http.StatusOK, Body: `{"nextPageToken":"same","projects":[{"projectId":"a","state":"ACTIVE"}]}`}
		got, fake, err := list(t, t.Context(), nil, page, page, page)
		if n := fake.Calls("/"); !errors.Is(err, httpfunc.ErrBadAnswer) || got != nil || n != 2 {
			t.Errorf("%d projects, %v after %d calls, want ErrBadAnswer after 2", len(got), err, n)
		}
	})
	t.Run("lists nothing rather than a part", func(t *testing.T) {
		got, _, err := list(t, t.Context(), many, fakegoogle.Failure{Delay: 1}, fakegoogle.Failure{Status: http.StatusServiceUnavailable})
		var e *googleapi.Error
		if !errors.As(err, &e) || e.Code != http.StatusServiceUnavailable || got != nil {
			t.Errorf("%d projects, %v", len(got), err)
		}
	})
	t.Run("ends with the request", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := list(t, ctx, many); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// Google ends tokens that reach these scopes early, and with them what else is in the same token.
func TestPermissionIsKeptApart(t *testing.T) {
	for _, f := range httpfunc.Functions() {
		if f.Name == "listprojects" && !f.Apart {
			t.Error("the permission is asked for together with others")
		}
	}
}
