// Package account shows the signed-in user what is kept of them, and ends it.
package account

import "functions.local/oauth/shared/httpfunc"

func init() { httpfunc.Account() }
