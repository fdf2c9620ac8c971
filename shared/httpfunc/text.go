package httpfunc

import (
	"html/template"
	"strings"
	"unicode"
)

// IsUnseen reports whether a character shows nothing of itself: white space, a control, or one that only
// steers how others are shown, such as U+200B, U+FEFF, U+202E or the soft hyphen. They come along when
// text is pasted [Unicode: Default_Ignorable_Code_Point].
func IsUnseen(c rune) bool {
	return unicode.IsSpace(c) || unicode.IsControl(c) ||
		unicode.In(c, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point) && !unicode.Is(unicode.Prepended_Concatenation_Mark, c)
}

// Trim returns text without what nobody sees at its ends. A field is empty if nothing is left.
func Trim(text string) string {
	return strings.TrimFunc(text, func(c rune) bool { return IsUnseen(c) && !isTag(c) })
}

// isTag reports whether c is one of the characters that end the flags of England, Scotland and Wales.
func isTag(c rune) bool { return c >= 0xE0020 && c <= 0xE007F }

// What Isolate puts round a text: FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE [Unicode: UAX #9].
const (
	isolateBegin = "\u2068"
	isolateEnd   = "\u2069"
	maxIsolated  = 100 // characters
)

// Isolate returns somebody's text for use in a message of ours, such as that of an [Error]: without what
// nobody sees, cut to 100 characters, and marked, so that a page shows it in <bdi> and none of its
// characters turns our sentence round. A program gets it without the marks.
func Isolate(text string) string {
	seen := []rune(strings.Map(func(c rune) rune {
		if c != ' ' && IsUnseen(c) {
			return -1
		}
		return c
	}, text))
	if len(seen) > maxIsolated {
		seen = append(seen[:maxIsolated], '…')
	}
	return isolateBegin + string(seen) + isolateEnd
}

// isolateOr isolates a text, or returns words of ours where there is none.
func isolateOr(text, none string) string {
	if text == "" {
		return none
	}
	return Isolate(text)
}

var (
	isolateInHTML = strings.NewReplacer(isolateBegin, "<bdi>", isolateEnd, "</bdi>")
	isolateInText = strings.NewReplacer(isolateBegin, "", isolateEnd, "")
)

// Message writes a message of ours in which somebody's text may stand, marked by [Isolate].
func (*pageData) Message(message string) template.HTML {
	return template.HTML(isolateInHTML.Replace(template.HTMLEscapeString(message)))
}

// messageText is a message of ours for a program.
func messageText(message string) string { return isolateInText.Replace(message) }
