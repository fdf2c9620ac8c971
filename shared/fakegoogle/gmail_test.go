package fakegoogle

import (
	"testing"

	"google.golang.org/api/gmail/v1"
	"google.golang.org/api/option"
)

func (w *world) gmail(user, scope string) *gmail.Service {
	w.Helper()
	svc, err := gmail.NewService(w.Context(), option.WithHTTPClient(w.client(user, scope)))
	if err != nil {
		w.Fatal(err)
	}
	return svc
}

func TestGmail(t *testing.T) {
	sentences(t, map[string]func(*world){
		"lists the user's labels": func(w *world) {
			w.SetLabels(grace, []string{"INBOX", "Travel"})
			list, err := w.gmail(grace, gmailLabels).Users.Labels.List("me").Do()
			if err != nil || len(list.Labels) != 2 {
				w.Fatalf("%+v, %v", list, err)
			}
			if l := list.Labels[0]; l.Id != "INBOX" || l.Name != "INBOX" || l.Type != "system" {
				w.Errorf("%+v", l)
			}
			if l := list.Labels[1]; l.Id != "Label_2" || l.Name != "Travel" || l.Type != "user" {
				w.Errorf("%+v", l)
			}
		},
		"lists no labels": func(w *world) {
			w.SetLabels(ada, nil)
			list, err := w.gmail(ada, gmailLabels).Users.Labels.List("ada@example.com").Fields("labels/name").Do()
			if err != nil || len(list.Labels) != 0 {
				w.Errorf("%+v, %v", list, err)
			}
		},
		"refuses another user's mailbox": func(w *world) {
			_, err := w.gmail(ada, gmailLabels).Users.Labels.List("grace@example.com").Do()
			wantFault(w.T, err, 403, "forbidden")
		},
		"refuses a token without scope": func(w *world) {
			_, err := w.gmail(ada, driveFile).Users.Labels.List("me").Do()
			wantFault(w.T, err, 403, "insufficientPermissions")
		},
	})
}
