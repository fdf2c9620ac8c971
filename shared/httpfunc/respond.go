package httpfunc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// reply writes a whole answer and has it on its way before it returns, so that a process which ends
// after its last request cuts nobody off.
func (a *App) reply(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	// What is left of an upload is read, or the client would see its connection cut instead of this.
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
	http.NewResponseController(w).Flush()
}

func (a *App) redirect(w http.ResponseWriter, r *http.Request, status int, url string) {
	w.Header().Set("Location", url)
	a.reply(w, r, status, "text/plain; charset=utf-8", nil)
}

func (a *App) replyJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		a.logger(r.Context()).Error("value does not encode", "error", err)
		status, body = http.StatusInternalServerError, []byte(`{"error":"internal"}`)
	}
	a.reply(w, r, status, "application/json", append(body, '\n'))
}

// replyView answers with the view's page, or with its value for a program.
func (a *App) replyView(w http.ResponseWriter, r *http.Request, status int, v *View, d *pageData) {
	if wantsJSON(r) {
		a.replyJSON(w, r, status, v.value)
		return
	}
	b := buffers.Get().(*bytes.Buffer)
	defer keep(b)
	if err := a.render(b, v, d); err != nil {
		a.logger(r.Context()).Error("page does not render", "error", err)
		a.reply(w, r, http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("This page cannot be shown.\n"))
		return
	}
	w.Header().Set("Content-Security-Policy", v.policy)
	a.reply(w, r, status, "text/html; charset=utf-8", b.Bytes())
}

// buffers holds what pages are rendered into.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keep gives a buffer back, unless an unusual page made it large.
func keep(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 {
		b.Reset()
		buffers.Put(b)
	}
}

// Show serves what view returns to anybody, signed in or not. Without methods it serves GET and HEAD.
// name is the path of the page, "" for BASE_URL/.
func (a *App) Show(name string, view func(*http.Request) (*View, error), methods ...string) http.Handler {
	if len(methods) == 0 {
		methods = []string{http.MethodGet, http.MethodHead}
	}
	return a.wrap(name, a.only(methods, func(w http.ResponseWriter, r *http.Request) {
		visitor, err := a.visitor(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		v, err := view(r)
		if err != nil {
			a.failOnForm(w, r, err, nil, visitor.page(a))
			return
		}
		a.replyView(w, r, http.StatusOK, v, visitor.page(a))
	}))
}

// fail answers with what the client gets to know of err, and logs the rest.
func (a *App) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.failOnForm(w, r, err, nil, &pageData{})
}

// failOnForm is fail for a form that can be shown again; form may be nil.
func (a *App) failOnForm(w http.ResponseWriter, r *http.Request, err error, form *View, d *pageData) {
	p := a.problemOf(err)
	a.logProblem(r, p, err)
	a.replyProblem(w, r, p, form, d)
}

func (a *App) replyProblem(w http.ResponseWriter, r *http.Request, p problem, form *View, d *pageData) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.retryAfter/time.Second)))
	}
	id := ""
	if p.status >= 500 {
		id = requestID(r.Context())
	}
	switch {
	case wantsJSON(r):
		a.replyJSON(w, r, p.status, struct {
			Error   string   `json:"error"`
			Message string   `json:"message"`
			Missing []string `json:"missing_scopes,omitempty"`
			Request string   `json:"request_id,omitempty"`
		}{p.code, p.text, p.missing, id})
	case form != nil:
		d.Alert = &alert{Text: p.text, Request: id}
		a.replyView(w, r, p.status, form, d)
	default:
		if p.next == nil {
			p.next = a.tryAgain(r.Context())
		}
		a.replyView(w, r, p.status, errorPage.View(struct {
			Text    string
			Next    *link
			Request string
		}{p.text, p.next, id}).Titled(p.title), d)
	}
}

func (a *App) logProblem(r *http.Request, p problem, err error) {
	logger := a.logger(r.Context())
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(r.Context().Err(), context.Canceled):
		logger.Info("request given up by its client", "status", p.status, "error", describe(err))
	case p.status >= 500:
		logger.Error("request failed", "status", p.status, "error", describe(err))
	default:
		logger.Info("request refused", "status", p.status, "error", describe(err))
	}
}

// wantsJSON reports whether the client prefers JSON to a page: by its Accept header, or, where that
// names neither, by sending JSON itself.
func wantsJSON(r *http.Request) bool {
	var html, jsonQ float64
	for item := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		q := 1.0
		if s, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(s, 64); err != nil {
				q = 0
			}
		}
		switch mediaType {
		case "text/html":
			html = max(html, q)
		case "application/json":
			jsonQ = max(jsonQ, q)
		}
	}
	if html == 0 && jsonQ == 0 {
		return isJSON(r)
	}
	return jsonQ > html
}

func isJSON(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}
