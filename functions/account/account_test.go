package account

import (
	"testing"
	"time"

	"functions.local/oauth/shared/httpfunc"
)

func TestShow(t *testing.T) {
	old := httpfunc.SessionInfo{Start: time.Now().Add(-50 * time.Hour)}
	current := httpfunc.SessionInfo{Start: time.Now(), Current: true}
	v := show(httpfunc.AccountInfo{
		Scopes:   []string{"https://www.googleapis.com/auth/drive.file", "https://www.googleapis.com/auth/youtube.readonly"},
		Sessions: []httpfunc.SessionInfo{old, current},
	}).Value().(info)

	if p := v.Permissions; len(p) != 2 || p[0].Function != "createfile" || p[1].Text != "youtube readonly" {
		t.Errorf("permissions: %+v", p)
	}
	if !v.Sessions[0].Current {
		t.Error("the newest session is not the first")
	}
	for age, want := range map[time.Duration]string{
		10 * time.Second: "just now", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago",
		time.Hour: "1 hour ago", 47 * time.Hour: "1 day ago", 50 * time.Hour: "2 days ago",
	} {
		if got := v.Age(v.now.Add(-age)); got != want {
			t.Errorf("%v is %q, want %q", age, got, want)
		}
	}
}
