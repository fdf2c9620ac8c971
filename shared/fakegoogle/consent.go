package fakegoogle

import (
	"errors"
	"net/http"
	"net/url"
)

// serveConsent serves the consent endpoint and its pages: one to choose an account, and one to allow. The pages post to
// the same URL, so that the whole request is checked again at every step.
func (s *Server) serveConsent(w http.ResponseWriter, r *http.Request) {
	// A page of another site must not be able to press the buttons.
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		showError(w, http.StatusForbidden, &pageError{"access_denied", "This form came from another site."})
		return
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		err = r.ParseForm()
	}
	if err != nil {
		showError(w, http.StatusBadRequest, &pageError{"invalid_request", "The request is malformed."})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	req, err := s.parseConsentRequest(q, false)
	if err != nil {
		var fault *pageError
		errors.As(err, &fault)
		showError(w, http.StatusBadRequest, fault)
		return
	}
	b := s.browserOf(w, r)
	who := s.known(req, b)
	form := r.PostForm
	if form.Has("account") {
		if who = s.account(form.Get("account")); who != nil {
			b.signIn(who.Subject)
		}
	}
	if form.Has("decision") {
		if who = s.account(form.Get("user")); who != nil {
			b.signIn(who.Subject)
			s.decided(w, r, req, who, form)
			return
		}
	}
	switch {
	case req.prompts("none") && (who == nil || s.needsPage(req, who)):
		sendBack(w, r, req, req.failed("interaction_required"))
	case who == nil:
		s.showChooser(w, r, req)
	case s.needsPage(req, who):
		s.showConsent(w, r, req, who)
	default:
		sendBack(w, r, req, s.allow(req, who, nil, false))
	}
}

// decided answers what the user pressed on the consent page. Callers hold s.mu.
func (s *Server) decided(w http.ResponseWriter, r *http.Request, req *consentRequest, who *account, form url.Values) {
	if form.Get("decision") != "allow" {
		sendBack(w, r, req, req.failed("access_denied"))
		return
	}
	sendBack(w, r, req, s.allow(req, who, form["scope"], true))
}

// sendBack hands the answer to the client: by a redirect, or by a message to the page that opened the popup.
func sendBack(w http.ResponseWriter, r *http.Request, req *consentRequest, answer url.Values) {
	if req.origin != "" {
		showPopup(w, req.origin, answer)
		return
	}
	pageHeaders(w, "", "")
	http.Redirect(w, r, req.location(answer), http.StatusSeeOther)
}
