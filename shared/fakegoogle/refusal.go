package fakegoogle

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A refusal writes an answer of Google's other than the one that was asked for.
type refusal func(w http.ResponseWriter, api googleAPI, now time.Time)

// googleAPI is how Google calls an API in its errors.
type googleAPI struct{ service, title, apps string }

var (
	gmailAPI    = googleAPI{"gmail.googleapis.com", "Gmail API", "Gmail"}
	driveAPI    = googleAPI{"drive.googleapis.com", "Google Drive API", "Drive"}
	calendarAPI = googleAPI{"calendar-json.googleapis.com", "Google Calendar API", "Calendar"}
	projectsAPI = googleAPI{"cloudresourcemanager.googleapis.com", "Cloud Resource Manager API", "Cloud"}
)

func apiOf(path string) googleAPI {
	switch {
	case strings.HasPrefix(path, "/gmail/"):
		return gmailAPI
	case strings.HasPrefix(path, "/drive/"), strings.HasPrefix(path, "/upload/drive/"):
		return driveAPI
	case strings.HasPrefix(path, "/calendar/"):
		return calendarAPI
	}
	return projectsAPI
}

const projectNumber = "123456789012"

// refusals are the answers by name. Names are Google's reasons and error codes where it has one.
var refusals = map[string]refusal{
	// The account.
	"mailServiceNotEnabled": func(w http.ResponseWriter, _ googleAPI, _ time.Time) {
		e := apiErrorf(http.StatusBadRequest, "failedPrecondition", "Mail service not enabled")
		e.canonical = "FAILED_PRECONDITION"
		writeAPIError(w, e)
	},
	"notACalendarUser":     oldFormat(http.StatusForbidden, "calendar", "notACalendarUser", "The user must be signed up for Google Calendar."),
	"storageQuotaExceeded": oldFormat(http.StatusForbidden, "usageLimits", "storageQuotaExceeded", "The user's Drive storage quota has been exceeded."),
	"domainPolicy": func(w http.ResponseWriter, api googleAPI, _ time.Time) {
		writeAPIError(w, apiErrorf(http.StatusForbidden, "domainPolicy", "The domain administrators have disabled %s apps.", api.apps))
	},

	// The project. Gmail, Drive and Calendar answer in both formats at once, other APIs in the newer one alone.
	"accessNotConfigured": func(w http.ResponseWriter, api googleAPI, _ time.Time) { writeAPIError(w, serviceDisabled(api)) },
	"SERVICE_DISABLED": func(w http.ResponseWriter, api googleAPI, _ time.Time) {
		e := serviceDisabled(api)
		e.newFormat = true
		writeAPIError(w, e)
	},

	// Rates.
	"rateLimitExceeded":           oldFormat(http.StatusForbidden, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded"),
	"userRateLimitExceeded":       oldFormat(http.StatusForbidden, "usageLimits", "userRateLimitExceeded", "User Rate Limit Exceeded"),
	"dailyLimitExceeded":          oldFormat(http.StatusForbidden, "usageLimits", "dailyLimitExceeded", "Daily Limit Exceeded"),
	"calendarUsageLimitsExceeded": oldFormat(http.StatusForbidden, "usageLimits", "quotaExceeded", "Calendar usage limits exceeded."),
	"userRateLimitRetryAfter": func(w http.ResponseWriter, _ googleAPI, now time.Time) { // Gmail; the time stands in the message only
		writeAPIError(w, apiErrorf(http.StatusTooManyRequests, "rateLimitExceeded", "User-rate limit exceeded.  Retry after %s", now.Add(15*time.Minute).UTC().Format("2006-01-02T15:04:05.000Z")))
	},
	"RATE_LIMIT_EXCEEDED": func(w http.ResponseWriter, api googleAPI, _ time.Time) {
		e := quotaExceeded(http.StatusForbidden, api, "minute per user", "1/min/{project}/{user}")
		e.newFormat = true
		writeAPIError(w, e)
	},
	"RESOURCE_EXHAUSTED": func(w http.ResponseWriter, api googleAPI, _ time.Time) {
		e := quotaExceeded(http.StatusTooManyRequests, api, "minute", "1/min/{project}")
		e.newFormat = true
		e.details = append(e.details, map[string]any{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"})
		writeAPIError(w, e)
	},
	"queriesPerDay": func(w http.ResponseWriter, api googleAPI, _ time.Time) {
		writeAPIError(w, quotaExceeded(http.StatusForbidden, api, "day", "1/d/{project}"))
	},

	// Answers that make no sense.
	"html":    text(http.StatusOK, "text/html; charset=UTF-8", "<!DOCTYPE html><html lang=en><title>Sign in</title><p>Something in between answered."),
	"html502": text(http.StatusBadGateway, "text/html; charset=UTF-8", "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Error 502 (Server Error)!!1</title><p><b>502.</b> <ins>That’s an error.</ins><p>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds."),
	"null":    text(http.StatusOK, "application/json; charset=UTF-8", "null"),
	"array":   text(http.StatusOK, "application/json; charset=UTF-8", "[]"),
	"empty":   text(http.StatusOK, "application/json; charset=UTF-8", ""),
	"repeatedPageToken": text(http.StatusOK, "application/json; charset=UTF-8",
		`{"nextPageToken":"again","projects":[{"name":"projects/1","projectId":"again","displayName":"Again","state":"ACTIVE"}],"labels":[],"files":[],"items":[]}`),

	// The token endpoint.
	"invalid_rapt":            tokenRefusal(http.StatusBadRequest, "invalid_grant", "invalid_rapt", "reauth related error (invalid_rapt)"),
	"invalid_grant":           tokenRefusal(http.StatusBadRequest, "invalid_grant", "", "Token has been expired or revoked."),
	"access_denied":           tokenRefusal(http.StatusForbidden, "access_denied", "", "Account restricted"),
	"admin_policy_enforced":   tokenRefusal(http.StatusBadRequest, "admin_policy_enforced", "", "The user's administrator does not allow this access."),
	"org_internal":            tokenRefusal(http.StatusForbidden, "org_internal", "", "This client is restricted to users within its organization."),
	"rate_limit_exceeded":     tokenRefusal(http.StatusForbidden, "rate_limit_exceeded", "", "Rate Limit Exceeded"),
	"invalid_client":          tokenRefusal(http.StatusUnauthorized, "invalid_client", "", "Unauthorized"),
	"unauthorized_client":     tokenRefusal(http.StatusUnauthorized, "unauthorized_client", "", "Unauthorized"),
	"deleted_client":          tokenRefusal(http.StatusUnauthorized, "deleted_client", "", "The OAuth client was deleted."),
	"disabled_client":         tokenRefusal(http.StatusUnauthorized, "disabled_client", "", "The OAuth client was disabled."),
	"internal_failure":        tokenRefusal(http.StatusBadRequest, "internal_failure", "", "Backend Error"),
	"server_error":            tokenRefusal(http.StatusInternalServerError, "server_error", "", "Internal Server Error"),
	"temporarily_unavailable": tokenRefusal(http.StatusServiceUnavailable, "temporarily_unavailable", "", "Service Unavailable"),
}

// Refuse lets the next n requests whose path begins with match be answered as Google answers for that reason; the
// keys of refusals are the names. It panics for another name. Its plans and those of Fail are used up in the order in
// which they were made; StopFailing takes back both.
func (s *Server) Refuse(match string, n int, name string) {
	r := refusals[name]
	if r == nil {
		panic(fmt.Sprintf("fakegoogle: no refusal %q", name))
	}
	s.Fail(match, n, Failure{refusal: r})
}

// oldFormat is a refusal that tells its reason among the errors only.
func oldFormat(status int, domain, reason, message string) refusal {
	return func(w http.ResponseWriter, _ googleAPI, _ time.Time) {
		writeAPIError(w, &apiError{status: status, domain: domain, reason: reason, message: message})
	}
}

func text(status int, contentType, body string) refusal {
	return func(w http.ResponseWriter, _ googleAPI, _ time.Time) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func tokenRefusal(status int, code, subtype, description string) refusal {
	return func(w http.ResponseWriter, _ googleAPI, _ time.Time) {
		(&tokenError{status: status, code: code, subtype: subtype, description: description}).write(w)
	}
}

// serviceDisabled is the refusal of an API that is not switched on in the client's project.
func serviceDisabled(api googleAPI) *apiError {
	at := "https://console.developers.google.com/apis/api/" + api.service + "/overview?project=" + projectNumber
	message := fmt.Sprintf("%s has not been used in project %s before or it is disabled. Enable it by visiting %s then retry. "+
		"If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.", api.title, projectNumber, at)
	return &apiError{
		status: http.StatusForbidden, domain: "usageLimits", reason: "accessNotConfigured", message: message,
		details: []any{
			errorInfoDetail("SERVICE_DISABLED", map[string]any{
				"service": api.service, "serviceTitle": api.title, "consumer": "projects/" + projectNumber,
				"containerInfo": projectNumber, "activationUrl": at,
			}),
			map[string]any{"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message},
			map[string]any{"@type": "type.googleapis.com/google.rpc.Help", "links": []any{map[string]any{"description": "Google developers console API activation", "url": at}}},
		},
	}
}

// quotaExceeded is the refusal of a project that asked more than it may in that time.
func quotaExceeded(status int, api googleAPI, time, unit string) *apiError {
	return &apiError{
		status: status, domain: "usageLimits", reason: "rateLimitExceeded",
		message: fmt.Sprintf("Quota exceeded for quota metric 'Queries' and limit 'Queries per %s' of service '%s' for consumer 'project_number:%s'.", time, api.service, projectNumber),
		details: []any{errorInfoDetail("RATE_LIMIT_EXCEEDED", map[string]any{
			"service": api.service, "consumer": "projects/" + projectNumber, "quota_metric": api.service + "/default",
			"quota_limit_value": "600", "quota_location": "global", "quota_unit": unit,
		})},
	}
}
