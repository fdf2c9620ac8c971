package fakegoogle

import (
	"slices"
	"strings"
)

const (
	scopeOpenID  = "openid"
	scopeEmail   = "https://www.googleapis.com/auth/userinfo.email"
	scopeProfile = "https://www.googleapis.com/auth/userinfo.profile"
	scopePrefix  = "https://www.googleapis.com/auth/"
)

// scopeInWords says what scopes allow, as the consent page does.
var scopeInWords = map[string]string{
	scopePrefix + "gmail.labels":             "See and edit your email labels",
	scopePrefix + "gmail.readonly":           "View your email messages and settings",
	scopePrefix + "gmail.metadata":           "View your email message metadata, such as labels and headers, but not the body",
	scopePrefix + "gmail.modify":             "Read, compose, and send emails from your Gmail account",
	"https://mail.google.com/":               "Read, compose, send, and permanently delete all your email from Gmail",
	scopePrefix + "drive.file":               "See, edit, create, and delete only the specific Google Drive files that you use with this app",
	scopePrefix + "drive":                    "See, edit, create, and delete all of your Google Drive files",
	scopePrefix + "calendar.events.owned":    "See, create, change, and delete events on Google calendars you own",
	scopePrefix + "calendar.events":          "View and edit events on all your calendars",
	scopePrefix + "calendar":                 "See, edit, share, and permanently delete all the calendars you can access using Google Calendar",
	scopePrefix + "cloud-platform.read-only": "View your data across Google Cloud services and see the email address of your Google Account",
	scopePrefix + "cloud-platform":           "See, edit, configure, and delete your Google Cloud data and see the email address for your Google Account",
	scopePrefix + "youtube.readonly":         "View your YouTube account",
}

// normalizeScopes splits a scope parameter. It puts email and profile into the long form that Google answers with, and
// removes repeats. The order stays.
func normalizeScopes(scope string) []string {
	var out []string
	for _, sc := range strings.Fields(scope) {
		switch sc {
		case "email":
			sc = scopeEmail
		case "profile":
			sc = scopeProfile
		}
		if !slices.Contains(out, sc) {
			out = append(out, sc)
		}
	}
	return out
}

// isIdentity reports whether sc only tells who the user is. Such scopes have no box to untick.
func isIdentity(sc string) bool {
	return sc == scopeOpenID || sc == scopeEmail || sc == scopeProfile
}

// validScope reports whether sc has the form of a scope of Google's.
func validScope(sc string) bool {
	return isIdentity(sc) || sc == "https://mail.google.com/" || len(sc) > len(scopePrefix) && strings.HasPrefix(sc, scopePrefix)
}

// minus returns the scopes of all that are not in drop.
func minus(all, drop []string) []string {
	var out []string
	for _, sc := range all {
		if !slices.Contains(drop, sc) {
			out = append(out, sc)
		}
	}
	return out
}

// union returns the scopes of a and then those of b that a lacks.
func union(a, b []string) []string {
	return append(slices.Clone(a), minus(b, a)...)
}

// onlyIdentity reports whether scopes only tell who the user is.
func onlyIdentity(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(sc string) bool { return !isIdentity(sc) })
}
