package all_test

import (
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestNoSecretShowsInWhatIsWritten(t *testing.T) {
	registerProbe()
	w, addr, project := newWatchedWorld(t)
	w.secrets.add("panic value", panicCanary)
	standard := log.Writer()
	log.SetOutput(w.log)
	defer log.SetOutput(standard)

	b := w.browser()
	get := func(what, target string) *answer { t.Helper(); return w.did(what, b.get(target)) }
	through := func(what, path, user string) *answer {
		t.Helper()
		a := get(what, path)
		for hops := 0; hops < 6 && a.status/100 == 3; hops++ {
			next := a.location()
			if a.status == http.StatusFound {
				next = b.consent(next, fakegoogle.Decision{User: user})
				w.secrets.add("code", queryOf(t, next).Get("code"))
			}
			a = get(what, next)
		}
		return a
	}
	fails := func(match string, n int, f fakegoogle.Failure, do func()) {
		w.fake.Fail(match, n, f)
		do()
		w.fake.StopFailing()
	}

	// The callback, in all its ways.
	callback := b.callback("/oauth2init", fakegoogle.Decision{User: ada})
	w.secrets.add("code", queryOf(t, callback).Get("code"))
	w.secrets.add("state", queryOf(t, callback).Get("state"))
	w.browser().get(callback) // its page holds the callback's own address, which this browser has: the one exception
	expect(t, get("bad state", with(callback, set("state", queryOf(t, callback).Get("state")+"x"))), http.StatusBadRequest)
	get("two codes", callback+"&code=x")
	get("good", callback)
	expect(t, get("replayed", callback), http.StatusSeeOther)
	for name, f := range map[string]fakegoogle.Failure{
		"token endpoint 500": {Status: 500}, "garbage": {Garbage: true}, "no answer": {Drop: true}, "invalid_client": {Status: 401}, "code refused": {Status: 400, Reason: "invalid_grant"},
	} {
		fails("/token", 1, f, func() { get(name, b.callback("/oauth2init?account=new", fakegoogle.Decision{User: ada})) })
	}
	w.fake.EditIDToken(func(c map[string]any) { c["nonce"] = "x" })
	get("ID token refused", b.callback("/oauth2init?account=new", fakegoogle.Decision{User: ada}))
	w.fake.EditIDToken(nil)
	expect(t, get("denied", b.callback("/createfile", fakegoogle.Decision{User: ada, Deny: true})), http.StatusForbidden)
	expect(t, get("unticked", b.callback("/createfile", fakegoogle.Decision{User: ada, Untick: []string{driveFile}})), http.StatusForbidden)

	// The functions, and Google's refusals.
	expect(t, through("sign-in", "/listlabels", ada), http.StatusOK)
	expect(t, through("another permission", "/createfile", ada), http.StatusOK)
	expect(t, through("the job's page", "/dailyevent", ada), http.StatusOK)
	for name, f := range map[string]fakegoogle.Failure{
		"401": {Status: 401}, "403": {Status: 403}, "404": {Status: 404}, "429": {Status: 429, RetryAfter: time.Minute}, "500": {Status: 500}, "garbage": {Garbage: true}, "no answer": {Drop: true},
		"403 for a scope": {Status: 403, Reason: "insufficientPermissions"},
	} {
		fails("/gmail/", 9, f, func() {
			get("Gmail: "+name, "/listlabels")
			w.did("Gmail, JSON: "+name, b.getJSON("/listlabels"))
		})
	}
	for name, spoil := range map[string]func(){
		"token endpoint 500": func() { w.fake.Fail("/token", 9, fakegoogle.Failure{Status: 500}) },
		"invalid_client":     func() { w.fake.Fail("/token", 9, fakegoogle.Failure{Status: 401}) },
		"garbage":            func() { w.fake.Fail("/token", 9, fakegoogle.Failure{Garbage: true}) },
		"no answer":          func() { w.fake.Fail("/token", 9, fakegoogle.Failure{Drop: true}) },
		"administrator":      func() { w.fake.SetRefreshError(subjectOf(t, w.fake, ada), "invalid_grant", "invalid_rapt") },
	} {
		w.clock.advance(2 * time.Hour)
		spoil()
		get("refresh: "+name, "/listlabels")
		w.did("refresh, POST: "+name, b.post("/createfile", url.Values{"name": {"a"}, "content": {"b"}}))
		w.fake.StopFailing()
	}
	w.fake.SetRefreshError(subjectOf(t, w.fake, ada), "", "")
	expect(t, through("sign-in again", "/listlabels", ada), http.StatusOK)
	for _, how := range []string{"panic with a string", "panic with an error", "panic with a value", "panic of the runtime", "value that does not encode", "error"} {
		target := "/probe?how=" + url.QueryEscape(how)
		expect(t, get(how, target), http.StatusInternalServerError)
		expect(t, w.did(how+", JSON", b.getJSON(target)), http.StatusInternalServerError)
	}

	// Bodies and headers that hold a secret and cannot be used.
	code, err := w.fake.PopupCode("test-client", w.url, "openid email", fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	w.secrets.add("code", code)
	for _, body := range []string{`{"code":"` + code + `"`, `{"code":["` + code + `"]}`, `{"code":7,"x":"` + code + `"}`, code, `{"code":"` + code + `"}`, `{"code":"` + code + `"}`} {
		r := b.request("POST", "/oauth2callback", strings.NewReader(body), "Content-Type", "application/json", "X-Requested-With", "XmlHttpRequest")
		w.did("popup", b.do(r))
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/" + code} {
			w.did("form", b.do(b.request("POST", "/createfile", strings.NewReader(body+"%zz"), "Content-Type", contentType)))
		}
	}
	token := w.fake.SignIDToken(map[string]any{"aud": w.url + "/dailyevent", "email": scheduler, "email_verified": true, "sub": "1"})
	other := w.fake.SignIDToken(map[string]any{"aud": "x", "email": scheduler, "email_verified": true, "sub": "1"})
	for _, token := range []string{token, other, token + "x", "canary-not-a-token"} {
		w.secrets.add("service token", token)
		w.did("run", b.do(b.request("POST", "/dailyevent", nil, "Authorization", "Bearer "+token)))
	}
	w.secrets.add("cookie", "canary-cookie")
	w.did("garbage cookie", w.process.serve(func() *http.Request {
		r := httptest.NewRequest("GET", "/listlabels", nil)
		r.Header.Set("Cookie", "session=canary-cookie")
		return r
	}()))

	expect(t, through("account", "/account", ada), http.StatusOK)
	fails("/revoke", 9, fakegoogle.Failure{Status: 500}, func() {
		expect(t, w.did("disconnect", b.post("/account", url.Values{"action": {"disconnect"}})), http.StatusOK)
	})
	through("and once more", "/listlabels", ada)

	came := slices.Collect(maps.Values(w.secrets.values))
	for _, what := range []string{"code", "state", "verifier", "access token", "access_token", "refresh token", "refresh_token", "id_token", "client secret", "cookie", "session id", "key"} {
		if !slices.Contains(came, what) {
			t.Errorf("no %s came by: the test looks for nothing", what)
		}
	}
	for _, text := range []string{"consent given", "request failed", "panic: string", "token endpoint: status", "refreshed", "disconnected", "job run"} {
		if !strings.Contains(w.log.String(), text) {
			t.Errorf("the log has no %q: the test took another way", text)
		}
	}
	w.secrets.in(t, "the log", w.log.String())
	w.secrets.in(t, "a URL that Google was asked for", w.asked.String())
	for _, wrote := range w.wrote {
		w.secrets.in(t, wrote.where, wrote.text)
	}
	w.secrets.in(t, "Firestore", string(tokenstoretest.RawDocuments(t, addr, project)))
}
