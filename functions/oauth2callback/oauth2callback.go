// Package oauth2callback takes the browser back from Google's consent page.
package oauth2callback

import "functions.local/oauth/shared/httpfunc"

func init() { httpfunc.Callback() }
