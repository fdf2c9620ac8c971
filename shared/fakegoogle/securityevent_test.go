package fakegoogle

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// event checks the signature of a token with Google's published keys and returns its header and claims.
func (w *world) event(raw string) (header, claims map[string]any) {
	w.Helper()
	ctx := oidc.ClientContext(context.Background(), w.http)
	payload, err := oidc.NewRemoteKeySet(ctx, "https://www.googleapis.com/oauth2/v3/certs").VerifySignature(ctx, raw)
	if err != nil {
		w.Fatal(err)
	}
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	if err != nil || json.Unmarshal(head, &header) != nil || json.Unmarshal(payload, &claims) != nil {
		w.Fatalf("%s %s, %v", head, payload, err)
	}
	return header, claims
}

func TestSecurityEvent(t *testing.T) {
	sentences(t, map[string]func(*world){
		"says what happened to whom, for every client, without an end": func(w *world) {
			header, c := w.event(w.SecurityEvent("ada@example.com", "account-disabled", "hijacking", nil))
			const want = `{"https://schemas.openid.net/secevent/risc/event-type/account-disabled":` +
				`{"reason":"hijacking","subject":{"iss":"https://accounts.google.com/","sub":"110248495921238986420","subject_type":"iss-sub"}}}`
			if got := asJSON(w.T, c["events"]); got != want {
				w.Errorf("got  %s\nwant %s", got, want)
			}
			if header["typ"] != "secevent+jwt" || c["iss"] != "https://accounts.google.com/" || asJSON(w.T, c["aud"]) != `["app-1","app-2"]` ||
				c["iat"] != float64(w.clock.now().Unix()) || c["jti"] == "" || c["exp"] != nil {
				w.Errorf("%v %v", header, c)
			}
		},
		"names the family that each event belongs to": func(w *world) {
			_, c := w.event(w.SecurityEvent(ada, "tokens-revoked", "", nil))
			if got := asJSON(w.T, c["events"]); !strings.HasPrefix(got, `{"https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked":{"subject":`) {
				w.Errorf("%s", got)
			}
			_, c = w.event(w.SecurityEvent("", "verification", "state-1", nil))
			if got := asJSON(w.T, c["events"]); got != `{"https://schemas.openid.net/secevent/risc/event-type/verification":{"state":"state-1"}}` {
				w.Errorf("%s", got)
			}
		},
		"is changed by a test": func(w *world) {
			_, c := w.event(w.SecurityEvent(ada, "sessions-revoked", "", func(c map[string]any) { c["aud"], c["jti"] = "another", nil }))
			if _, has := c["jti"]; c["aud"] != "another" || has {
				w.Errorf("%v", c)
			}
		},
		"is told apart from others by its id": func(w *world) {
			_, a := w.event(w.SecurityEvent(ada, "sessions-revoked", "", nil))
			_, b := w.event(w.SecurityEvent(ada, "sessions-revoked", "", nil))
			if a["jti"] == b["jti"] {
				w.Errorf("twice %v", a["jti"])
			}
		},
		"is sent as Google sends it": func(w *world) {
			got := make(chan string, 1)
			receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got <- r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
				rw.WriteHeader(http.StatusAccepted)
			}))
			defer receiver.Close()
			token := w.SecurityEvent(ada, "sessions-revoked", "", nil)
			status, err := SendSecurityEvent(w.Context(), receiver.URL, token)
			if want := "POST application/secevent+jwt " + token; err != nil || status != 202 || <-got != want {
				w.Errorf("%d, %v", status, err)
			}
			receiver.Close()
			if _, err := SendSecurityEvent(w.Context(), receiver.URL, token); err == nil || strings.Contains(err.Error(), token) {
				w.Errorf("to a receiver that is down: %v", err)
			}
		},
	})
}
