package httpfunc

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
)

// maxPopup bounds the popup flow's POST, in bytes.
const maxPopup = 16 << 10

// finishPopup finishes the flow that Google Identity Services' initCodeClient began in a popup. The
// page that called it posts the code as JSON {"code": …}, with the header X-Requested-With, which no
// other site can send [Google: using the code model].
func (a *App) finishPopup(w http.ResponseWriter, r *http.Request) {
	code, err := readCode(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	s := a.cookie.Read(r)
	if s.Browser == "" {
		s.Browser = seal.NewID()
	}
	out, err := a.flow.FinishPopup(r.Context(), code, oauthflow.Browser{ID: s.Browser, Subject: s.Subject, Session: s.ID})
	var consent *oauthflow.ConsentError
	if errors.As(err, &consent) {
		a.consentRequired(w, r, a.URL("oauth2init"), "Google gave no lasting permission this time, because it gave one before. Please sign in once on the page of consent_url.", a.config.Scopes)
		return
	}
	if err == nil {
		_, err = a.openSession(w, s, out)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.replyJSON(w, r, http.StatusOK, struct {
		Email   string   `json:"email"`
		Scopes  []string `json:"scopes"`
		Missing []string `json:"missing_scopes"`
	}{out.Grant.Email, out.Grant.Scopes, append([]string{}, singly(a.config.Scopes).Missing(out.Grant.Scopes)...)})
}

func readCode(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.Header.Get("X-Requested-With") == "" {
		return "", &Error{Status: http.StatusForbidden, Code: "header_required", Message: "The header X-Requested-With: XmlHttpRequest is missing."}
	}
	if !isJSON(r) {
		return "", &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Message: "Send JSON."}
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPopup))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return "", &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "The body can hold 16 KiB (16,384 bytes).", Cause: err}
		}
		return "", bodyError(err)
	}
	var body struct{ Code string }
	if err := json.Unmarshal(b, &body); err != nil || body.Code == "" {
		return "", Invalid(`The body has to be {"code": "…"} with the code from Google.`)
	}
	return body.Code, nil
}
