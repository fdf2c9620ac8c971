package httpfunc

import (
	"encoding/json"
	"net/http"

	"functions.local/oauth/shared/seal"
)

// mark is whom a form was shown to. It travels sealed in the form.
type mark struct {
	Owner   string `json:"o,omitempty"`
	Email   string `json:"e,omitempty"`
	Session string `json:"s,omitempty"` // hash of the session's id; "" where any session of the owner will do
}

const (
	markField   = "form"
	markPurpose = "form"
)

// checkMark refuses a browser's form that was not shown to this account in this session.
func (x *exchange) checkMark() error {
	switch {
	case x.r.Method != http.MethodPost, x.bearer != nil, x.json && x.form.mark == "":
		return nil // a script says what it does, and is of our own origin
	case x.form.mark == "":
		return &Error{Status: http.StatusBadRequest, Code: "form_not_ours",
			Message: "This form does not say whom it was shown to, so nothing was done. Whoever made the page has to write {{.Form}} in place of its <form> tag."}
	}
	shown := x.openMark(x.form.mark)
	if shown.Owner == "" || shown.Owner == x.grant.Owner && (shown.Session == "" || shown.Session == seal.HashID(x.session.ID)) {
		return nil
	}
	return &accountChangedError{shown}
}

// markAgain returns the mark of a form that is shown once more because consent is needed first. It is valid in any
// session of its account, since the user comes back from Google in a new one.
func (x *exchange) markAgain() *mark {
	m := x.newMark()
	if x.form != nil && x.form.mark != "" {
		m = x.openMark(x.form.mark)
	}
	m.Session = ""
	return &m
}

// An accountChangedError means that a form was shown to another account, or in an earlier session.
type accountChangedError struct{ shown mark }

func (e *accountChangedError) Error() string { return "httpfunc: form of another account or session" }

// newMark returns the mark of a form that is shown to whoever is signed in.
func (x *exchange) newMark() mark {
	if x.grant == nil {
		return mark{}
	}
	return mark{x.grant.Owner, x.grant.Email, seal.HashID(x.session.ID)}
}

func (x *exchange) sealMark(m mark) (string, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	return x.config.Keyset.SealString(markPurpose, "", b)
}

// openMark opens a mark. Where it does not open, it returns one that fits no account.
func (x *exchange) openMark(sealed string) (m mark) {
	b, err := x.config.Keyset.OpenString(markPurpose, "", sealed)
	if err != nil || json.Unmarshal(b, &m) != nil {
		return mark{Owner: "unknown"}
	}
	return m
}
