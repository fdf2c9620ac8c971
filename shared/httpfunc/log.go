package httpfunc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"
)

// newLogger writes what Cloud Logging reads where deployed [Cloud Logging: structured logging], and
// lines for people elsewhere.
func newLogger(w io.Writer, deployed bool) *slog.Logger {
	if !deployed {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		switch a.Key {
		case slog.LevelKey:
			a.Key = "severity"
			if a.Value.String() == "WARN" {
				a.Value = slog.StringValue("WARNING")
			}
		case slog.MessageKey:
			a.Key = "message"
		}
		return a
	}}))
}

// A request is what is known of a request while it is served.
type request struct {
	id    string // random; the log and the error page both show it
	name  string // of the function
	again string // the function to open when this request failed
	trace string // Cloud Run's, or ""

	parsed  bool // form and formErr are what ParseForm returned
	form    *Form
	formErr error
}

type contextKey int

const requestKey contextKey = 0

// logger returns the logger of the request that ctx belongs to: it names the function, the request and
// its trace in every line.
func (a *App) logger(ctx context.Context) *slog.Logger {
	r, ok := ctx.Value(requestKey).(*request)
	if !ok {
		return a.log
	}
	l := a.log.With("function", r.name, "request", r.id)
	if r.trace != "" && a.config.Project != "" {
		l = l.With("logging.googleapis.com/trace", "projects/"+a.config.Project+"/traces/"+r.trace)
	}
	return l
}

func requestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey).(*request); ok {
		return r.id
	}
	return ""
}

// tryAgain returns where a person whose request failed can go on.
func (a *App) tryAgain(ctx context.Context) *link {
	r, ok := ctx.Value(requestKey).(*request)
	switch {
	case !ok:
		return nil
	case r.again == "":
		return &link{a.URL(""), a.home}
	}
	return &link{a.URL(r.again), "Try again"}
}

// traceID reads the trace that Cloud Run puts on each request [W3C Trace Context; Google: trace context].
func traceID(h http.Header) string {
	if parts := strings.Split(h.Get("Traceparent"), "-"); len(parts) == 4 && isTraceID(parts[1]) {
		return parts[1]
	}
	if id, _, _ := strings.Cut(h.Get("X-Cloud-Trace-Context"), "/"); isTraceID(id) {
		return id
	}
	return ""
}

func isTraceID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// audit logs what happened to a grant. The subject is logged as a keyed hash.
func (a *App) audit(ctx context.Context, event, subject string, pairs ...any) {
	if subject != "" {
		pairs = append([]any{"subject", a.config.Keyset.Hash(subject)}, pairs...)
	}
	a.logger(ctx).InfoContext(ctx, event, append([]any{"audit", true}, pairs...)...)
}

// describe returns what may be logged of err. Of a Google API's answer that is its message and its
// reasons; its body may hold anything.
func describe(err error) string {
	var e *googleapi.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	var reasons []string
	for _, item := range e.Errors {
		reasons = append(reasons, item.Reason)
	}
	return fmt.Sprintf("Google API: status %d %q, reasons %q", e.Code, e.Message, reasons)
}
