package main

import (
	_ "embed"
	"net/http"

	"google.golang.org/api/calendar/v3"

	"functions.local/oauth/shared/httpfunc"
)

var (
	//go:embed popup.html
	popupHTML string
	//go:embed popup.js
	popupScript []byte

	popupPage = httpfunc.NewPage("Sign in with a popup", popupHTML)
)

// popup shows a page such as a front end would have. Its policy allows our own script, and what Google Identity Services
// need [Google Identity Services: set up, Content Security Policy].
func (s *site) popup(*http.Request) (*httpfunc.View, error) {
	script, gsi := s.app.URL("popup.js"), s.pages+"/gsi/"
	return popupPage.View(struct {
		Client   string `json:"client_id"`
		Calendar string `json:"calendar_scope"`
		Library  string `json:"library"`
		Script   string `json:"script"`
	}{s.config.ClientID, calendar.CalendarEventsOwnedScope, gsi + "client", script}).
		Allow("script-src "+gsi+"client "+script, "connect-src "+s.app.URL("oauth2callback")+" "+gsi, "frame-src "+gsi), nil
}

func servePopupScript(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(popupScript)
}
