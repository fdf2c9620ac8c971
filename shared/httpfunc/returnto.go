package httpfunc

import (
	"net/url"
	"slices"
	"strings"
)

// defaultReturnTo is where a sign-in ends when nobody says where it should.
const defaultReturnTo = "/listlabels"

// maxReturnTo bounds a place to come back to, in bytes: it is part of the state, which is part of a URL.
const maxReturnTo = 1500

// returnTo returns where a sign-in is to end: s where it is a page of FRONT_ENDS or a local path, else the
// default.
func (a *App) returnTo(s string) string {
	if slices.Contains(a.config.FrontEnds, s) {
		return s
	}
	if rest, own := strings.CutPrefix(s, a.config.BaseURL+"/"); own {
		s = "/" + rest
	}
	if back, ok := validReturnTo(s); ok {
		return back
	}
	return defaultReturnTo
}

// validReturnTo returns s as a browser would write it, and whether it is a local path, with a query and a
// fragment or without, that a browser can take for nothing else: no host, no empty or dot segment, no
// backslash, no control character, and none of them encoded in the path [WHATWG URL: URL parsing].
func validReturnTo(s string) (string, bool) {
	if strings.ContainsFunc(s, isControl) {
		return "", false
	}
	s = escapeText(s)
	path, _, _ := strings.Cut(s, "#")
	path, _, _ = strings.Cut(path, "?")
	if len(s) > maxReturnTo || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path, "\\") {
		return "", false
	}
	for segment := range strings.SplitSeq(path, "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil || decoded == "." || decoded == ".." || strings.ContainsAny(decoded, "/\\") || strings.ContainsFunc(decoded, isControl) {
			return "", false
		}
	}
	return s, true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// escapeText escapes what has no place in a URL as browsers do. A backslash stays: in a path it is a slash
// to them.
func escapeText(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c >= 0x7f, strings.IndexByte("\"<>`{}|^", c) >= 0:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
