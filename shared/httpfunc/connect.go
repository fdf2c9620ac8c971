package httpfunc

import (
	"errors"
	"net/http"
	"slices"

	"functions.local/oauth/shared/oauthflow"
)

// connect connects a Google account with the app's user whom the bearer names: the front end posts the
// code that Google gave it.
func (x *exchange) connect() error {
	if !isJSON(x.r) {
		return &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Message: "Send JSON."}
	}
	posted := oauthflow.Posted{Code: x.form.Get("code"), State: x.form.Get("state"), From: x.form.Get("from"), Replace: x.replaces()}
	if posted.Code == "" || posted.State == "" && posted.From != "popup" && posted.From != "device" {
		return Invalid(`The body has to be {"code": "…", "state": "…"} with what the page was given, or {"code": "…", "from": "popup"} or "device".`)
	}
	out, err := x.flow.Connect(x.r.Context(), x.bearer.Owner, posted)
	if err != nil {
		return err
	}
	x.grant = out.Grant
	x.replyConnected(out)
	return nil
}

// replaces reports whether the app's user wants to connect another Google account in place of the one that is
// connected. Consent is then asked for without a login_hint.
func (x *exchange) replaces() bool {
	return x.bearer != nil && x.form != nil && x.form.Get("replace") == "true"
}

// consentURL returns where the user's browser is to be sent: for an app's user to Google itself, with the
// page of FRONT_ENDS to come back to; or "" where there is none.
func (x *exchange) consentURL(ask oauthflow.Request) (string, error) {
	switch {
	case x.bearer == nil && x.f.Name == callbackName:
		return x.URL(signInName), nil
	case x.bearer == nil:
		return x.URL(x.f.Name), nil
	}
	if ask.ReturnTo = x.frontEnd(); ask.ReturnTo == "" {
		return "", nil
	}
	ask.Owner, ask.Grant = x.bearer.Owner, x.grant
	return x.flow.Begin(ask)
}

// frontEnd returns the page of FRONT_ENDS that consent is to come back to: the one that the request
// names, else the first of the request's origin, else the first.
func (x *exchange) frontEnd() string {
	pages := x.config.FrontEnds
	if asked := parseQuery(x.r.URL.RawQuery).Get("return_to"); slices.Contains(pages, asked) {
		return asked
	}
	origin := x.r.Header.Get("Origin")
	for _, page := range pages {
		if originOf(page) == origin {
			return page
		}
	}
	if len(pages) > 0 {
		return pages[0]
	}
	return ""
}

// consentNeeded returns the scopes to ask for if err is a *oauthflow.ConsentError, and whether it is one.
func consentNeeded(err error) (missing []string, asked bool) {
	var consent *oauthflow.ConsentError
	if errors.As(err, &consent) {
		return consent.Missing, true
	}
	return nil, false
}
