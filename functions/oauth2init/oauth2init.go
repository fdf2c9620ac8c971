// Package oauth2init begins a sign-in with Google.
package oauth2init

import "functions.local/oauth/shared/httpfunc"

func init() { httpfunc.SignIn() }
