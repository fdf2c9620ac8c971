package httpfunc

import (
	"net/url"
	"strings"
	"testing"
)

func TestReturnTo(t *testing.T) {
	for _, good := range []string{"/", "/listlabels", "/a/b/", "/a?b=c", "/a?u=https://x//y/../z", "/a%20b", "/%C3%A4", "/a:b", "/a;b=c", "/...", "/.a", "/a?b?c", "/" + strings.Repeat("a", 511)} {
		if got := returnTo(good); got != good {
			t.Errorf("%q becomes %q", good, got)
		}
	}
	for _, bad := range []string{
		"", "a", "?a", "#a", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "/a//b", "/a\\b", "/a?b\\c",
		"https://evil.example", "https:/evil.example", "https:evil.example", "javascript:alert(1)", "//user@evil.example", "/a#b",
		"/\t/evil.example", "\t//evil.example", "/\n/evil.example", "/\r/evil.example", "/a\x00", "/a\x7f", "/a b", "/ä",
		"/%2f/evil.example", "/%2F%2fevil.example", "/%5cevil.example", "/%5Cevil.example", "/%09/evil.example", "/%0d%0aSet-Cookie:x", "/%00", "/%7f",
		"/.", "/..", "/../a", "/a/..", "/a/./b", "/%2e%2e/a", "/.%2E/a", "/%2e", "/a%", "/a%2", "/a%zz", "/" + strings.Repeat("a", 512),
	} {
		if got := returnTo(bad); got != defaultReturnTo {
			t.Errorf("%q is accepted as %q", bad, got)
		}
	}
}

// FuzzReturnTo follows what is accepted as Go and as a browser would, from BASE_URL and from a page of
// ours: it stays on our origin, below the prefix.
func FuzzReturnTo(f *testing.F) {
	for _, s := range []string{
		"/", "/listlabels", "/createfile?name=a%20b&x=//y", "//evil.example", "/\\evil.example", "/\t/evil.example", "/%2f%2fevil.example",
		"/a/%2e%2e/%2e%2e/b", "/a;//b", "/@evil.example", "/:80/a", "/a?#//evil.example", "/%5c%5cevil.example", "/.%2e", "/a%2", "/a%25%32%66",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := returnTo(s); got != s && got != defaultReturnTo {
			t.Fatalf("%q becomes %q", s, got)
		}
		if !validReturnTo(s) {
			return
		}
		for _, base := range []string{"https://own.example", "https://own.example/api/v1", "http://localhost:8080"} {
			own, err := url.Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(base + s)
			if err != nil || u.Scheme != own.Scheme || u.Host != own.Host || u.User != nil || u.Fragment != "" || !strings.HasPrefix(u.EscapedPath(), own.Path+"/") {
				t.Fatalf("%q: %v, %v", base+s, u, err)
			}
			if relative, err := own.Parse(s); err != nil || relative.Scheme != own.Scheme || relative.Host != own.Host {
				t.Fatalf("%q from a page of ours: %v, %v", s, relative, err)
			}
			for _, address := range []string{base + s, s} {
				if origin, path := browsed(own, address); origin != own.Scheme+"://"+own.Host || strings.HasPrefix(path, "//") || address != s && !strings.HasPrefix(path, own.Path+"/") {
					t.Fatalf("a browser takes %q to %q %q", address, origin, path)
				}
			}
		}
	})
}

// browsed resolves a reference as a browser does where it differs from net/url [WHATWG URL §4.4]: it
// drops tabs and line breaks, takes \ for / up to the query, and %2e for a dot in dot segments.
func browsed(own *url.URL, address string) (origin, path string) {
	address = strings.Trim(address, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	address = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(address)
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		address = address[:end]
	}
	address = strings.ReplaceAll(address, "\\", "/")
	scheme := own.Scheme
	if colon := strings.IndexByte(address, ':'); colon > 0 && !strings.Contains(address[:colon], "/") {
		scheme, address = strings.ToLower(address[:colon]), address[colon+1:]
	}
	host, path := own.Host, address
	if rest, ok := strings.CutPrefix(address, "//"); ok {
		rest = strings.TrimLeft(rest, "/")
		var tail string
		host, tail, _ = strings.Cut(rest, "/")
		host, path = host[strings.LastIndexByte(host, '@')+1:], "/"+tail
	}
	var kept []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch strings.NewReplacer("%2e", ".", "%2E", ".").Replace(segment) {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	return scheme + "://" + host, "/" + strings.Join(kept, "/")
}
