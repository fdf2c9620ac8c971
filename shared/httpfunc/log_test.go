package httpfunc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/oauthflow"
)

const maxLine = 8 << 10

// floods are texts that grow when they are written down.
var floods = map[string]string{
	"letters": "x", "quotes": `"`, "backslashes": `\`, "control characters": "\x01", "line ends": "\n", "bytes that are no text": "\xff",
	"characters": "茶", "what nobody sees": "\u202e", "separators of lines": "\u2028", "private use": "\U0010fffd",
}

// A log line is at most 8 KiB, whatever a request holds (requirement 50).
func TestLogLineIsBounded(t *testing.T) {
	for name, flood := range floods {
		for _, deployed := range []bool{false, true} {
			for _, size := range []int{maxLogged / 4, maxLogged, 1 << 20} {
				text := strings.Repeat(flood, size/len(flood))
				var b bytes.Buffer
				newLogger(&b, deployed).With("function", "probe").Error("request failed", "status", 500, "error", text)
				newLogger(&b, deployed).Error(text, "cause", "x")
				newLogger(&b, deployed).Error("request failed", "error", errors.New(text))
				newLogger(&b, deployed).Info("consent given", "scopes", []string{text, text})
				for line := range bytes.Lines(b.Bytes()) {
					if len(line) > maxLine {
						t.Errorf("%s, deployed %t, %d bytes: a line of %d", name, deployed, len(text), len(line))
					}
				}
				if n := bytes.Count(b.Bytes(), []byte("\n")); n != 4 {
					t.Errorf("%s, deployed %t: %d lines for 4", name, deployed, n)
				}
			}
		}
	}
}

func TestNothingThatARequestHoldsMakesALongLogLine(t *testing.T) {
	k := newKit(t, "GOOGLE_CLOUD_PROJECT", "project")
	_, c := k.grant(ada, someScope)
	echo := func(c *Call) (*View, error) {
		return nil, errors.New(c.URL.RawQuery + c.Form.Get("a") + c.Header.Get("X-Any"))
	}
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: echo, Post: echo})
	callback := &handler{Function: Function{Name: callbackName}, serve: (*exchange).serveCallback, methods: []string{"GET", "POST"}}
	for name, flood := range floods {
		long := strings.Repeat(flood, 40<<10/len(flood))
		escaped := url.QueryEscape(long)
		for what, r := range map[string]*http.Request{
			"a query":        request("GET", "/probe?a="+escaped, ""),
			"a value":        request("POST", "/probe", "a="+escaped, "Accept", jsonType),
			"a header":       request("GET", "/probe", "", "X-Any", long),
			"a trace":        request("GET", "/probe", "", "Traceparent", "00-"+long+"-1-1", "X-Cloud-Trace-Context", long+"/1"),
			"a bearer":       request("GET", "/probe", "", "Authorization", "Bearer "+long),
			"an origin":      request("POST", "/probe", "a=1", "Origin", "https://"+long, "Sec-Fetch-Site", "cross-site"),
			"a content type": request("POST", "/probe", "a=1", "Content-Type", "text/plain; "+long),
			"a boundary":     request("POST", "/probe", "a=1", "Content-Type", "multipart/form-data; boundary="+long),
			"a part's head":  request("POST", "/probe", "--X\r\n"+long+"\r\n\r\n", "Content-Type", multi),
			"a part's name":  request("POST", "/probe", "--X\r\nContent-Disposition: form-data; name=\""+long+"\"\r\n\r\n"+end, "Content-Type", multi),
			"JSON":           request("POST", "/probe", `{"a":`+long, "Content-Type", jsonType),
			"a state":        request("GET", "/?state="+escaped+"&code="+escaped, ""),
			"an error":       request("GET", "/?state="+escaped+"&error="+escaped+"&iss="+escaped, ""),
			"a browser":      request("GET", "/probe", "", "User-Agent", long),
			"a cookie":       request("GET", "/probe", "", "Cookie", c.Name+"="+long),
		} {
			k.logged.Reset()
			handler := h
			if r.URL.Path == "/" {
				handler = callback
			}
			if r.Header.Get("Cookie") == "" {
				r.AddCookie(c)
			}
			k.serve(handler, r)
			for line := range strings.Lines(k.logged.String()) {
				if len(line) > maxLine {
					t.Errorf("%s of %s: a line of %d bytes: %.300s", what, name, len(line), line)
				}
			}
		}
		k.logged.Reset()
		x := &exchange{App: k.App, f: h, log: k.log, r: request("GET", "/", "")}
		for _, err := range []error{
			&oauthflow.DeniedError{Code: long}, fmt.Errorf("%s: %w", long, oauthflow.ErrState),
			&googleapi.Error{Code: 403, Message: long, Body: `{"error":{"message":"https://console.developers.google.com/` + strings.Repeat("x", 40<<10) + `","errors":[{"reason":"accessNotConfigured"}]}}`},
		} {
			x.logProblem(x.problemOf(err), err)
		}
		k.audit(context.Background(), "consent refused", long, "error", long)
		x.logCause(long)
		for line := range strings.Lines(k.logged.String()) {
			if len(line) > maxLine {
				t.Errorf("%s: a line of %d bytes: %.300s", name, len(line), line)
			}
		}
	}
}

// A client that hangs up is nobody's fault; an upstream that hangs up is.
func TestRequestThatItsClientGaveUp(t *testing.T) {
	k := newKit(t)
	for gone, says := range map[bool]string{true: "level=INFO msg=\"request given up by its client\"", false: "level=ERROR msg=\"request failed\""} {
		k.logged.Reset()
		ctx, cancel := context.WithCancel(t.Context())
		if gone {
			cancel()
		}
		x := &exchange{App: k.App, f: &handler{}, log: k.log, r: request("GET", "/", "").WithContext(ctx)}
		x.logProblem(x.problemOf(context.Canceled), context.Canceled)
		cancel()
		if got := k.logged.String(); !strings.Contains(got, says) {
			t.Errorf("client gone %t: %s", gone, got)
		}
	}
}

// What Cloud Logging reads of a line [Cloud Logging: structured logging].
func TestLogLineOfADeployedProcess(t *testing.T) {
	var b bytes.Buffer
	l := newLogger(&b, true)
	l.Warn("something", "error", errors.New("cause"), "at", time.Unix(0, 0))
	l.WithGroup("g").Info("other", "level", "x", "msg", "y")
	var warning, other map[string]any
	d := json.NewDecoder(&b)
	if err := errors.Join(d.Decode(&warning), d.Decode(&other)); err != nil {
		t.Fatal(err)
	}
	if warning["severity"] != "WARNING" || warning["message"] != "something" || warning["error"] != "cause" || other["severity"] != "INFO" {
		t.Errorf("%v, %v", warning, other)
	}
	if g := other["g"].(map[string]any); g["level"] != "x" || g["msg"] != "y" {
		t.Errorf("%v", g)
	}
}

func TestLogNamesTheTraceOfTheRequest(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	for name, tt := range map[string]struct{ header, value, want string }{
		"W3C":                  {"Traceparent", "00-" + id + "-0123456789abcdef-01", id},
		"Google's":             {"X-Cloud-Trace-Context", id + "/123;o=1", id},
		"none":                 {"X-Other", id, ""},
		"one that is cut":      {"X-Cloud-Trace-Context", id[:31] + "/1", ""},
		"one with a line end":  {"X-Cloud-Trace-Context", id[:31] + "\n/1", ""},
		"one in capitals":      {"X-Cloud-Trace-Context", strings.ToUpper(id), ""},
		"W3C of another shape": {"Traceparent", id, ""},
	} {
		if got := traceID(http.Header{tt.header: {tt.value}}); got != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	probe := forUser(Function{Name: "probe", Get: func(*Call) (*View, error) { return nil, errors.New("x") }})
	for name, tt := range map[string]struct{ project, trace, want string }{
		"of a project":    {"project", id, "projects/project/traces/" + id},
		"without a trace": {"project", "", ""},
		"of no project":   {"", id, ""},
	} {
		k := newKit(t, "GOOGLE_CLOUD_PROJECT", tt.project)
		k.serve(probe, request("PUT", "/", "", "X-Cloud-Trace-Context", tt.trace+"/1"))
		if log := k.logged.String(); !strings.Contains(log, tt.want) || tt.want == "" && strings.Contains(log, "/traces/") || !strings.Contains(log, "function=probe") {
			t.Errorf("a request %s: %s", name, log)
		}
	}
}

func TestAuditHidesTheOwner(t *testing.T) {
	k := newKit(t)
	k.audit(t.Context(), "consent given", ada, "scopes", []string{"a"})
	if log := k.logged.String(); strings.Contains(log, ada) || !strings.Contains(log, "owner="+k.config.Keyset.Hash(ada)) || !strings.Contains(log, "audit=true") {
		t.Error(log)
	}
}
