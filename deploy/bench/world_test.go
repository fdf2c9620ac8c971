package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/session"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

const (
	clientID  = "client"
	scheduler = "scheduler@project.iam.gserviceaccount.com"
	// localURL is BASE_URL beside the stand-in for Google, publicURL where deployed.
	localURL  = "http://localhost:8080"
	publicURL = "https://region-project.cloudfunctions.net"
)

// A world is what the programs need around them: Firestore, Google and users.
type world struct {
	tb       testing.TB
	emulator string
	project  string
	google   *process
	keys     *seal.Keyset
	store    *tokenstore.Firestore
	delay    time.Duration // before each answer of Google's
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	if runtime.GOOS != "linux" {
		tb.Skip("memory and processor time are read from Linux's /proc")
	}
	w := &world{tb: tb, keys: newKeys(tb)}
	w.emulator, w.project = tokenstoretest.Emulator(tb)
	var err error
	w.store, err = tokenstore.OpenFirestore(tokenstore.FirestoreConfig{Project: w.project, Emulator: w.emulator, Keyset: w.keys})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.store.Close() })
	keys := httptest.NewRecorder()
	signer().ServeHTTP(keys, httptest.NewRequest(http.MethodGet, "/oauth2/v3/certs", nil))
	w.google = start(tb, "google", binary(tb, "google", ""), []string{"KEYS=" + keys.Body.String()}, nil, "/oauth2/v3/certs", http.StatusOK)
	return w
}

func newKeys(tb testing.TB) *seal.Keyset {
	tb.Helper()
	keys, err := seal.New()
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// environment is that of a program beside the stand-in for Google, with the variables given as NAME=value.
func (w *world) environment(function string, more ...string) []string {
	return append([]string{
		"FUNCTION_TARGET=" + function,
		"GOOGLE_BASE_URL=" + w.google.url,
		"BASE_URL=" + localURL,
		`OAUTH_CLIENT_JSON={"web":{"client_id":"` + clientID + `","client_secret":"secret"}}`,
		"TOKEN_KEYSET=" + string(w.keys.JSON()),
		"GOOGLE_CLOUD_PROJECT=" + w.project,
		"FIRESTORE_EMULATOR_HOST=" + w.emulator,
		"SCHEDULER_ACCOUNT=" + scheduler,
	}, more...)
}

// deployed is the environment of a deployed program.
func (w *world) deployed(function string) []string {
	return w.environment(function, "K_SERVICE="+function, "BASE_URL="+publicURL, "GOOGLE_BASE_URL=")
}

// each starts every program for a function, and waits until it serves.
func (w *world) each(function string) []*process {
	var all []*process
	for _, name := range programs {
		all = append(all, start(w.tb, name, binary(w.tb, name, function), w.environment(function), nil, "/", anyStatus))
	}
	return all
}

// counts is what the stand-in for Google saw.
type counts struct {
	Connections int
	Calls       map[string]int // by path
}

func (w *world) count(tb testing.TB) counts { return w.setDelay(tb, w.delay) }

// setDelay has the stand-in wait before each answer.
func (w *world) setDelay(tb testing.TB, d time.Duration) counts {
	tb.Helper()
	w.delay = d
	return w.set(tb, "delay="+d.String())
}

// set tells the stand-in how to answer.
func (w *world) set(tb testing.TB, query string) counts {
	tb.Helper()
	status, body, err := w.google.do(w.google.request(tb, "POST", "/counts?"+query, nil, nil))
	var c counts
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &c) != nil {
		tb.Fatalf("counts: %d %s %v", status, body, err)
	}
	return c
}

// user stores a grant with the access token's expiry and returns the header of a request that the user
// makes.
func (w *world) user(subject string, expiry time.Time, jobs ...string) http.Header {
	w.tb.Helper()
	id, now := seal.NewID(), time.Now()
	g := &tokenstore.Grant{
		Owner: subject, Email: subject + "@example.com", Status: tokenstore.Active,
		RefreshToken: "1//0gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		AccessToken:  seal.Secret("ya29." + strings.Repeat("a", 200) + "-" + subject), Expiry: expiry, Created: now, Consented: now,
		Scopes: []string{"openid", "https://www.googleapis.com/auth/userinfo.email", "https://www.googleapis.com/auth/gmail.labels",
			"https://www.googleapis.com/auth/drive.file", "https://www.googleapis.com/auth/calendar.events.owned"},
		Sessions: []tokenstore.Session{{Hash: seal.HashID(id), Start: now}},
		Jobs:     jobs,
	}
	w.put(g)
	return w.header(session.Session{Browser: seal.NewID()}.SignIn(subject, id, now))
}

