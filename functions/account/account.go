// Package account shows the signed-in user what is kept of them, and ends it.
package account

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/permission"
)

//go:embed account.html
var html string

var page = httpfunc.NewPage("Your account", html)

func init() { httpfunc.Account("account", show) }

// info is what is kept of the user, and how the page puts it.
type info struct {
	httpfunc.AccountInfo
	Permissions []permission.Permission `json:"-"`
	now         time.Time
}

func show(a httpfunc.AccountInfo) *httpfunc.View {
	v := info{AccountInfo: a, now: time.Now()}
	for _, scope := range a.Scopes {
		v.Permissions = append(v.Permissions, permission.Of(scope))
	}
	slices.Reverse(v.Sessions) // newest first
	return page.View(v)
}

// Age says how long ago a session began.
func (v info) Age(start time.Time) string {
	switch age := v.now.Sub(start); {
	case age < time.Minute:
		return "just now"
	case age < time.Hour:
		return plural(int(age/time.Minute), "minute")
	case age < 24*time.Hour:
		return plural(int(age/time.Hour), "hour")
	default:
		return plural(int(age/(24*time.Hour)), "day")
	}
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit + " ago"
	}
	return fmt.Sprintf("%d %ss ago", n, unit)
}
