package httpfunc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/userclient"
)

// headers are of every answer. Their values are shared by all of them.
var headers = http.Header{
	"Cache-Control":           {"no-store"},
	"Content-Security-Policy": {contentSecurityPolicy},
	"X-Content-Type-Options":  {"nosniff"},
	// Browsers without Sec-Fetch-Site would send our own forms with the origin null under no-referrer.
	"Referrer-Policy": {"same-origin"},
	// No page of ours talks to a window that it opened; one that does says so (Show).
	"Cross-Origin-Opener-Policy": {"same-origin"},
}

func setHeaders(h http.Header, secure bool) {
	maps.Copy(h, headers)
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// reply writes a whole answer and flushes it, so that it is sent even if the process ends right after its
// last request.
func (x *exchange) reply(status int, contentType string, body []byte) {
	x.discardBody()
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	control := http.NewResponseController(x.w)
	control.SetWriteDeadline(time.Now().Add(answerTimeout))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		x.w.Write(body)
	}
	control.Flush()
}

// discardTime is how long the rest of a body is read. If it were left unread, the client might see a reset
// connection instead of the answer.
const discardTime = 2 * time.Second

func (x *exchange) discardBody() {
	if !x.hasBody() || x.r.Header.Get("Expect") != "" {
		return
	}
	x.bodyWithin(discardTime)
	if _, err := io.CopyN(io.Discard, x.r.Body, maxRequest); !errors.Is(err, io.EOF) {
		x.w.Header().Set("Connection", "close")
	}
}

func (x *exchange) redirect(status int, url string) error {
	x.w.Header().Set("Location", url)
	x.reply(status, "text/plain; charset=utf-8", nil)
	return nil
}

func (x *exchange) replyJSON(status int, value any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(value); err != nil {
		x.log.Error("value does not encode", "error", err)
		status = http.StatusInternalServerError
		b.WriteString(`{"error":"internal"}` + "\n")
	}
	x.reply(status, "application/json", b.Bytes())
}

// show answers with a view: its page for a browser, its value for a program. What a browser posted is
// answered by a redirect to a page that it can load again.
func (x *exchange) show(v *View) error {
	switch {
	case x.json:
		x.replyJSON(http.StatusOK, v.value)
	case x.r.Method == http.MethodPost:
		at := x.URL(x.f.Name)
		if v.at != nil {
			at += "?" + v.at.Encode()
		}
		return x.redirect(http.StatusSeeOther, at)
	default:
		x.replyPage(http.StatusOK, v, &pageData{})
	}
	return nil
}

// showSignedIn shows a view to who is signed in, and keeps the session from idling out.
func (x *exchange) showSignedIn(v *View) error {
	if x.bearer == nil {
		if err := x.cookie.Touch(x.w, x.session); err != nil {
			return err
		}
	}
	return x.show(v)
}

// usualPage is how large most pages are at most, in bytes.
const usualPage = 8 << 10

// pages keeps empty buffers of usualPage.
var pages = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, usualPage)) }}

func (x *exchange) replyPage(status int, v *View, d *pageData) {
	b := pages.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= usualPage {
			b.Reset()
			pages.Put(b)
		}
	}()
	if x.f.File {
		v.Allow("connect-src 'self'") // the script that shows how far an upload is
	}
	if err := x.render(b, v, d); err != nil {
		x.log.Error("page does not render", "error", err)
		x.reply(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("This page cannot be shown. The log says why.\n"))
		return
	}
	x.w.Header().Set("Content-Security-Policy", v.policy)
	x.reply(status, "text/html; charset=utf-8", b.Bytes())
}

// fail answers a request that ended with err. What the client must not know of err goes to the log only.
func (x *exchange) fail(err error) {
	var (
		consent *oauthflow.ConsentError
		changed *accountChangedError
		other   *oauthflow.OtherAccountError
		p       problem
	)
	switch {
	case errors.As(err, &consent):
		if !x.json && x.r.Method != http.MethodPost && isNavigation(x.r) {
			if err = x.sendToGoogle(oauthflow.Request{Scopes: consent.Missing, Renew: consent.Renew, ReturnTo: x.here()}); err == nil {
				return
			}
			p = x.problemOf(err)
			break
		}
		p = x.consentProblem(consent)
	case errors.As(err, &changed):
		p = x.changedProblem(changed)
	case errors.As(err, &other):
		p = x.otherAccountProblem(other)
	default:
		p = x.problemOf(err)
	}
	x.logProblem(p, err)
	x.replyProblem(p)
}

// here returns the local path of the request, for coming back to it.
func (x *exchange) here() string {
	path, query := "/"+x.f.Name, x.r.URL.RawQuery
	if x.reasked {
		query = strings.TrimPrefix(query+"&"+consentParam+"=again", "&")
	}
	if query != "" {
		path += "?" + query
	}
	if back, ok := validReturnTo(path); ok {
		return back
	}
	return "/" + x.f.Name
}

