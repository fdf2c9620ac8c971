// Command google answers the calls that the measured programs make to Google, at once or after a delay. It counts
// connections and calls, and checks nothing.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	delay       atomic.Int64 // before each answer, in nanoseconds
	longList    atomic.Bool  // a user has as many labels as Gmail lets them have
	connections atomic.Int64

	mu    sync.Mutex
	calls = map[string]int{} // by path
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /gmail/v1/users/me/labels", listLabels)
	mux.HandleFunc("POST /token", token)
	mux.HandleFunc("GET /oauth2/v3/certs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=21600")
		answer(w, os.Getenv("KEYS"))
	})
	mux.HandleFunc("GET /drive/v3/files/generateIds", func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"ids":["1abc"]}`) })
	mux.HandleFunc("GET /drive/v3/files/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		answer(w, `{"error":{"code":404,"message":"File not found."}}`)
	})
	mux.HandleFunc("POST /upload/drive/v3/files", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		answer(w, `{"id":"1abc","name":"file","webViewLink":"https://drive.google.com/file/d/1abc/view"}`)
	})
	mux.HandleFunc("POST /calendar/v3/calendars/primary/events", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		answer(w, `{"id":"event"}`)
	})
	mux.HandleFunc("POST /counts", counts)

	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/counts" {
				mu.Lock()
				calls[r.URL.Path]++
				mu.Unlock()
				if d := delay.Load(); d > 0 {
					time.Sleep(time.Duration(d))
				}
			}
			mux.ServeHTTP(w, r)
		}),
	}
	log.Fatal(server.Serve(l))
}

// counts sets the delay, and answers with the counts since the start.
func counts(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("delay"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	delay.Store(int64(d))
	longList.Store(r.URL.Query().Get("list") == "long")
	mu.Lock()
	defer mu.Unlock()
	json.NewEncoder(w).Encode(map[string]any{"connections": connections.Load(), "calls": calls})
}

var (
	// 30 labels are Gmail's own 13 and some of the user's; 10,000 of 225 characters are the most [Gmail: labels].
	labelNames = labels(30, `{"name":"Label/%d"}`)
	labelsLong = labels(10_000, `{"name":"%0225d"}`)
	labelsFull = labels(30, `{"id":"Label_%[1]d","name":"Label/%[1]d","messageListVisibility":"show","labelListVisibility":"labelShow","type":"user",`+
		`"color":{"textColor":"#434343","backgroundColor":"#fb4c2f"}}`)
)

// labels returns the answer for an account with n labels.
func labels(n int, format string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return `{"labels":[` + strings.Join(all, ",") + `]}`
}

func listLabels(w http.ResponseWriter, r *http.Request) {
	switch {
	case longList.Load():
		answer(w, labelsLong)
	case r.URL.Query().Has("fields"):
		answer(w, labelNames)
	default:
		answer(w, labelsFull)
	}
}

// token answers for a code, which is the ID token to answer with, and for a refresh token.
func token(w http.ResponseWriter, r *http.Request) {
	t := map[string]any{"access_token": "ya29.stand-in", "token_type": "Bearer", "expires_in": 3599,
		"scope": "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/gmail.labels"}
	if code := r.FormValue("code"); code != "" {
		t["id_token"], t["refresh_token"] = code, "1//stand-in"
	}
	b, err := json.Marshal(t)
	if err != nil {
		log.Fatal(err)
	}
	answer(w, string(b))
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	io.WriteString(w, body)
}
