package userclient

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/api/googleapi"
)

// Describe returns what may be logged of err. Of a Google API's answer that is, in one line, its status,
// the first 300 bytes of its message, its reasons in either format, and whether it was HTML; never its
// body, which may hold anything.
func Describe(err error) string {
	const maxMessage, maxReason, maxReasons = 300, 64, 8
	var e *googleapi.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	b := parseError(e.Body)
	var reasons []string
	for _, reason := range b.reasons() {
		if reason != "" && len(reasons) < maxReasons {
			reasons = append(reasons, cut(reason, maxReason))
		}
	}
	text := fmt.Sprintf("Google API: status %d %q, reasons %q", e.Code, cut(cmp.Or(b.Error.Message, e.Message), maxMessage), reasons)
	if strings.HasPrefix(strings.TrimSpace(e.Body), "<") {
		text += ", the answer was HTML"
	}
	return text
}

// cut returns the first n bytes of s, or less where they would end within a character.
func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }
