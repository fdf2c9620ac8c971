package httpfunc

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
)

const (
	frontEnd = "https://app.example/after"
	mary     = "mary@app.example"
)

// newAppKit makes a kit whose users are signed in to an app already.
func newAppKit(t *testing.T) *kit {
	t.Helper()
	var k *kit
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { k.google.ServeHTTP(w, r) }))
	t.Cleanup(issuer.Close)
	k = newKit(t, "AUTH_ISSUER", issuer.URL+"/app", "AUTH_AUDIENCE", fakegoogle.AppAudience, "FRONT_ENDS", "https://app.example/first "+frontEnd+" https://other.example/in")
	k.google.SetPublic(issuer.URL)
	return k
}

// asMary makes a request of one of the app's users.
func (k *kit) asMary(method, target, body string, headers ...string) *http.Request {
	token := k.google.AppToken(mary, nil)
	return request(method, target, body, append([]string{"Authorization", "Bearer " + token, "Content-Type", jsonType, "Origin", "https://app.example"}, headers...)...)
}

func TestConnect(t *testing.T) {
	k := newAppKit(t)
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(c *Call) (*View, error) { return ValuePage.View(c.User), nil }})
	w := k.serve(h, k.asMary("GET", "/probe?return_to="+url.QueryEscape(frontEnd), ""))
	want(t, w, http.StatusUnauthorized, `"error":"consent_required"`, "No Google account is connected yet.")
	var problem problemJSON
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
		t.Fatal(err)
	}
	back, err := k.google.Authorize(problem.ConsentURL, fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	to := location(t, k.serve(callback, request("GET", back, "")), http.StatusSeeOther)
	page, fragment, _ := strings.Cut(to, "#")
	given, err := url.ParseQuery(fragment)
	if err != nil || page != frontEnd {
		t.Fatalf("handed on to %s", to)
	}
	body, err := json.Marshal(map[string]string{"code": given.Get("code"), "state": given.Get("state")})
	if err != nil {
		t.Fatal(err)
	}
	want(t, k.serve(callback, k.asMary("POST", "/oauth2callback", "code=x&state=y", "Content-Type", urlencoded)), 415)
	want(t, k.serve(callback, k.asMary("POST", "/oauth2callback", `{"code":"x"}`)), 400, "The body has to be")
	want(t, k.serve(callback, k.asMary("POST", "/oauth2callback", string(body))), 200, `"email":"`+ada+`"`, someScope)

	w = k.serve(h, k.asMary("GET", "/probe", ""))
	want(t, w, 200, `"Email":"`+ada+`"`, `"ID":"app:`)
	if len(w.Result().Cookies()) != 0 {
		t.Errorf("a bearer's request sets a cookie: %v", w.Header())
	}

	t.Run("with another account changes nothing, and says how to go on", func(t *testing.T) {
		code, err := k.google.DeviceCode("client", "openid email "+someScope, fakegoogle.Decision{User: grace})
		if err != nil {
			t.Fatal(err)
		}
		want(t, k.serve(callback, k.asMary("POST", "/oauth2callback", `{"code":"`+code+`","from":"device"}`)), http.StatusConflict, `"error":"other_account"`, "select_account")
		want(t, k.serve(h, k.asMary("GET", "/probe", "")), 200, ada)
	})
}

// Consent comes back to a page of FRONT_ENDS and nowhere else.
func TestFrontEnd(t *testing.T) {
	k := newAppKit(t)
	for name, tt := range map[string]struct{ query, origin, want string }{
		"the page that is asked for":                    {"return_to=" + url.QueryEscape(frontEnd), "", frontEnd},
		"else the first of the origin":                  {"return_to=" + url.QueryEscape(frontEnd+"/x"), "https://app.example", "https://app.example/first"},
		"else the first of the origin, whichever it is": {"", "https://other.example", "https://other.example/in"},
		"else the first":                                {"return_to=https://evil.example", "https://evil.example", "https://app.example/first"},
		"no page that begins like one":                  {"return_to=" + url.QueryEscape(frontEnd+".evil.example"), "null", "https://app.example/first"},
		"not where the first of two names something":    {"return_to=/x&return_to=" + url.QueryEscape(frontEnd), "", "https://app.example/first"},
	} {
		r := request("GET", "/probe?"+tt.query, "", "Origin", tt.origin)
		if got := (&exchange{App: k.App, r: r}).frontEnd(); got != tt.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// The origins of FRONT_ENDS may call with a bearer, and no other may (requirement 66).
func TestCORS(t *testing.T) {
	k := newAppKit(t)
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) { return ValuePage.View(1), nil }})
	for origin, allowed := range map[string]bool{
		"https://app.example": true, "https://app.example.evil.example": false, "http://app.example": false, "https://app.example:444": false,
		"https://evil.example": false, "null": false, "": false, baseURL: false,
	} {
		preflight := k.serve(h, request("OPTIONS", "/probe", "", "Origin", origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization"))
		actual := k.serve(h, request("GET", "/probe", "", "Origin", origin, "Authorization", "Bearer x"))
		want(t, actual, http.StatusUnauthorized)
		for what, w := range map[string]*httptest.ResponseRecorder{"a preflight": preflight, "a request": actual} {
			header := w.Header()
			if (header.Get("Access-Control-Allow-Origin") == origin && origin != "") != allowed || !allowed && header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s of %q: %v", what, origin, header)
			}
			if header.Get("Access-Control-Allow-Credentials") != "" || header.Get("Vary") != "Origin" {
				t.Errorf("%s of %q: %v", what, origin, header)
			}
		}
		if (preflight.Code == http.StatusNoContent) != allowed {
			t.Errorf("a preflight of %q: %d", origin, preflight.Code)
		}
	}
	w := k.serve(h, request("GET", "/probe", "", "Origin", "https://app.example"))
	if w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a cookie's request: %v", w.Header())
	}
}
