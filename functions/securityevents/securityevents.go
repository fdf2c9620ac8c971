// Package securityevents is told by Google when a user's account is in a stranger's hands.
package securityevents

import "functions.local/oauth/shared/httpfunc"

func init() { httpfunc.SecurityEvents() }
