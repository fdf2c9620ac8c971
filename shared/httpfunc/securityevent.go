package httpfunc

import (
	"io"
	"net/http"
	"strings"

	"functions.local/oauth/shared/oauthflow"
)

// serveSecurityEvent carries out the security event token that is the body, whoever brings it: Google's signature is
// its only authority, and it is worth the same from anybody. It is carried out before the answer, which is 202
// [RFC 8935 §2.2]; 503 has Google send it again.
func (x *exchange) serveSecurityEvent() error {
	token, err := io.ReadAll(&boundedBody{x: x, left: x.f.maxBody, over: oauthflow.ErrSecurityEvent})
	if err != nil {
		return bodyError(err)
	}
	if err := x.flow.SecurityEvent(x.r.Context(), strings.TrimSpace(string(token))); err != nil {
		return err
	}
	x.reply(http.StatusAccepted, "text/plain; charset=utf-8", nil)
	return nil
}
