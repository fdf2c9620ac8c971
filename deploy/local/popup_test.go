package main

import "testing"

func TestPopup(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.press("Sign in with a popup")

	w := b.pressForTab("Sign in with Google")
	w.press("Ada Lovelace")
	w.lacks("gmail.labels")
	w.click("Continue")
	b.sees("You are signed in as "+ada, "openid", "Signed in as "+ada)
	b.lacks("calendar")

	w = b.pressForTab("Add Calendar")
	w.sees("calendar.events.owned")
	w.lacks("Choose an account")
	w.click("Continue")
	b.sees("You are signed in as "+ada, calendarEvents)

	b.open("/createevent")
	b.isAt("/createevent") // nothing is left to ask
	b.sees("Create an appointment", "Signed in as "+ada)
}

func TestPopupDenied(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.open("/popup")
	w := b.pressForTab("Sign in with Google")
	w.press("Ada Lovelace")
	w.click("Cancel")
	b.sees("You did not give permission.", "Not signed in")
}

func TestPopupClosed(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.open("/popup")
	w := b.pressForTab("Sign in with Google")
	w.sees("Choose an account")
	w.close()
	b.sees("The window was closed before you decided.", "Not signed in")
}

// Google sends a refresh token only with the first consent. Who lost it since, such as by disconnecting
// where revoking failed, has to go through the whole page once.
func TestPopupWithoutRefreshToken(t *testing.T) {
	t.Parallel()
	r, google := startWithGoogle(t)
	b := newTab(t, r)
	google.EditTokenResponse(func(body map[string]any) { delete(body, "refresh_token") })
	b.open("/popup")
	w := b.pressForTab("Sign in with Google")
	w.press("Ada Lovelace")
	w.click("Continue")
	b.sees("gmail.labels") // the page has gone to Google
	google.EditTokenResponse(nil)
	b.press("Continue")
	b.press("Continue") // once more, since only prompt=consent brings a refresh token now
	b.isAt("/popup")
	b.sees("Signed in as " + ada)
}
