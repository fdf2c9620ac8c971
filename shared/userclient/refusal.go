package userclient

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
)

// A Refusal is what an answer means with which a Google API refuses a call.
type Refusal struct {
	Kind   Kind
	Status int    // HTTP, of Google's answer
	Reason string // Google's own, in either of its formats, or ""
	API    string // such as gmail.googleapis.com, where Google names it
	// RetryAfter is when it is worth trying again: what Google names, or else our guess; 0 where there is none.
	RetryAfter time.Duration
	About      About
	// MayPass says that the same call may succeed later, although nobody does anything about it.
	MayPass bool

	asked      time.Duration // the pause that Google means, or 0
	text       string        // for the person, in place of the kind's
	activation string        // where the operator can switch the API on, or ""
}

// Kind is why a call was refused.
type Kind int

const (
	BadRequest     Kind = iota + 1 // by a 4xx that none of the others stands for: the function decides
	NotFound                       // or gone
	Conflict                       // 409: the id is taken
	Forbidden                      // for a reason that we do not know
	ScopeMissing                   // the token lacks a scope
	NoService                      // the account has no Gmail or Calendar
	StorageFull                    // the account's or the shared drive's
	AdminPolicy                    // of the user's organization
	UsageLimit                     // of the user's calendar, against spam; it lasts for hours
	RateLimited                    // of the user or the project
	APIDisabled                    // in the operator's project
	ProjectRefused                 // the operator's project is suspended, has no billing, ...
	UnknownAPI                     // the stand-in for Google has no such API
	BadAnswer                      // 5xx, a redirect, or 401 with a new token
)

// About is whom a refusal concerns.
type About int

const (
	User      About = iota // this user: the others' calls may well succeed
	Everybody              // the next user's call will be refused as well
)

