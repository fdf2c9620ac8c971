// Package permission says in plain words what a scope lets the functions do.
package permission

import (
	"path"
	"strings"
)

// A Permission is a scope in words.
type Permission struct {
	Text     string // what it lets the functions do
	Function string // which function asks for it
}

const google = "https://www.googleapis.com/auth/"

// known holds every scope that a function of this bundle asks for.
var known = map[string]Permission{
	google + "gmail.labels":             {"see and edit your Gmail labels", "listlabels"},
	google + "drive.file":               {"create files in your Drive, and see those that it created", "createfile"},
	google + "calendar.events.owned":    {"see and edit events on calendars that you own", "createevent, dailyevent"},
	google + "cloud-platform.read-only": {"see your Google Cloud projects", "listprojects"},
	google + "userinfo.email":           {"see your email address", ""},
	google + "userinfo.profile":         {"see your name and picture", ""},
	"openid":                            {"know who you are", ""},
}

// Of returns the permission that scope stands for. One that no function here asks for is named after
// the scope.
func Of(scope string) Permission {
	if p, ok := known[scope]; ok {
		return p
	}
	return Permission{Text: strings.ReplaceAll(path.Base(scope), ".", " ")}
}

// Describe returns what a scope is and is needed for, as one sentence.
func Describe(scope string) string {
	p := Of(scope)
	if p.Function == "" {
		return p.Text
	}
	return p.Text + " (for " + p.Function + ")"
}
