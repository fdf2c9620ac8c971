package all_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

// signedInToAll returns a browser in which user is signed in, with every permission.
func (w *world) signedInToAll(user string) *browser {
	w.t.Helper()
	b := w.browser()
	for _, page := range []string{"/listlabels", "/createfile", "/createevent", "/listprojects"} {
		expect(w.t, b.visit(page, user), http.StatusOK)
	}
	return b
}

func TestReturnToOfAnotherSiteBecomesTheDefault(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	for _, to := range []string{
		"https://evil.example/", "//evil.example", "/\\evil.example",
	} {
		b := w.browser()
		a := b.get("/oauth2init?return_to=" + url.QueryEscape(to))
		expect(t, a, http.StatusFound)
		done := b.get(b.consent(a.location(), fakegoogle.Decision{User: ada}))
		if done.status == http.StatusFound {
			done = b.get(b.consent(done.location(), fakegoogle.Decision{User: ada}))
		}
		signedIn := b.get("/oauth2init?return_to=" + url.QueryEscape(to))
		for when, got := range map[string]string{"after consent": done.location(), "signed in": signedIn.location()} {
			if got != w.url+"/listlabels" {
				t.Errorf("%q, %s: Location %q", to, when, got)
			}
		}
	}
	const good = "/createfile?name=a%20b&x=//y"
	b := w.signedIn(ada)
	if got := b.get("/oauth2init?return_to=" + url.QueryEscape(good)).location(); got != w.url+good {
		t.Errorf("a good one: Location %q", got)
	}
}