// reasonTable holds the reasons that Google gives in error.errors, in error.details (google.rpc.ErrorInfo)
// and as error.status. The first row counts that names a reason of the answer and whose says is part of
// its message [Gmail, Drive and Calendar API: resolve errors; google.api.ErrorReason].
var reasonTable = []struct {
	kind    Kind
	text    string // for the person, in place of the kind's
	says    string
	reasons []string
}{
	{UnknownAPI, "", "", []string{"standInUnknownApi"}},
	{APIDisabled, "", "", []string{"accessNotConfigured", "SERVICE_DISABLED"}},
	{ProjectRefused, "", "", []string{"BILLING_DISABLED", "CONSUMER_INVALID", "CONSUMER_SUSPENDED", "GCP_SUSPENDED"}},
	{ScopeMissing, "", "", []string{"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}},
	{NoService, noGmail, "Mail service not enabled", []string{"failedPrecondition", "FAILED_PRECONDITION"}},
	{NoService, noCalendar, "", []string{"notACalendarUser"}},
	{StorageFull, "", "", []string{"storageQuotaExceeded"}},
	{StorageFull, "", "storage quota", []string{"quotaExceeded"}},
	{StorageFull, tooManyItems, "", []string{"activeItemCreationLimitExceeded", "numChildrenInNonRootLimitExceeded", "teamDriveFileLimitExceeded"}},
	{AdminPolicy, "", "", []string{"domainPolicy", "USER_BLOCKED_BY_ADMIN", "ORG_RESTRICTION_VIOLATION", "SECURITY_POLICY_VIOLATED"}},
	{UsageLimit, "", "Calendar usage limits", []string{"quotaExceeded"}},
	{RateLimited, "", "", []string{"dailyLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded", "rateLimitExceeded",
		"quotaExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"}},
}

// Read returns what err means, or nil if err is not an answer of a Google API but, for example, a connection that
// failed. It reads the body of the answer, which every error of an API client holds.
func Read(err error, now time.Time) *Refusal {
	var e *googleapi.Error
	if !errors.As(err, &e) {
		return nil
	}
	return readAnswer(e.Code, e.Header, e.Body, now)
}

// An errorBody is Google's answer to a call that it refuses, in both formats.
type errorBody struct {
	Error struct {
		Message string
		Status  string // the name of a google.rpc.Code
		Errors  []struct{ Reason, Message string }
		Details []struct {
			Reason     string            // of an ErrorInfo
			Metadata   map[string]string // of an ErrorInfo
			RetryDelay string            // of a RetryInfo
		}
	}
}

// parseError reads what it can: an answer may be HTML, or hold details of any other shape. Some APIs
// put it into an array.
func parseError(body string) (b errorBody) {
	body = strings.TrimLeft(body[:min(len(body), maxError)], " \t\r\n[")
	_ = json.NewDecoder(strings.NewReader(body)).Decode(&b)
	return b
}

// reasons returns Google's reasons, the most exact first.
func (b *errorBody) reasons() (all []string) {
	for _, d := range b.Error.Details {
		all = append(all, d.Reason)
	}
	for _, e := range b.Error.Errors {
		all = append(all, e.Reason)
	}
	return append(all, b.Error.Status)
}

// metadata returns what the details name by key, or "".
func (b *errorBody) metadata(key string) (value string) {
	for _, d := range b.Error.Details {
		value = cmp.Or(value, d.Metadata[key])
	}
	return value
}

func readAnswer(status int, header http.Header, body string, now time.Time) *Refusal {
	b := parseError(body)
	r := &Refusal{Kind: kindOfStatus(status), Status: status, Reason: cmp.Or(b.reasons()...)}
	r.findReason(&b)
	r.asked = pauseAsked(header, &b, now)
	switch r.Kind {
	case RateLimited:
		r.readLimit(&b, now)
	case APIDisabled, ProjectRefused:
		r.activation = activationURL.FindString(b.metadata("activationUrl") + " " + b.Error.Message)
		r.API = apiName.FindString(cmp.Or(b.metadata("service"), r.activation))
	}
	k := kinds[r.Kind]
	r.RetryAfter, r.MayPass = cmp.Or(r.asked, k.retryAfter), k.mayPass
	if k.everybody {
		r.About = Everybody
	}
	return r
}

// findReason sets r by the first row of reasonTable that fits.
func (r *Refusal) findReason(b *errorBody) {
	for _, row := range reasonTable {
		for _, reason := range b.reasons() {
			if slices.Contains(row.reasons, reason) && strings.Contains(b.Error.Message, row.says) {
				r.Kind, r.Reason, r.text = row.kind, reason, row.text
				return
			}
		}
	}
}

func kindOfStatus(status int) Kind {
	switch status {
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound, http.StatusGone:
		return NotFound
	case http.StatusConflict:
		return Conflict
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusUnauthorized, http.StatusRequestTimeout:
		return BadAnswer
	}
	if status < 400 || status >= 500 {
		return BadAnswer
	}
	return BadRequest
}

// readLimit finds out whose limit it is, and whether it is one a day. A limit that does not say whose it
// is counts as the user's: somebody who asks too often must not end a job for all.
func (r *Refusal) readLimit(b *errorBody, now time.Time) {
	limit := strings.ToLower(strings.ReplaceAll(b.Error.Message+" "+b.metadata("quota_limit"), " ", ""))
	ofUser := strings.HasPrefix(r.Reason, "user") || strings.Contains(limit, "peruser")
	named := strings.Contains(limit, "quotametric") || b.metadata("quota_limit") != ""
	aDay := strings.HasPrefix(r.Reason, "dailyLimit") || strings.Contains(limit, "perday") ||
		r.Reason == "quotaExceeded" && strings.Contains(limit, "youtube") // its quota has no other name
	if aDay {
		r.asked = max(r.asked, untilMidnight(now))
	}
	if (named || aDay) && !ofUser {
		r.About = Everybody
	}
}

// untilMidnight returns the time until limits a day begin anew: at midnight Pacific time [Google Cloud:
// quotas]. It reckons without daylight saving, which needs no time zone data: an hour late in summer.
func untilMidnight(now time.Time) time.Duration {
	midnight := now.UTC().Truncate(24 * time.Hour).Add(8 * time.Hour)
	if !midnight.After(now) {
		midnight = midnight.Add(24 * time.Hour)
	}
	return midnight.Sub(now)
}

var (
	gmailPause    = regexp.MustCompile(`Retry after (\S+)`)
	activationURL = regexp.MustCompile(`https://console\.(?:developers|cloud)\.google\.com/[\w./?=&%-]+`)
	apiName       = regexp.MustCompile(`[a-z0-9-]+\.googleapis\.com`)
)

// pauseAsked returns the pause that Google names: in Retry-After [RFC 9110 §10.2.3], in a
// google.rpc.RetryInfo, or in Gmail's message; or 0.
func pauseAsked(header http.Header, b *errorBody, now time.Time) (pause time.Duration) {
	const most = 14 * 24 * time.Hour
	s := header.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil {
		pause = time.Duration(min(max(n, 0), int(most/time.Second))) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		pause = at.Sub(now)
	}
	for _, d := range b.Error.Details {
		if delay, err := time.ParseDuration(d.RetryDelay); err == nil {
			pause = max(pause, delay)
		}
	}
	if m := gmailPause.FindStringSubmatch(b.Error.Message); m != nil {
		if at, err := time.Parse(time.RFC3339, m[1]); err == nil {
			pause = max(pause, at.Sub(now))
		}
	}
	return min(max(pause, 0), most)
}
