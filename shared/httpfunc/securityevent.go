package httpfunc

import (
	"io"
	"net/http"
	"strings"

	"functions.local/oauth/shared/oauthflow"
)

// serveSecurityEvent carries out the security event token in the body. Anybody may post it, since Google's signature
// alone makes it valid. The answer is 202 after the event was carried out [RFC 8935 §2.2]; after 503 Google sends the
// token again.
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
