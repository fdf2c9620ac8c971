package fakegoogle

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
)

func TestFail(t *testing.T) {
	for status, reason := range map[int]string{401: "authError", 403: "forbidden", 429: "rateLimitExceeded", 500: "backendError", 503: "backendError"} {
		t.Run("answers "+http.StatusText(status)+" in Google's shape", func(t *testing.T) {
			w := newWorld(t)
			svc := w.gmail("", gmailLabels)
			w.Fail("/gmail/", 1, Failure{Status: status})
			_, err := svc.Users.Labels.List("me").Do()
			wantFault(t, err, status, reason)
			if _, err := svc.Users.Labels.List("me").Do(); err != nil {
				t.Errorf("the request after it: %v", err)
			}
		})
	}
	sentences(t, map[string]func(*world){
		"answers a reason, and when to try again": func(w *world) {
			svc := w.gmail("", gmailLabels)
			w.Fail("/gmail/", 1, Failure{Status: 403, Reason: "userRateLimitExceeded", RetryAfter: 1500 * time.Millisecond})
			_, err := svc.Users.Labels.List("me").Do()
			wantFault(w.T, err, 403, "userRateLimitExceeded")
			var fault *googleapi.Error
			if errors.As(err, &fault); fault.Header.Get("Retry-After") != "2" {
				w.Errorf("Retry-After %q", fault.Header.Get("Retry-After"))
			}
		},
		"answers a body of the test's": func(w *world) {
			w.Fail("/token", 1, Failure{Status: 400, Body: `{"error":"deleted_client"}`})
			status, body := w.exchange("any")
			wantOAuthError(w.T, status, body, 400, "deleted_client")
		},
		"answers the token endpoint's shape there": func(w *world) {
			for status, code := range map[int]string{401: "invalid_client", 429: "rate_limit_exceeded", 500: "internal_failure", 503: "internal_failure"} {
				w.Fail("/token", 1, Failure{Status: status})
				got, body := w.exchange("any")
				wantOAuthError(w.T, got, body, status, code)
			}
		},
		"leaves other paths alone and counts down": func(w *world) {
			w.Fail("/revoke", 2, Failure{Status: 500})
			w.tokens("", "openid")
			for _, want := range []int{500, 500, 400} {
				if status, _ := w.post("/revoke", nil); status != want {
					w.Errorf("status %d, want %d", status, want)
				}
			}
		},
		"plans one after the other, until StopFailing": func(w *world) {
			w.Fail("/revoke", 1, Failure{Status: 503})
			w.Fail("/", 9, Failure{Status: 500})
			for _, want := range []int{503, 500} {
				if status, _ := w.post("/revoke", nil); status != want {
					w.Errorf("status %d, want %d", status, want)
				}
			}
			w.StopFailing()
			if status, _ := w.post("/revoke", nil); status != 400 {
				w.Errorf("status %d", status)
			}
		},
		"answers garbage and does nothing": func(w *world) {
			svc := w.drive("", driveFile)
			w.Fail("/drive/", 1, Failure{Garbage: true})
			if _, err := svc.Files.Create(&drive.File{Name: "x"}).Do(); err == nil {
				w.Error("no error")
			}
			if len(w.Files(ada)) != 0 {
				w.Error("made a file")
			}
		},
		"drops the answer after doing what was asked": func(w *world) {
			svc := w.drive("", driveFile)
			id := w.fileID(svc)
			w.Fail("/upload/", 1, Failure{Drop: true})
			create := func() error {
				_, err := svc.Files.Create(&drive.File{Id: id}).Media(strings.NewReader("x"), googleapi.ChunkSize(0)).Do()
				return err
			}
			// The client library may try again by itself: it finds the file that exists.
			var fault *googleapi.Error
			if err := create(); err == nil || errors.As(err, &fault) && fault.Code != 409 {
				w.Errorf("error %v", err)
			}
			wantFault(w.T, create(), 409, "fileIdInUse")
			if len(w.Files(ada)) != 1 {
				w.Errorf("%d files", len(w.Files(ada)))
			}
		},
		"waits until the client gives up": func(w *world) {
			w.Fail("/revoke", 1, Failure{Delay: time.Hour})
			ctx, cancel := context.WithTimeout(w.Context(), 20*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "POST", w.url+"/revoke", strings.NewReader("token=x"))
			if err != nil {
				w.Fatal(err)
			}
			if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.DeadlineExceeded) {
				w.Errorf("error %v", err)
			}
		},
		"answers after the delay, with the body that was sent": func(w *world) {
			code := w.code("", "openid")
			w.Fail("/token", 1, Failure{Delay: time.Millisecond})
			if status, body := w.exchange(code); status != 200 {
				w.Errorf("%d %v", status, body)
			}
			w.Fail("/upload/", 1, Failure{Delay: time.Millisecond})
			if _, err := w.drive("", driveFile).Files.Create(&drive.File{}).Media(io.LimitReader(zeros{}, 3<<20), googleapi.ChunkSize(0)).Do(); err != nil {
				w.Fatal(err)
			}
			if f := w.Files(ada)[0]; f.Size != 3<<20 {
				w.Errorf("%d bytes", f.Size)
			}
		},
	})
}

func TestCalls(t *testing.T) {
	w := newWorld(t)
	w.tokens("", "openid")
	w.Fail("/token", 1, Failure{Status: 500})
	w.exchange("any")
	w.post("/revoke", nil)
	if w.Calls("/token") != 2 || w.Calls("/") != 3 || w.Calls("/gmail") != 0 || w.Calls("/revoke") != 1 {
		t.Errorf("%d", w.Calls(""))
	}
	w.ResetCalls()
	if n := w.Calls(""); n != 0 {
		t.Errorf("%d", n)
	}
}

// TestControls uses everything at once; the race detector is the judge.
func TestControls(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				code, err := w.PopupCode("app-1", appPage, "openid "+gmailLabels, Decision{})
				if err != nil {
					t.Error(err)
					return
				}
				w.exchange(code, "redirect_uri", "postmessage")
				w.get("/gmail/v1/users/me/labels", "Bearer x")
			}
		})
		all.Go(func() {
			for i := range 20 {
				w.SetLabels(ada, []string{"a"})
				w.SetProjects(ada, nil)
				w.SetTesting(i%2 == 0)
				w.EditIDToken(func(c map[string]any) { c["x"] = "y" })
				w.EditTokenResponse(nil)
				w.SetRefreshError(ada, "", "")
				w.Fail("/nothing", 1, Failure{Status: 500})
				w.AddUser(User{Subject: "3", Email: "c@example.com"})
				w.AddClient(Client{ID: "app-3"})
				w.SetPublic(w.url)
				w.Refuse("/nothing", 1, "invalid_client")
				w.AddAnswers(tasks())
				w.DeleteEvent(ada, "x")
				w.PurgeEvent(ada, "x")
				w.TrashFile(ada, "x")
				w.DeleteFile(ada, "x")
				w.DeviceCode("app-1", "openid", Decision{})
				w.SecurityEvent(ada, "sessions-revoked", "", nil)
				w.RefreshTokens(ada)
				w.GrantedScopes(ada, "app-1")
				w.Files(ada)
				w.Events(ada)
				w.Users()
				w.Calls("/")
				w.ExpireAccessTokens()
				w.Revoke(ada)
			}
			w.RotateKeys()
			w.SignIDToken(nil)
		})
	}
	all.Wait()
}
