package httpfunc

import (
	"net/url"
	"strings"
	"testing"

	"functions.local/oauth/shared/config"
)

func TestReturnTo(t *testing.T) {
	const page = "https://app.example/after?tab=1#top"
	a := &App{config: &config.Config{BaseURL: "https://own.example/api", FrontEnds: []string{page}}}
	long := "/" + strings.Repeat("a", maxReturnTo-1)
	for given, want := range map[string]string{
		"/": "/", "/listlabels": "/listlabels", "/a/b/": "/a/b/", "/a?b=c": "/a?b=c", "/a?u=https://x//y/../z": "/a?u=https://x//y/../z",
		"/a%20b": "/a%20b", "/%C3%A4": "/%C3%A4", "/a:b": "/a:b", "/a;b=c": "/a;b=c", "/...": "/...", "/.a": "/.a", "/a?b?c": "/a?b?c", "/a?b\\c": "/a?b\\c",
		"/a?b=100%": "/a?b=100%", long: long, page: page,
		// As people write them, and as a browser would.
		"/createevent?title=Team lunch": "/createevent?title=Team%20lunch", "/createevent?title=Café": "/createevent?title=Caf%C3%A9", "/下書き": "/%E4%B8%8B%E6%9B%B8%E3%81%8D",
		"/a?b=\"<x>`{|}^": "/a?b=%22%3Cx%3E%60%7B%7C%7D%5E", "/a b": "/a%20b", "/app#/inbox": "/app#/inbox", "/a#//evil.example": "/a#//evil.example", "/#": "/#",
		"https://own.example/api/createevent": "/createevent", "https://own.example/api/a?b#c": "/a?b#c", "https://own.example/api/": "/",
	} {
		if got := a.returnTo(given); got != want {
			t.Errorf("%q becomes %q, want %q", given, got, want)
		}
		if _, ok := validReturnTo(given); ok != strings.HasPrefix(given, "/") {
			t.Errorf("%q is a local path: %t", given, ok)
		}
	}
	for _, bad := range []string{
		"", "a", "?a", "#a", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "/a//b", "/a\\b",
		"https://evil.example", "https:/evil.example", "https:evil.example", "javascript:alert(1)", "//user@evil.example",
		"/\t/evil.example", "\t//evil.example", "/\n/evil.example", "/\r/evil.example", "/a\x00", "/a\x7f", "/a#\n", " /a", "\u00a0/a",
		"/%2f/evil.example", "/%2F%2fevil.example", "/%5cevil.example", "/%5Cevil.example", "/%09/evil.example", "/%0d%0aSet-Cookie:x", "/%00", "/%7f",
		"/.", "/..", "/../a", "/a/..", "/a/./b", "/%2e%2e/a", "/.%2E/a", "/%2e", "/a%", "/a%2", "/a%zz", long + "a", "/" + strings.Repeat("ä", maxReturnTo/6+1),
		"https://own.example", "https://own.example/", "https://own.example/ap", "https://own.example/apifoo", "https://own.example/api//evil.example", "https://own.example/api/../a",
		"http://own.example/api/a", "https://own.example:443/api/a", "https://OWN.example/api/a", "https://own.example@evil.example/api/a",
		"https://app.example/after?tab=1", page + "x", "https://app.example/", "HTTPS://app.example/after?tab=1#top", " " + page,
	} {
		if got := a.returnTo(bad); got != defaultReturnTo {
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
		"/Café au lait", "/a#/b", "https://own.example/a", "https://own.example/api/v1//evil.example", "/\xff", "/a#%zz",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, base := range []string{"https://own.example", "https://own.example/api/v1", "http://localhost:8080"} {
			own, err := url.Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			a := &App{config: &config.Config{BaseURL: base}}
			got := a.returnTo(s)
			if again, ok := validReturnTo(got); !ok || again != got || len(got) > maxReturnTo {
				t.Fatalf("%q becomes %q, and that %q", s, got, again)
			}
			address := a.localURL(got)
			withoutFragment, _, _ := strings.Cut(address, "#") // in which Go takes no lone %, as browsers do
			u, err := url.Parse(withoutFragment)
			if err != nil || u.Scheme != own.Scheme || u.Host != own.Host || u.User != nil || !strings.HasPrefix(u.EscapedPath(), own.Path+"/") {
				t.Fatalf("%q: %v, %v", address, u, err)
			}
			for _, address := range []string{address, got} {
				if origin, path := browsed(own, address); origin != own.Scheme+"://"+own.Host || strings.HasPrefix(path, "//") || address != got && !strings.HasPrefix(path, own.Path+"/") {
					t.Fatalf("a browser takes %q to %q %q", address, origin, path)
				}
			}
			if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				t.Fatalf("%q has no place in a header", address)
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
