package main

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func TestSignInOnly(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.press("Sign in")
	b.press("Ada Lovelace")
	b.lacks("Select what")
	b.press("Continue")
	b.isAt("/")
	b.sees("Signed in as " + ada)
	b.lacks("without any permission")
	b.open("/listlabels")
	b.sees("gmail.labels") // which was not asked for
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/account")
	b.sees("This browser", "see and edit your Gmail labels")
	b.press("Sign out")
	b.sees("You are signed out", "Not signed in")
	b.press("Sign in")
	b.sees("Choose an account") // or Google would undo the sign-out at once
	b.press("Ada Lovelace")
	b.isAt("/account")
	b.open("/listlabels") // Google knows what the account permitted
	b.sees("10 label(s) found:", "Signed in as "+ada)
}

func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	here, there := newTab(t, r), newTab(t, r)
	here.signIn("Ada Lovelace")
	there.open("/listlabels")
	there.press("Ada Lovelace")
	there.sees("10 label(s) found:")
	here.open("/account")
	here.sees("This browser", "Chrome on Linux")
	here.press("Sign out everywhere")
	here.sees("Every browser is signed out.")
	there.open("/")
	there.sees("Not signed in")
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/account")
	b.press("Disconnect")
	b.sees("Disconnect this account?", "Your permission is withdrawn at Google.")
	b.press("Keep everything")
	b.isAt("/account")
	b.press("Disconnect")
	b.press("Disconnect")
	b.sees("You are disconnected", "Google has withdrawn the permission", "Not signed in")
	b.open("/listlabels")
	b.press("Ada Lovelace")
	b.sees("gmail.labels") // Google has forgotten what was permitted
	b.press("Continue")
	b.sees("10 label(s) found:")
}

func TestEndOneSession(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	here, there := newTab(t, r), newTab(t, r)
	here.signIn("Ada Lovelace")
	there.do(emulation.SetUserAgentOverride("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))
	there.open("/listlabels")
	there.press("Ada Lovelace")
	there.sees("10 label(s) found:")
	here.open("/account")
	here.sees("This browser, Chrome on Linux", "Firefox on Linux")
	here.passes()
	here.press("End")
	here.isAt("/account")
	here.lacks("Firefox on Linux")
	there.open("/")
	there.sees("Not signed in")
}

func TestActionOfASessionThatIsOver(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/account")
	b.forget()
	b.press("Sign out")
	b.hasStatus(401)
	b.sees("You are signed out", "nothing was done")
	b.lacks("send", "permission")
	b.passes()
	b.press("Sign in")
	b.isAt("/account")
	b.sees("Signed in as " + ada)
}

func TestSignInFromAnyPage(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.open("/popup")
	b.do(chromedp.Click("header .button", chromedp.ByQuery))
	b.sees("Choose an account")
	b.press("Grace Hopper")
	b.press("Continue")
	b.isAt("/popup")
	b.sees("Signed in as " + grace)
}
