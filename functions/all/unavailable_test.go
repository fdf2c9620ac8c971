package all_test

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// withinFirestore is how soon whoever waits for Firestore has to be answered, on however busy a machine. The store's own
// tests hold it to 5 s; Firestore's client would take 60 s.
const withinFirestore = 20 * time.Second

// storePaths returns a request for each way into the functions that needs the store, as a page and as
// a program ask, for a browser in which a user is signed in.
func storePaths(w *world, b *browser) map[string]*http.Request {
	all := map[string]*http.Request{}
	for kind, accept := range map[string]string{"HTML": "text/html", "JSON": "application/json"} {
		for _, path := range []string{"listlabels", "listprojects", "createfile", "createevent", "dailyevent", "account", "oauth2init"} {
			all[kind+" GET "+path] = b.request("GET", "/"+path, nil, "Accept", accept)
		}
		all[kind+" GET oauth2callback"] = b.request("GET", pathOf(b.at(w.process).callback("/oauth2init?account=new", fakegoogle.Decision{User: ada})), nil, "Accept", accept)
		for path, fields := range map[string]url.Values{
			"createfile":  {"id": {"abc"}, "name": {"a"}, "content": {"b"}},
			"createevent": {"title": {"a"}, "start": {"2026-03-01T15:00:00Z"}, "end": {"2026-03-01T16:00:00Z"}, "time_zone": {"UTC"}},
			"dailyevent":  {"enabled": {"true"}},
			"account":     {"action": {"sign_out_everywhere"}},
		} {
			b.at(w.process).mark("/" + path)
			all[kind+" POST "+path] = formRequest(b, "/"+path, kind == "JSON", fields)
		}
	}
	code, err := w.fake.PopupCode("test-client", w.env["BASE_URL"], "openid email "+gmailLabels, fakegoogle.Decision{User: ada})
	if err != nil {
		w.t.Fatal(err)
	}
	all["POST oauth2callback"] = b.request("POST", "/oauth2callback", strings.NewReader(fmt.Sprintf(`{"code":%q}`, code)),
		"Content-Type", "application/json", "X-Requested-With", "XmlHttpRequest", "Sec-Fetch-Site", "same-origin")
	run, err := w.scheduled(&process{url: b.url, env: w.env}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	all["POST dailyevent by the scheduler"] = run
	return all
}

// pathOf returns the path and the query of one of our URLs, which another process may serve.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u.RequestURI()
}

// wantUnavailable makes every request at once and wants each to be told to come again, soon.
func wantUnavailable(t *testing.T, b *browser, requests map[string]*http.Request) {
	t.Helper()
	var all sync.WaitGroup
	for name, r := range requests {
		all.Go(func() {
			begin := time.Now()
			a := b.do(r)
			if took := time.Since(begin); took > withinFirestore {
				t.Errorf("%s: answered after %v", name, took)
			}
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.location() != "" || strings.Contains(a.body, "consent") {
				t.Errorf("%s: %d, Retry-After %q, Location %q, %s", name, a.status, a.header.Get("Retry-After"), a.location(), a.body)
			}
		})
	}
	all.Wait()
}

func TestFaultFirestoreThatDoesNotAnswerIs503OnEveryPath(t *testing.T) {
	t.Parallel()
	proxied := func(fail func(*tokenstoretest.Proxy)) func(*testing.T, string) (string, func()) {
		return func(t *testing.T, addr string) (string, func()) {
			p := tokenstoretest.NewProxy(t, addr)
			return p.Addr, func() { fail(p) }
		}
	}
	modes := map[string]func(t *testing.T, emulator string) (addr string, fail func()){
		"it hangs": proxied((*tokenstoretest.Proxy).Mute),
		"it is UNAVAILABLE": func(t *testing.T, _ string) (string, func()) {
			return refusingFirestore(t, codes.Unavailable), func() {}
		},
	}
	names := slices.Sorted(maps.Keys(modes))
	atOnce(len(names), func(i int) {
		t.Run(names[i], func(t *testing.T) {
			addr, project := tokenstoretest.Emulator(t)
			w := newFirestoreWorld(t, addr, project)
			b := w.signedInToAll(ada)
			before := w.grant(ada)
			at, fail := modes[names[i]](t, addr)
			failing := b.at(w.another(t, openStore(t, at, project, w.keyset())))
			requests := storePaths(w, failing)
			fail()
			wantUnavailable(t, failing, requests)
			expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
			if after := w.grant(ada); after.RefreshToken != before.RefreshToken || !after.Usable() {
				t.Error("the grant did not stay what it was")
			}
		})
	})
}

// refusingFirestore returns the address of a Firestore that answers every call with code.
func refusingFirestore(t *testing.T, code codes.Code) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(code, "try again") }))
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// TestFaultGoogleThatHangsIs503 has Google say nothing at a sign-in, at a refresh and at an API call.
func TestFaultGoogleThatHangsIs503(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for as long as we wait for Google")
	}
	for i, when := range []string{"a sign-in", "a refresh", "an API call"} {
		t.Run("at "+when, func(t *testing.T) {
			t.Parallel()
			if i == 2 && !*long {
				t.Skip("takes 30 s: -long")
			}
			w := newWorld(t, tokenstore.NewMemory(), nil)
			b := w.signedIn(ada)
			before := w.grant(ada)
			p := tokenstoretest.NewProxy(t, strings.TrimPrefix(w.env["GOOGLE_BASE_URL"], "http://"))
			failing := b.at(w.start(t, w.envWith("GOOGLE_BASE_URL", "http://"+p.Addr)))
			target := func() string { return "/listlabels" }
			switch i {
			case 0:
				target = func() string {
					return pathOf(b.callback("/oauth2init?account=new", fakegoogle.Decision{User: ada}))
				}
			case 1:
				w.clock.advance(2 * time.Hour)
			}
			var requests []*http.Request
			for _, accept := range []string{"text/html", "application/json"} {
				requests = append(requests, failing.request("GET", target(), nil, "Accept", accept))
			}
			p.Mute()
			atOnce(2, func(j int) {
				a := failing.do(requests[j])
				if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.location() != "" {
					t.Errorf("%d, Retry-After %q, Location %q", a.status, a.header.Get("Retry-After"), a.location())
				}
			})
			if after := w.grant(ada); after.RefreshToken != before.RefreshToken || !after.Usable() {
				t.Error("the grant did not stay what it was")
			}
			expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
		})
	}
}
