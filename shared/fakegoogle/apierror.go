package fakegoogle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
)

// An apiError is a refusal in the form that Google's JSON APIs share.
type apiError struct {
	status       int
	reason       string // the old, short reason, e.g. insufficientPermissions
	message      string
	domain       string // of the reason; default "global"
	location     string // what the error is about, e.g. a header or a parameter
	locationType string
	info         *errorInfo
	details      []any  // beside info
	newFormat    bool   // there is no list of errors with short reasons
	canonical    string // the status by name where the HTTP status does not tell
	challenge    string // WWW-Authenticate
}

// errorInfo is the google.rpc.ErrorInfo among the details.
type errorInfo struct{ reason, service, method string }

func apiErrorf(status int, reason, format string, args ...any) *apiError {
	return &apiError{status: status, reason: reason, message: fmt.Sprintf(format, args...)}
}

// at says which parameter or field the error is about.
func (e *apiError) at(locationType, location string) *apiError {
	e.locationType, e.location = locationType, location
	return e
}

// canonical returns the name in google.rpc.Code that goes with an HTTP status.
func canonical(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "INVALID_ARGUMENT"
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusConflict:
		return "ALREADY_EXISTS"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case http.StatusServiceUnavailable:
		return "UNAVAILABLE"
	}
	return "INTERNAL"
}

func writeAPIError(w http.ResponseWriter, e *apiError) {
	item := map[string]any{"message": e.message, "domain": "global", "reason": e.reason}
	if e.domain != "" {
		item["domain"] = e.domain
	}
	if e.location != "" {
		item["location"], item["locationType"] = e.location, e.locationType
	}
	body := map[string]any{
		"code":    e.status,
		"message": e.message,
		"status":  cmp.Or(e.canonical, canonical(e.status)),
	}
	if !e.newFormat {
		body["errors"] = []any{item}
	}
	details := e.details
	if e.info != nil {
		details = append(details, errorInfoDetail(e.info.reason, map[string]any{"service": e.info.service, "method": e.info.method}))
	}
	if len(details) > 0 {
		body["details"] = details
	}
	if e.challenge != "" {
		w.Header().Set("WWW-Authenticate", e.challenge)
	}
	writeAPIJSON(w, e.status, map[string]any{"error": body})
}

func errorInfoDetail(reason string, metadata map[string]any) map[string]any {
	return map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}
}

func writeAPIJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "private")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
