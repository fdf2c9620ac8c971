// Package securityevents hears from Google that a user's account is in a stranger's hands.
package securityevents

import "functions.local/oauth/shared/httpfunc"

func init() { httpfunc.SecurityEvents() }
