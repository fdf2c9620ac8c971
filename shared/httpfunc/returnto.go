package httpfunc

import (
	"net/url"
	"strings"
)

// defaultReturnTo is where a sign-in ends that nobody asked another end for.
const defaultReturnTo = "/listlabels"

const maxReturnTo = 512

// validReturnTo reports whether s is a local path, with a query or without, that a browser can take
// for nothing else: printable ASCII, no host, no empty or dot segment, no backslash or fragment, and
// no encoded slash, backslash or control character in the path [WHATWG URL: URL parsing].
func validReturnTo(s string) bool {
	path, _, _ := strings.Cut(s, "?")
	if len(s) > maxReturnTo || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return false
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" {
		return false
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil || decoded == "." || decoded == ".." || strings.ContainsAny(decoded, "/\\") || strings.ContainsFunc(decoded, isControl) {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// returnTo returns s, or the default where s is not valid.
func returnTo(s string) string {
	if validReturnTo(s) {
		return s
	}
	return defaultReturnTo
}
