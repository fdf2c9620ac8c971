package all_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/tokenstore"
)

func TestEveryResponseHasTheProtectingHeaders(t *testing.T) {
	registerProbe()
	for _, base := range []string{"", "https://functions.example"} {
		t.Run("BASE_URL "+base, func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), map[string]string{"BASE_URL": base})
			navigation := httptest.NewRequest("GET", "/listlabels", nil)
			navigation.Header.Set("Accept", "text/html")
			begun := w.serve(navigation)
			ask := func(method, target, body string, headers ...string) *answer {
				r := httptest.NewRequest(method, target, strings.NewReader(body))
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
				return w.serve(r)
			}
			first := setCookie(t, begun)
			signedIn := ask("GET", "/oauth2callback?"+callbackQuery(t, w, begun), "", "Cookie", first.Name+"="+first.Value)
			cookie := first.Name + "=" + setCookie(t, signedIn).Value
			type response struct {
				what   string
				status int
				a      *answer
			}
			all := []response{{"to Google", 302, begun}, {"back", 303, signedIn}}
			for what, r := range map[string]struct {
				status               int
				method, target, body string
				headers              []string
			}{
				"page":          {200, "GET", "/listlabels", "", []string{"Cookie", cookie}},
				"JSON":          {200, "GET", "/listlabels", "", []string{"Cookie", cookie, "Accept", "application/json"}},
				"HEAD":          {200, "HEAD", "/listlabels", "", []string{"Cookie", cookie}},
				"signed in":     {303, "GET", "/oauth2init", "", []string{"Cookie", cookie}},
				"JSON consent":  {401, "GET", "/listlabels", "", []string{"Accept", "application/json"}},
				"form consent":  {401, "POST", "/createfile", "", []string{"Accept", "text/html"}},
				"bad state":     {400, "GET", "/oauth2callback?state=x&code=y", "", nil},
				"bad body":      {400, "POST", "/account", "%zz", []string{"Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded"}},
				"cross-origin":  {403, "POST", "/account", "", []string{"Sec-Fetch-Site", "cross-site"}},
				"run":           {401, "POST", "/dailyevent", "", []string{"Authorization", "Bearer x"}},
				"other method":  {405, "DELETE", "/listlabels", "", nil},
				"OPTIONS":       {405, "OPTIONS", "/oauth2callback", "", nil},
				"popup too big": {413, "POST", "/oauth2callback", strings.Repeat("x", 20<<10), []string{"Content-Type", "application/json", "X-Requested-With", "x"}},
				"popup no JSON": {415, "POST", "/oauth2callback", "x", []string{"X-Requested-With", "x"}},
				"panic":         {500, "GET", "/probe?how=panic+with+a+string", "", []string{"Cookie", cookie}},
				"no encoding":   {500, "GET", "/probe?how=value+that+does+not+encode", "", []string{"Cookie", cookie, "Accept", "application/json"}},
				"no rendering":  {500, "GET", "/probe?how=value+that+does+not+encode", "", []string{"Cookie", cookie}},
			} {
				all = append(all, response{what, r.status, ask(r.method, r.target, r.body, r.headers...)})
			}
			w.fake.Fail("/", 9, fakegoogle.Failure{Status: 429, RetryAfter: time.Minute})
			all = append(all, response{"429", 429, ask("GET", "/listlabels", "", "Cookie", cookie)})
			w.fake.StopFailing()
			w.fake.Fail("/", 9, fakegoogle.Failure{Status: 404})
			all = append(all, response{"Google's 404", 500, ask("GET", "/listlabels", "", "Cookie", cookie)})
			w.fake.StopFailing()
			mark := formPattern.FindStringSubmatch(ask("GET", "/account", "", "Cookie", cookie).body)[2]
			all = append(all, response{"signed out", 303, ask("POST", "/account", "action=sign_out&form="+mark, "Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded")})
			notFound := httptest.NewRecorder()
			w.app.Show("nothing", func(*http.Request) (*httpfunc.View, error) {
				return nil, &httpfunc.Error{Status: 404, Code: "not_found", Message: "Nothing is here."}
			}).ServeHTTP(notFound, httptest.NewRequest("GET", "/nothing", nil))
			all = append(all, response{"404", 404, &answer{notFound.Code, notFound.Header(), notFound.Body.String()}})

			for _, r := range all {
				if r.a.status != r.status {
					t.Errorf("%s: status %d, want %d: %s", r.what, r.a.status, r.status, r.a.body)
				}
				want := map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
				if strings.HasPrefix(base, "https:") {
					want["Strict-Transport-Security"] = "max-age=31536000"
				}
				for name, value := range want {
					if got := r.a.header.Values(name); len(got) != 1 || got[0] != value {
						t.Errorf("%s: %s %q, want %q", r.what, name, got, value)
					}
				}
				policy := strings.Split(r.a.header.Get("Content-Security-Policy"), "; ")
				for _, directive := range []string{"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
					if !slices.Contains(policy, directive) {
						t.Errorf("%s: CSP %q lacks %s", r.what, policy, directive)
					}
				}
				if base == "" && r.a.header.Get("Strict-Transport-Security") != "" {
					t.Errorf("%s: HSTS on http", r.what)
				}
			}
		})
	}
}

