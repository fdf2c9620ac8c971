package userclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/googleapi"
)

// asked returns the error of an API client that got this answer.
func asked(status int, header http.Header, body string) error {
	err := googleapi.CheckResponse(&http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))})
	return fmt.Errorf("while listing: %w", err)
}

func TestRead(t *testing.T) {
	const (
		half  = 30 * time.Second
		today = 20 * time.Hour // from noon UTC to midnight Pacific
	)
	queries := func(limit string) string {
		return "Quota exceeded for quota metric 'Queries' and limit '" + limit + "' of service 'gmail.googleapis.com' for consumer 'project_number:1'."
	}
	type want struct {
		kind    Kind
		about   About
		mayPass bool
		after   time.Duration
		status  int    // of Words
		says    string // part of Words
	}
	noMail := want{NoService, User, false, 0, 403, "Gmail"}
	full := want{StorageFull, User, false, 0, 403, "full"}
	admin := want{AdminPolicy, User, false, 0, 403, "administrator"}
	scope := want{ScopeMissing, User, false, 0, 403, "permission"}
	ofUser := want{RateLimited, User, true, half, 429, "half a minute"}
	ofProject := want{RateLimited, Everybody, true, half, 429, "half a minute"}
	daily := want{RateLimited, Everybody, true, today, 429, "20 hours"}
	operator := func(k Kind) want { return want{k, Everybody, true, 0, 500, "mistake is not yours"} }
	bad := want{BadAnswer, User, true, 0, 502, "Google"}
	ours := func(k Kind) want { return want{k, User, false, 0, 500, "mistake"} }
	for name, c := range map[string]struct {
		status int
		body   string
		want   want
	}{
		"an account without Gmail":                    {400, oldFormat(400, "failedPrecondition", "Mail service not enabled"), noMail},
		"an account without Gmail, newer format":      {400, `{"error":{"code":400,"message":"Mail service not enabled","status":"FAILED_PRECONDITION"}}`, noMail},
		"another precondition":                        {400, oldFormat(400, "failedPrecondition", "Precondition check failed."), ours(BadRequest)},
		"an account without Calendar":                 {403, oldFormat(403, "notACalendarUser", "The user must be signed up for Google Calendar."), want{NoService, User, false, 0, 403, "Google Calendar"}},
		"a Drive that is full":                        {403, oldFormat(403, "storageQuotaExceeded", "The user's Drive storage quota has been exceeded."), full},
		"a Drive that is full, by its older reason":   {403, oldFormat(403, "quotaExceeded", "The user has exceeded their Drive storage quota"), full},
		"a shared drive with too many files":          {403, oldFormat(403, "teamDriveFileLimitExceeded", "The file limit has been exceeded."), want{StorageFull, User, false, 0, 403, "as many files"}},
		"an administrator's policy":                   {403, oldFormat(403, "domainPolicy", "The domain administrators have disabled Drive apps."), admin},
		"an administrator's policy, newer format":     {403, newFormat(403, "USER_BLOCKED_BY_ADMIN", "Blocked", ""), admin},
		"a missing scope":                             {403, oldFormat(403, "insufficientPermissions", "Insufficient Permission"), scope},
		"a missing scope, newer format":               {403, newFormat(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "Request had insufficient authentication scopes.", ""), scope},
		"a switched off API":                          {403, oldFormat(403, "accessNotConfigured", "Google Calendar API has not been used"), operator(APIDisabled)},
		"a switched off API, newer format":            {403, newFormat(403, "SERVICE_DISABLED", "Gmail API has not been used", ""), operator(APIDisabled)},
		"a project without billing":                   {403, newFormat(403, "BILLING_DISABLED", "x", ""), operator(ProjectRefused)},
		"the stand-in without the API":                {404, oldFormat(404, "standInUnknownApi", "no such API here"), want{UnknownAPI, Everybody, true, 0, 500, "standin/"}},
		"a user's rate limit":                         {403, oldFormat(403, "userRateLimitExceeded", "User Rate Limit Exceeded"), ofUser},
		"a rate limit that does not say whose":        {403, oldFormat(403, "rateLimitExceeded", "Rate Limit Exceeded"), ofUser},
		"a rate limit, newer format":                  {403, newFormat(403, "RATE_LIMIT_EXCEEDED", "Quota exceeded", ""), ofUser},
		"a rate limit by its status's name":           {403, `{"error":{"status":"RESOURCE_EXHAUSTED"}}`, ofUser},
		"a rate limit in an array":                    {403, `[{"error":{"status":"RESOURCE_EXHAUSTED"}}]`, ofUser},
		"a 429 without a reason":                      {429, "", ofUser},
		"a user's queries a minute":                   {403, oldFormat(403, "rateLimitExceeded", queries("Queries per minute per user")), ofUser},
		"the project's queries a minute":              {403, oldFormat(403, "rateLimitExceeded", queries("Queries per minute")), ofProject},
		"the project's queries a minute, newer":       {429, newFormat(429, "RATE_LIMIT_EXCEEDED", "x", `"quota_limit":"defaultPerMinutePerProject"`), ofProject},
		"a user's queries a minute, newer":            {429, newFormat(429, "RATE_LIMIT_EXCEEDED", "x", `"quota_limit":"defaultPerMinutePerUser"`), ofUser},
		"the project's day":                           {403, oldFormat(403, "dailyLimitExceeded", "Daily Limit Exceeded"), daily},
		"the project's queries a day":                 {403, oldFormat(403, "rateLimitExceeded", queries("Queries per day")), daily},
		"the project's day, newer format":             {429, newFormat(429, "RATE_LIMIT_EXCEEDED", "x", `"quota_limit":"UploadsPerDayPerProject"`), daily},
		"YouTube's quota":                             {403, oldFormat(403, "quotaExceeded", `You have exceeded your <a href="/youtube/v3/getting-started#quota">quota</a>.`), daily},
		"a quota of no name":                          {403, oldFormat(403, "quotaExceeded", "Quota exceeded."), ofUser},
		"a user's queries a day":                      {403, oldFormat(403, "rateLimitExceeded", queries("Queries per day per user")), want{RateLimited, User, true, today, 429, "20 hours"}},
		"a user's day, by the reason alone":           {403, oldFormat(403, "userRateLimitExceeded", queries("Queries per day")), want{RateLimited, User, true, today, 429, "20 hours"}},
		"Calendar's guard against spam":               {403, oldFormat(403, "quotaExceeded", "Calendar usage limits exceeded."), want{UsageLimit, User, true, time.Hour, 429, "60 minutes"}},
		"Gmail's pause":                               {429, oldFormat(429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2026-03-01T12:15:00.000Z"), want{RateLimited, User, true, 15 * time.Minute, 429, "15 minutes"}},
		"a pause of Gmail's that is over":             {429, oldFormat(429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2025-01-01T00:00:00.000Z"), ofUser},
		"a pause of Google's RetryInfo":               {429, `{"error":{"details":[{"retryDelay":"59.5s"}]}}`, want{RateLimited, User, true, 59500 * time.Millisecond, 429, "a minute"}},
		"another 403":                                 {403, oldFormat(403, "forbidden", "Forbidden"), want{Forbidden, User, false, 0, 403, "may not"}},
		"a 403 that is HTML":                          {403, "<html>storageQuotaExceeded</html>", want{Forbidden, User, false, 0, 403, "may not"}},
		"what is not found":                           {404, oldFormat(404, "notFound", "Not Found"), ours(NotFound)},
		"what is gone":                                {410, "", ours(NotFound)},
		"a conflict":                                  {409, oldFormat(409, "duplicate", "The requested identifier already exists."), ours(Conflict)},
		"a bad request":                               {400, oldFormat(400, "invalid", "Invalid attendee email."), ours(BadRequest)},
		"a failed precondition of HTTP":               {412, "", ours(BadRequest)},
		"a failure of Google's":                       {500, oldFormat(500, "backendError", "Backend Error"), bad},
		"a gateway's HTML":                            {502, "<html>", bad},
		"a redirect":                                  {302, "", bad},
		"a 401 with a new token":                      {401, oldFormat(401, "authError", "Invalid Credentials"), bad},
		"details of an odd shape":                     {403, `{"error":{"message":"x","details":[{"reason":7},{"reason":"SERVICE_DISABLED","metadata":{"a":[]}}]}}`, operator(APIDisabled)},
		"a body that does not end within 64 kilobyte": {403, `{"error":{"message":"` + strings.Repeat("x", 70000) + `","errors":[{"reason":"domainPolicy"}]}}`, want{Forbidden, User, false, 0, 403, "may not"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := Read(asked(c.status, nil, c.body), noon)
			w := r.Words()
			got := want{r.Kind, r.About, r.MayPass, r.RetryAfter, w.Status, c.want.says}
			if got != c.want || r.Status != c.status || !strings.Contains(w.Text, c.want.says) || w.Code == "" || w.Title == "" {
				t.Errorf("%+v\n%+v, want %+v", w, got, c.want)
			}
			if (r.Fault() != "") != (c.want.about == Everybody && w.Status == 500) {
				t.Errorf("fault %q", r.Fault())
			}
			if strings.Contains(w.Text, "switched off") {
				t.Errorf("a person reads %q", w.Text)
			}
		})
	}
	t.Run("every kind has words", func(t *testing.T) {
		for k := BadRequest; k <= BadAnswer; k++ {
			if w := (&Refusal{Kind: k, text: "x"}).Words(); w.Status == 0 || w.Code == "" || w.Title == "" {
				t.Errorf("kind %d: %+v", k, w)
			}
		}
	})
	t.Run("the reason is Google's", func(t *testing.T) {
		for body, reason := range map[string]string{
			oldFormat(403, "forbidden", "x"):                  "forbidden",
			newFormat(403, "SERVICE_DISABLED", "x", ""):       "SERVICE_DISABLED",
			newFormat(403, "SOMETHING_NEW", "x", ""):          "SOMETHING_NEW",
			`{"error":{"status":"PERMISSION_DENIED"}}`:        "PERMISSION_DENIED",
			`{"error":"invalid_token"}`:                       "",
			`{"error":{"errors":[{"reason":"a"}, {}]}, "b":1`: "",
		} {
			if r := Read(asked(403, nil, body), noon); r.Reason != reason {
				t.Errorf("%s: %q", body, r.Reason)
			}
		}
	})
	t.Run("Retry-After counts in seconds and as a date", func(t *testing.T) {
		for value, after := range map[string]time.Duration{
			"90": 90 * time.Second, "Sun, 01 Mar 2026 12:01:30 GMT": 90 * time.Second,
			"0": half, "-5": half, "soon": half, "": half, "Sun, 01 Mar 2026 11:00:00 GMT": half, "99999999999": 14 * 24 * time.Hour,
		} {
			if r := Read(asked(429, http.Header{"Retry-After": {value}}, ""), noon); r.RetryAfter != after {
				t.Errorf("%q: %v", value, r.RetryAfter)
			}
		}
	})
	t.Run("what is no answer of a Google API is no refusal", func(t *testing.T) {
		for _, err := range []error{nil, context.DeadlineExceeded, ErrBadAnswer, errors.New("x")} {
			if r := Read(err, noon); r != nil {
				t.Errorf("%v: %+v", err, r)
			}
		}
	})
	t.Run("a limit a day ends at eight o'clock UTC", func(t *testing.T) {
		for from, until := range map[string]time.Duration{
			"2026-03-01T07:59:00Z": time.Minute, "2026-03-01T08:00:00Z": 24 * time.Hour, "2026-03-01T22:00:00-08:00": 2 * time.Hour,
		} {
			now, err := time.Parse(time.RFC3339, from)
			if got := untilMidnight(now); err != nil || got != until {
				t.Errorf("%s: %v", from, got)
			}
		}
	})
}

func TestFault(t *testing.T) {
	const overview = "https://console.developers.google.com/apis/api/gmail.googleapis.com/overview?project=123"
	const command = "gcloud services enable gmail.googleapis.com"
	for name, c := range map[string]struct {
		body string
		says []string
	}{
		"a switched off API": {oldFormat(403, "accessNotConfigured", "Gmail API has not been used in project 123 before or it is disabled. Enable it by visiting "+overview+" then retry."),
			[]string{command, overview}},
		"a switched off API, newer format": {newFormat(403, "SERVICE_DISABLED", "x", `"service":"gmail.googleapis.com","activationUrl":"`+overview+`"`),
			[]string{command, overview}},
		"a switched off API without a URL":  {newFormat(403, "SERVICE_DISABLED", "x", `"service":"gmail.googleapis.com; rm -rf /"`), []string{command}},
		"a switched off API without a name": {oldFormat(403, "accessNotConfigured", "Access Not Configured"), []string{"https://console.cloud.google.com/apis/library"}},
		"a suspended project":               {newFormat(403, "CONSUMER_SUSPENDED", "x", ""), []string{"CONSUMER_SUSPENDED"}},
		"the stand-in without the API":      {oldFormat(404, "standInUnknownApi", "x"), []string{"-client-secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			fault := Read(asked(403, nil, c.body), noon).Fault()
			for _, part := range c.says {
				if !strings.Contains(fault, part) || strings.Contains(fault, "rm -rf") {
					t.Errorf("%q, want %q in it", fault, part)
				}
			}
		})
	}
	t.Run("the caller can name the API where Google does not", func(t *testing.T) {
		r := Read(asked(403, nil, oldFormat(403, "accessNotConfigured", "Access Not Configured")), noon)
		if r.API = "gmail.googleapis.com"; !strings.Contains(r.Fault(), command) {
			t.Error(r.Fault())
		}
	})
}

func TestDescribe(t *testing.T) {
	secret := `"access_token":"canary"`
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"another error":       {errors.New("connection refused"), "connection refused"},
		"reasons":             {asked(403, nil, oldFormat(403, "domainPolicy", "Disabled")), `Google API: status 403 "Disabled", reasons ["domainPolicy"]`},
		"reasons of both":     {asked(429, nil, newFormat(429, "RATE_LIMIT_EXCEEDED", "x", "")), `Google API: status 429 "x", reasons ["RATE_LIMIT_EXCEEDED" "PERMISSION_DENIED"]`},
		"HTML":                {asked(502, nil, "\n<!DOCTYPE html>"+secret), `Google API: status 502 "", reasons [], the answer was HTML`},
		"something else":      {asked(403, nil, "{"+secret), `Google API: status 403 "", reasons []`},
		"an error of no body": {&googleapi.Error{Code: 400, Message: "not so"}, `Google API: status 400 "not so", reasons []`},
		"lines":               {asked(400, nil, `{"error":{"message":"b\nc\u0000\u202e","errors":[{"reason":"a"}]}}`), `Google API: status 400 "b\nc\x00\u202e", reasons ["a"]`},
		"a long message": {asked(400, nil, oldFormat(400, strings.Repeat("r", 100), strings.Repeat("x", 299)+"é")),
			`Google API: status 400 "` + strings.Repeat("x", 299) + `", reasons ["` + strings.Repeat("r", 64) + `"]`},
		"many reasons": {asked(400, nil, `{"error":{"errors":[`+strings.Repeat(`{"reason":"a"},`, 20)+`{}]}}`),
			`Google API: status 400 "", reasons ["a" "a" "a" "a" "a" "a" "a" "a"]`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Describe(c.err); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}