func (x *exchange) replyProblem(p problem) {
	if p.code == invalidToken.code {
		x.w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // [RFC 6750 §3.1]
	}
	if p.retryAfter > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(p.retryAfter/time.Second)))
	}
	id := ""
	if p.status >= 500 {
		id = x.id
	}
	if x.json || p.consentURL != "" && x.r.Method != http.MethodPost {
		if p.reason != "" {
			p.text = "" // which is the same
		}
		x.replyJSON(p.status, problemJSON{p.code, messageText(p.text), p.faults.byField(), p.missing, p.consentURL, p.reason, p.prompt, id})
		return
	}
	if x.r.Method == http.MethodPost && x.f.formPage != nil && x.form != nil {
		if again := x.f.formPage(x); again != nil {
			if p.consentURL != "" {
				p.consentURL += "?" + consentParam + "=given"
			}
			x.replyPage(p.status, again, &pageData{Alert: &alert{p.text, p.faults, p.consentURL, id}, Chosen: x.form.chosen, faults: p.faults, mark: p.mark})
			return
		}
		if x.f.Form != nil {
			p.text += keptByBrowser
		}
		if p.consentURL != "" {
			p.next = &link{p.consentURL, "Give permission"}
		}
	}
	if p.next == nil {
		p.next = x.tryAgain()
	}
	x.replyPage(p.status, errorPage.View(struct {
		Text    string
		Next    *link
		Request string
	}{p.text, p.next, id}).Titled(p.title), &pageData{})
}

// problemJSON is a problem as programs get it.
type problemJSON struct {
	Error      string            `json:"error"`
	Message    string            `json:"message,omitempty"`
	Fields     map[string]string `json:"fields,omitempty"`
	Missing    *[]string         `json:"missing_scopes,omitempty"`
	ConsentURL string            `json:"consent_url,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Prompt     string            `json:"prompt,omitempty"`
	Request    string            `json:"request_id,omitempty"`
}

// tryAgain returns where a person whose request failed can go on.
func (x *exchange) tryAgain() *link {
	if x.retryPath == "" {
		return &link{x.URL(""), x.home}
	}
	return &link{x.URL(x.retryPath), "Try again"}
}

func (x *exchange) logProblem(p problem, err error) {
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(x.r.Context().Err(), context.Canceled):
		x.log.Info("request given up by its client", "status", p.status, "error", describe(err))
	case x.fault(err) != "":
		x.log.Error(x.fault(err), "status", p.status, "error", describe(err))
	case p.status >= 500:
		x.log.Error("request failed", "status", p.status, "error", describe(err))
	default:
		x.log.Info("request refused", "status", p.status, "error", describe(err))
	}
}

// fault says what the operator has to mend where a Google API refused a call, or "" where that is not the
// operator's fault.
func (x *exchange) fault(err error) string {
	r := userclient.Read(err, x.now())
	if r == nil {
		return ""
	}
	r.API = cmp.Or(r.API, x.f.API)
	return r.Fault()
}

// sendToGoogle redirects the browser to Google's consent page, unless it is one in which Google signs nobody
// in. A browser that was never here gets its id on the way, and the cookie of a session that is over is
// replaced.
func (x *exchange) sendToGoogle(ask oauthflow.Request) error {
	if isInApp(x.r.UserAgent()) && x.form.Get(anyBrowserParam) != "any" {
		return errInApp
	}
	if x.session.Browser == "" {
		x.session.Browser, x.newCookie = seal.NewID(), true
	}
	ask.Browser, ask.Grant = x.session.Browser, x.grant
	ask.SelectAccount = ask.SelectAccount || x.session.SignedOut && x.grant == nil
	consent, err := x.flow.Begin(ask)
	if err != nil {
		return err
	}
	if x.newCookie {
		if err := x.cookie.Write(x.w, x.session); err != nil {
			return err
		}
	}
	return x.redirect(http.StatusFound, consent)
}

// wantsJSON reports whether the client prefers JSON to a page: by its Accept header, or, where that
// names neither, by sending JSON itself. Bearers are programs.
func wantsJSON(r *http.Request) bool {
	if _, ok := bearerToken(r); ok {
		return true
	}
	html, jsonQ := accepts(r)
	if html == 0 && jsonQ == 0 {
		return isJSON(r)
	}
	return jsonQ > html
}

func acceptsHTML(r *http.Request) bool {
	html, _ := accepts(r)
	return html > 0
}

// accepts returns the weights of HTML and JSON in the Accept header [RFC 9110 §12.5.1].
func accepts(r *http.Request) (html, jsonQ float64) {
	for item := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, params, err := parseMedia(item)
		if err != nil {
			continue
		}
		q := 1.0
		if s, ok := params["q"]; ok {
			q, _ = strconv.ParseFloat(s, 64) // 0 where it is none
		}
		switch mediaType {
		case "text/html":
			html = max(html, q)
		case "application/json":
			jsonQ = max(jsonQ, q)
		}
	}
	return html, jsonQ
}

func isJSON(r *http.Request) bool {
	mediaType, _, err := parseMedia(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}
