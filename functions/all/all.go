// Package all is the list of functions, one import line for each.
package all

import (
	_ "functions.local/oauth/functions/account"
	_ "functions.local/oauth/functions/createevent"
	_ "functions.local/oauth/functions/createfile"
	_ "functions.local/oauth/functions/dailyevent"
	_ "functions.local/oauth/functions/listlabels"
	_ "functions.local/oauth/functions/listprojects"
	_ "functions.local/oauth/functions/oauth2callback"
	_ "functions.local/oauth/functions/oauth2init"
	_ "functions.local/oauth/functions/securityevents"
)
