package httpfunc

import (
	"net/http"
	"strings"
	"testing"
)

func TestGate(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	ran := 0
	do := func(*Call) (*View, error) { ran++; return ValuePage.View(1), nil }
	both := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: do, Post: do})
	gets := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: do})
	for name, tt := range map[string]struct {
		h              *handler
		method, target string
		headers        []string
		status         int
		allow          string
	}{
		"an icon is not there":               {both, "GET", "/favicon.ico", nil, 404, ""},
		"a crawler's file is not there":      {both, "GET", "/robots.txt", nil, 404, ""},
		"another method":                     {both, "PUT", "/probe", nil, 405, "GET, HEAD, POST"},
		"a post where none is taken":         {gets, "POST", "/probe", nil, 405, "GET, HEAD"},
		"another site's form":                {both, "POST", "/probe", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		"a form of a sibling":                {both, "POST", "/probe", []string{"Sec-Fetch-Site", "same-site"}, 403, ""},
		"an old browser's form":              {both, "POST", "/probe", []string{"Origin", "https://evil.example"}, 403, ""},
		"another site's link":                {both, "GET", "/probe", []string{"Sec-Fetch-Site", "cross-site"}, 200, ""},
		"a form of ours":                     {both, "POST", "/probe", []string{"Sec-Fetch-Site", "same-origin"}, 200, ""},
		"a form of ours from an old browser": {both, "POST", "/probe", []string{"Origin", baseURL}, 200, ""},
		"another path":                       {both, "GET", "/x/y", nil, 404, ""},
		"a path below its own":               {both, "GET", "/probe/x", nil, 404, ""},
		"no path, the name cut off":          {both, "GET", "/", nil, 200, ""},
		"a slash behind its name":            {both, "GET", "/probe/", nil, 200, ""},
		"a query longer than anybody writes": {both, "GET", "/probe?" + strings.Repeat("a", maxQuery+1), nil, 414, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ran = 0
			r := request(tt.method, tt.target, "", append(tt.headers, "Cookie", c.Name+"="+c.Value, "Accept", jsonType)...)
			r.Host = "other.example"
			w := k.serve(tt.h, r)
			if want(t, w, tt.status); w.Header().Get("Allow") != tt.allow || (ran == 1) != (tt.status == 200) {
				t.Errorf("Allow %q, ran %d times", w.Header().Get("Allow"), ran)
			}
			if strings.Contains(w.Body.String(), "other.example") {
				t.Error(w.Body)
			}
		})
	}
}

func TestBearerToken(t *testing.T) {
	for header, want := range map[string]string{"Bearer abc": "abc", "bearer  abc ": "abc", "BEARER": "", "Bearer ": ""} {
		if got, ok := bearerToken(&http.Request{Header: http.Header{"Authorization": {header}}}); got != want || !ok {
			t.Errorf("%q: %q, %t", header, got, ok)
		}
	}
	for _, header := range []string{"", "Basic YTpi", "Bearerabc", "abc"} {
		if got, ok := bearerToken(&http.Request{Header: http.Header{"Authorization": {header}}}); ok {
			t.Errorf("%q: %q", header, got)
		}
	}
}

// A bearer that is refused is 401, and never falls back to the cookie beside it.
func TestBearerNeverFallsBackToTheCookie(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) { return ValuePage.View(1), nil }})
	w := k.serve(h, request("GET", "/probe", "", "Authorization", "Bearer garbage", "Cookie", c.Name+"="+c.Value))
	if want(t, w, http.StatusUnauthorized, `"error":"invalid_token"`); w.Header().Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
		t.Errorf("%v", w.Header())
	}
}
