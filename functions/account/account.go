// Package account shows the signed-in user what is stored about them, and ends sessions and permissions.
package account

import "functions.local/oauth/shared/httpfunc"

func init() { httpfunc.Account() }
