package permission

import "testing"

func TestDescribe(t *testing.T) {
	for scope, want := range map[string]string{
		"https://www.googleapis.com/auth/gmail.labels":     "see and edit your Gmail labels (for listlabels)",
		"https://www.googleapis.com/auth/userinfo.email":   "see your email address",
		"https://www.googleapis.com/auth/youtube.readonly": "youtube readonly",
		"https://mail.google.com/":                         "mail google com",
	} {
		if got := Describe(scope); got != want {
			t.Errorf("%s is %q, want %q", scope, got, want)
		}
	}
}