func TestPopupPostTakesItsRedirectURIFromConfigurationAlone(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	post := func(body string, headers ...string) *answer {
		b := w.browser()
		return b.do(b.request("POST", "/oauth2callback", strings.NewReader(body), headers...))
	}
	headers := []string{"Content-Type", "application/json", "X-Requested-With", "XmlHttpRequest", "Sec-Fetch-Site", "same-origin"}
	code, err := w.fake.PopupCode("test-client", w.url, "openid email "+gmailLabels, fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	redirected := queryOf(t, w.browser().callback("/listlabels", fakegoogle.Decision{User: ada})).Get("code")
	// A code of the redirect flow is good for its own redirect URI alone, whatever the body says.
	expect(t, post(`{"code":"`+redirected+`","redirect_uri":"`+w.url+`/oauth2callback"}`, headers...), http.StatusBadRequest)
	expect(t, post(`{"code":"`+code+`","redirect_uri":"https://evil.example/"}`, headers...), http.StatusOK, ada)
}

func TestGetAndHeadChangeNothing(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedInToAll(ada)
	expect(t, b.post("/dailyevent", url.Values{"enabled": {"true"}}), http.StatusOK)
	before := w.grant(ada)
	w.fake.ResetCalls()
	w.store.reset()
	scheduled := w.fake.SignIDToken(map[string]any{"aud": w.url + "/dailyevent", "email": scheduler, "email_verified": true})
	for _, method := range []string{"GET", "HEAD"} {
		for _, target := range []string{
			"/createfile?name=a&content=b&id=1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"/createevent?title=a&start=2030-01-01T09:00&end=2030-01-01T10:00&time_zone=UTC&id=abcdefgh",
			"/dailyevent?enabled=false", "/account?action=sign_out", "/account?action=sign_out_everywhere", "/account?action=disconnect",
			"/listlabels", "/listprojects", "/oauth2init", "/oauth2callback", "/oauth2callback?code=a",
		} {
			a := b.do(b.request(method, target, nil))
			if a.status >= 500 || method == "HEAD" && a.body != "" {
				t.Errorf("%s %s: %d %s", method, target, a.status, a.body)
			}
			r := b.request(method, target, strings.NewReader("action=disconnect&enabled=false"), "Content-Type", "application/x-www-form-urlencoded",
				"X-HTTP-Method-Override", "POST", "Authorization", "Bearer "+scheduled)
			b.do(r)
		}
	}
	w.unchanged(t, before)
	if n := w.store.writes.Load(); n != 0 {
		t.Errorf("%d writes to the store", n)
	}
}

// unchanged expects that Ada's account at Google and her grant are as they were.
func (w *world) unchanged(t *testing.T, before *tokenstore.Grant) {
	t.Helper()
	sub := subjectOf(t, w.fake, ada)
	if files, events := len(w.fake.Files(sub)), len(w.fake.Events(sub)); files+events != 0 {
		t.Errorf("%d files, %d events", files, events)
	}
	if n := w.fake.Calls("/revoke") + w.fake.Calls("/token"); n != 0 {
		t.Errorf("%d calls to /revoke or /token", n)
	}
	if g := w.grant(ada); g.RefreshToken != before.RefreshToken || len(g.Sessions) != len(before.Sessions) || len(g.Jobs) != len(before.Jobs) {
		t.Errorf("sessions %v, jobs %v; had %v, %v", g.Sessions, g.Jobs, before.Sessions, before.Jobs)
	}
}

func TestPostFromAnotherSiteIsRefused(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedInToAll(ada)
	before := w.grant(ada)
	w.fake.ResetCalls()
	forms := map[string]string{
		"/createfile":     "name=a&content=b",
		"/createevent":    "title=a&start=2030-01-01T09:00&end=2030-01-01T10:00&time_zone=UTC",
		"/dailyevent":     "enabled=true",
		"/account":        "action=disconnect",
		"/oauth2callback": `{"code":"x"}`,
		"/oauth2init":     "",
		"/listlabels":     "",
		"/listprojects":   "",
	}
	for target, body := range forms {
		for name, headers := range map[string][]string{
			"cross-site":                  {"Sec-Fetch-Site", "cross-site"},
			"same-site":                   {"Sec-Fetch-Site", "same-site", "Origin", "http://other.127.0.0.1"},
			"cross-site, Origin null":     {"Sec-Fetch-Site", "cross-site", "Origin", "null"},
			"an old browser":              {"Origin", "https://evil.example"},
			"an old browser, Origin null": {"Origin", "null"},
			"Host of the same name":       {"Origin", "https://evil.example", "X-Forwarded-Host", "evil.example"},
		} {
			headers = append(headers, "Content-Type", "application/x-www-form-urlencoded", "X-Requested-With", "XmlHttpRequest")
			if a := b.do(b.request("POST", target, strings.NewReader(body), headers...)); a.status != http.StatusForbidden {
				t.Errorf("%s, %s: %d %s", target, name, a.status, a.body)
			}
		}
	}
	w.unchanged(t, before)
	t.Run("but under no-referrer our own form, with Origin null, is not", func(t *testing.T) {
		r := b.request("POST", "/dailyevent", strings.NewReader("enabled=true&form="+b.mark("/dailyevent")), "Content-Type", "application/x-www-form-urlencoded",
			"Sec-Fetch-Site", "same-origin", "Origin", "null", "Accept", "text/html")
		expect(t, b.follow(b.do(r)), http.StatusOK, "It is on")
	})
}

func TestJobRunsForTheVerifiedSchedulerAlone(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedInToAll(ada)
	on := url.Values{"enabled": {"true"}}
	expect(t, b.post("/dailyevent", on), http.StatusOK)
	other := w.browser()
	expect(t, other.visit("/dailyevent", grace), http.StatusOK)

	scheduled := map[string]any{"aud": w.url + "/dailyevent", "email": scheduler, "email_verified": true, "sub": "1"}
	token := w.fake.SignIDToken(scheduled)
	for name, authorization := range map[string]string{
		"a token of the user's own":    "Bearer " + w.fake.SignIDToken(map[string]any{"aud": "test-client", "email": ada, "email_verified": true, "sub": subjectOf(t, w.fake, ada)}),
		"the user's access token":      "Bearer " + string(w.grant(ada).AccessToken),
		"a token for the origin":       "Bearer " + w.fake.SignIDToken(map[string]any{"aud": w.url, "email": scheduler, "email_verified": true}),
		"an altered token":             "Bearer " + forged(w.fake.SignIDToken(map[string]any{"aud": w.url + "/dailyevent"}), func(_, c map[string]any) { c["email"], c["email_verified"] = scheduler, true }, nil),
		"an unsigned token":            "Bearer " + forged(token, func(h, _ map[string]any) { h["alg"] = "none" }, []byte{}),
		"several audiences":            "Bearer " + w.fake.SignIDToken(map[string]any{"aud": []string{w.url + "/dailyevent", "x"}, "email": scheduler, "email_verified": true}),
		"the account in another case":  "Bearer " + w.fake.SignIDToken(map[string]any{"aud": w.url + "/dailyevent", "email": strings.ToUpper(scheduler), "email_verified": true}),
		"the token under another name": "Basic " + token,
	} {
		if a := b.do(b.request("POST", "/dailyevent", nil, "Authorization", authorization)); a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	expect(t, w.runDaily(w.process, func(c map[string]any) { c["email"] = "other@project.iam.gserviceaccount.com" }), http.StatusForbidden)
	unset := w.start(t, map[string]string{"GOOGLE_BASE_URL": w.env["GOOGLE_BASE_URL"], "TOKEN_KEYSET": w.env["TOKEN_KEYSET"], "TOKEN_STORE": "memory"})
	expect(t, w.runDaily(unset, nil), http.StatusForbidden)
	if n := w.fake.Calls("/calendar/"); n != 0 {
		t.Errorf("%d calls to Calendar", n)
	}
	t.Run("a session switches its own job alone", func(t *testing.T) {
		expect(t, other.post("/dailyevent", url.Values{"enabled": {"false"}, "subject": {subjectOf(t, w.fake, ada)}}), http.StatusOK)
		if !w.grant(ada).HasJob("dailyevent") || w.grant(grace).HasJob("dailyevent") {
			t.Error("Grace switched Ada's job")
		}
	})
	expect(t, w.runDaily(w.process, nil), http.StatusOK, `"done":1`)
}

func TestHostAndForwardedHeadersShapeNothing(t *testing.T) {
	const site = "https://functions.example/api"
	w := newWorld(t, tokenstore.NewMemory(), map[string]string{"BASE_URL": site})
	hostile := func(method, target, cookie, body string) *answer {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Host = "evil.example"
		for name, value := range map[string]string{
			"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "81", "X-Forwarded-For": "203.0.113.7",
			"X-Forwarded-Prefix": "/evil", "Forwarded": "host=evil.example;proto=http", "X-Original-URL": "/evil", "Referer": "https://evil.example/",
			"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html",
		} {
			r.Header.Set(name, value)
		}
		a := w.serve(r)
		for name, values := range a.header {
			if all := strings.Join(values, " "); strings.Contains(all, "evil") || name == "Set-Cookie" && (!strings.Contains(all, "Secure") || strings.Contains(all, "Domain")) {
				t.Errorf("%s %s: %s: %s", method, target, name, all)
			}
		}
		if strings.Contains(a.body, "evil") {
			t.Errorf("%s %s: %s", method, target, a.body)
		}
		return a
	}
	begun := hostile("GET", "/listlabels", "", "")
	expect(t, begun, http.StatusFound)
	if got := queryOf(t, begun.location()).Get("redirect_uri"); got != site+"/oauth2callback" {
		t.Errorf("redirect_uri %q", got)
	}
	cookie := "__Host-session=" + setCookie(t, begun).Value
	done := hostile("GET", "/oauth2callback?"+callbackQuery(t, w, begun), cookie, "")
	expect(t, done, http.StatusSeeOther)
	if done.location() != site+"/listlabels" {
		t.Errorf("Location %q", done.location())
	}
	cookie = "__Host-session=" + setCookie(t, done).Value
	expect(t, hostile("GET", "/oauth2init?return_to=/createfile", cookie, ""), http.StatusSeeOther)
	expect(t, hostile("GET", "/account", cookie, ""), http.StatusOK, `action="`+site+`/account"`)
	expect(t, hostile("GET", "/oauth2callback?state=x&code=y", cookie, ""), http.StatusBadRequest, site+"/oauth2init")
	expect(t, hostile("POST", "/createfile", cookie, "name=a&content=b"), http.StatusUnauthorized, site+"/createfile")
	mark := formPattern.FindStringSubmatch(hostile("GET", "/account", cookie, "").body)[2]
	gone := hostile("POST", "/account", cookie, "action=sign_out&form="+mark)
	expect(t, gone, http.StatusSeeOther)
	if gone.location() != site+"/account?done=sign_out" {
		t.Errorf("Location %q", gone.location())
	}
}