// put stores a grant, however long a busy emulator takes.
func (w *world) put(g *tokenstore.Grant) {
	w.tb.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := w.store.Put(context.Background(), g.Clone())
		switch {
		case err == nil, errors.Is(err, tokenstore.ErrConflict): // of an attempt that seemed to fail
			return
		case !errors.Is(err, tokenstore.ErrUnavailable), time.Now().After(deadline):
			w.tb.Error(err)
			return
		}
	}
}

// users stores n grants that have the job on.
func (w *world) users(n int, job string) {
	w.tb.Helper()
	group := new(errgroup.Group)
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			w.user(fmt.Sprintf("user%07d", i), time.Now().Add(time.Hour), job)
			return nil
		})
	}
	group.Wait()
}

// header is that of a browser in the session.
func (w *world) header(s session.Session) http.Header {
	w.tb.Helper()
	h := with(nil, "Accept", "text/html")
	for name, secure := range map[string]bool{"session_8080": false, "__Host-session": true} {
		cookie := session.Cookie{Name: name, Secure: secure, Keys: w.keys, Now: time.Now}
		recorder := httptest.NewRecorder()
		if err := cookie.Write(recorder, s); err != nil {
			w.tb.Fatal(err)
		}
		value, _, _ := strings.Cut(recorder.Header().Get("Set-Cookie"), ";")
		h.Add("Cookie", value)
	}
	return h
}

// callback returns the path and the header with which a new browser comes back from Google's consent
// page, where subject consented. The code is the ID token that the stand-in is to answer with.
func (w *world) callback(subject string) (path string, header http.Header) {
	w.tb.Helper()
	browser := seal.NewID()
	flow := oauthflow.New(oauthflow.Config{ClientID: clientID, RedirectURI: localURL + "/oauth2callback", Keys: w.keys, Now: time.Now})
	consent, err := flow.Begin(oauthflow.Request{Browser: browser, Scopes: []string{"https://www.googleapis.com/auth/gmail.labels"}, ReturnTo: "/listlabels"})
	if err != nil {
		w.tb.Fatal(err)
	}
	u, err := url.Parse(consent)
	if err != nil {
		w.tb.Fatal(err)
	}
	code := w.sign(map[string]any{"aud": clientID, "azp": clientID, "sub": subject, "email": subject + "@example.com", "nonce": u.Query().Get("nonce")})
	query := url.Values{"state": {u.Query().Get("state")}, "code": {code}, "user": {subject}}
	return "/oauth2callback?" + query.Encode(), w.header(session.Session{Browser: browser})
}

// runHeader is that of Cloud Scheduler's request for a job.
func (w *world) runHeader(job string) http.Header {
	token := w.sign(map[string]any{"aud": localURL + "/" + job, "sub": "1", "email": scheduler, "email_verified": true})
	return http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
}

// signer signs for the stand-in, which answers whatever it was told.
var signer = sync.OnceValue(func() *fakegoogle.Server {
	return fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{{ID: clientID, Secret: "secret"}}})
})

// sign returns an ID token of Google's with the claims.
func (w *world) sign(claims map[string]any) string { return signer().SignIDToken(claims) }

// upload returns the body of a multipart form with a file of this size, which is made as it is read.
func upload(size int64) (body *formBody, contentType string) {
	const boundary = "boundary"
	head := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n1abc\r\n" +
		"--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
	tail := "\r\n--" + boundary + "--\r\n"
	return &formBody{strings.NewReader(head), size, strings.NewReader(tail)}, "multipart/form-data; boundary=" + boundary
}

type formBody struct {
	head *strings.Reader
	left int64
	tail *strings.Reader
}

func (f *formBody) size() int64 { return int64(f.head.Len()) + f.left + int64(f.tail.Len()) }

func (f *formBody) Read(p []byte) (int, error) {
	switch {
	case f.head.Len() > 0:
		return f.head.Read(p)
	case f.left > 0:
		n := copy(p, bytes.Repeat([]byte("0123456789abcdef"), int(min(int64(len(p)), f.left))/16+1)[:min(int64(len(p)), f.left)])
		f.left -= int64(n)
		return n, nil
	}
	return f.tail.Read(p)
}
