package httpfunc

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"unicode"

	"functions.local/oauth/shared/userclient"
)

// newLogger writes what Cloud Logging reads where deployed [Cloud Logging: structured logging], and
// lines for people elsewhere.
func newLogger(w io.Writer, deployed bool) *slog.Logger {
	if !deployed {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return bounded(a) }}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return bounded(a)
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
		return bounded(a)
	}}))
}

// maxLogged bounds a value in a log line, in bytes: a line is at most 8 KiB, whatever a request holds.
const maxLogged = 3 << 10

func bounded(a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case error:
		a.Value = slog.StringValue(cut(v.Error()))
	case string:
		a.Value = slog.StringValue(cut(v))
	case []string:
		a.Value = slog.StringValue(cut(strings.Join(v, " ")))
	}
	return a
}

// cut returns the beginning of s. What cannot be printed becomes "?": it would take several bytes in the log, or
// reverse the direction of a line.
func cut(s string) string {
	if len(s) > maxLogged {
		s = s[:maxLogged] + " …"
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(s, "?"))
}

// logKey is the key of the request's logger in its context, for code that has nothing but the context.
type logKey struct{}

// requestLog returns the logger of a request: it names the function, the request and its trace in every
// line.
func (a *App) requestLog(function, id string, h http.Header) *slog.Logger {
	l := a.log.With("function", function, "request", id)
	if trace := traceID(h); trace != "" && a.config.Project != "" {
		l = l.With("logging.googleapis.com/trace", "projects/"+a.config.Project+"/traces/"+trace)
	}
	return l
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

// audit logs what happened to a grant.
func (a *App) audit(ctx context.Context, event, owner string, pairs ...any) {
	a.logOf(ctx, owner).InfoContext(ctx, event, append([]any{"audit", true}, pairs...)...)
}

// warn logs what went wrong with a grant and did not end the request.
func (a *App) warn(ctx context.Context, event, owner string, pairs ...any) {
	a.logOf(ctx, owner).WarnContext(ctx, event, pairs...)
}

// logOf returns the logger of the request that ctx belongs to, for lines about an owner, who is logged as a
// keyed hash.
func (a *App) logOf(ctx context.Context, owner string) *slog.Logger {
	l, ok := ctx.Value(logKey{}).(*slog.Logger)
	if !ok {
		l = a.log
	}
	if owner != "" {
		l = l.With("owner", a.config.Keyset.Hash(owner))
	}
	return l
}

// describe returns what may be logged of err.
func describe(err error) string { return userclient.Describe(err) }