func TestHostileNamesAreInert(t *testing.T) {
	const script = `"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.Value}}`
	w := newWorld(t, tokenstore.NewMemory(), nil)
	sub := subjectOf(t, w.fake, ada)
	w.fake.AddUser(fakegoogle.User{Subject: sub, Email: `<script>alert(0)</script>@example.com`, Labels: []string{script, "</ul><script>"}})
	w.fake.SetProjects(sub, []fakegoogle.Project{{ID: "p", Name: script, Number: "1"}})
	b := w.browser()
	inert := func(what string, a *answer, status int) {
		t.Helper()
		if a.status != status {
			t.Errorf("%s: status %d, want %d: %s", what, a.status, status, a.body)
		}
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			return
		}
		for _, live := range []string{"<script", "<img", `"'>`, "javascript:"} {
			if strings.Contains(a.shown(), live) {
				t.Errorf("%s: %s is live in %s", what, live, a.body)
			}
		}
	}
	labels := b.visit("/listlabels", sub)
	inert("labels", labels, http.StatusOK)
	expect(t, labels, http.StatusOK, "&lt;script&gt;alert(1)", "{{.Value}}", "&lt;script&gt;alert(0)")
	inert("projects", b.visit("/listprojects", sub), http.StatusOK)

	b.visit("/createfile", sub)
	made := b.post("/createfile", url.Values{"name": {script}, "content": {script}})
	inert("file", made, http.StatusOK)
	expect(t, made, http.StatusOK, "&lt;script&gt;alert(1)")
	file := strings.Join([]string{"--x", `Content-Disposition: form-data; name="form"`, "", b.mark("/createfile"), "--x", `Content-Disposition: form-data; name="file"; filename="<script>alert(1)</script>.txt"`, "Content-Type: text/html", "", script, "--x--", ""}, "\r\n")
	inert("uploaded file", b.follow(b.do(b.request("POST", "/createfile", strings.NewReader(file), "Content-Type", "multipart/form-data; boundary=x", "Accept", "text/html"))), http.StatusOK)
	inert("file's form again", b.post("/createfile", url.Values{"name": {""}, "content": {script}, "id": {script}}), http.StatusBadRequest)

	b.visit("/createevent", sub)
	event := url.Values{"title": {script}, "start": {"2030-01-01T09:00"}, "end": {"2030-01-01T10:00"}, "time_zone": {"UTC"}}
	inert("event", b.post("/createevent", event), http.StatusOK)
	for _, name := range []string{"start", "end", "time_zone", "guests", "id"} {
		bad := url.Values{}
		for k, v := range event {
			bad[k] = v
		}
		bad.Set(name, script)
		inert("event's form again, "+name, b.post("/createevent", bad), http.StatusBadRequest)
	}
	inert("a query in a form", b.get("/createfile?"+url.Values{"name": {script}, "content": {"</textarea>" + script}}.Encode()), http.StatusOK)
	inert("return_to", b.get("/oauth2init?return_to="+url.QueryEscape("/x?"+script)), http.StatusSeeOther)

	for _, code := range []string{"access_denied", script} {
		denied := with(b.callback("/oauth2init?account=new", fakegoogle.Decision{User: sub}), func(q url.Values) {
			q.Del("code")
			q.Set("error", code)
			q.Set("error_description", script)
			q.Set("error_uri", "javascript:alert(3)")
		})
		a := b.get(denied)
		inert("error "+code, a, http.StatusForbidden)
		if strings.Contains(a.body, "alert(1)") || strings.Contains(a.body, "alert(3)") {
			t.Errorf("Google's description is on the page: %s", a.body)
		}
	}
	w.fake.Fail("/gmail/", 9, fakegoogle.Failure{Status: 403, Body: `{"error":{"code":403,"message":` + fmt.Sprintf("%q", script) + `}}`})
	refused := b.get("/listlabels")
	inert("an API's message", refused, http.StatusForbidden)
	if strings.Contains(refused.body, "alert(1)") {
		t.Errorf("the API's message is on the page: %s", refused.body)
	}
	a := b.getJSON("/account")
	if kind := a.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("JSON comes as %s", kind)
	}
}
