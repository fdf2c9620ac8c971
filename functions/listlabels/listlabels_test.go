package listlabels

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"google.golang.org/api/gmail/v1"
	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

const ada = "ada@example.com"

func TestListLabels(t *testing.T) {
	for name, names := range map[string][]string{
		"lists them in Google's order":   {"INBOX", "Receipts", "<b>Letters</b>"},
		"lists none as an empty list":    {},
		"lists labels of the same name":  {"a", "a"},
		"lists names in other languages": {"Entwürfe", "下書き"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakegoogle.New(fakegoogle.Options{})
			server := httptest.NewServer(fake)
			defer server.Close()
			fake.SetLabels(ada, names)
			view, err := listLabels(&httpfunc.Call{
				Request: httptest.NewRequest("GET", "/listlabels", nil),
				Client:  fake.UserClient(server.URL, ada, gmail.GmailLabelsScope),
			})
			if err != nil {
				t.Fatal(err)
			}
			got := view.Value().(labels).Names
			if got == nil || !slices.Equal(got, names) {
				t.Errorf("%#v, want %#v", got, names)
			}
			if n := fake.Calls("/"); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
		})
	}
	t.Run("passes on Google's refusal", func(t *testing.T) {
		fake := fakegoogle.New(fakegoogle.Options{})
		server := httptest.NewServer(fake)
		defer server.Close()
		_, err := listLabels(&httpfunc.Call{
			Request: httptest.NewRequest("GET", "/listlabels", nil),
			Client:  fake.UserClient(server.URL, ada, "openid"),
		})
		var e *googleapi.Error
		if !errors.As(err, &e) || e.Code != http.StatusForbidden {
			t.Error(err)
		}
	})
}
