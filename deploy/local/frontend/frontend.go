// Package frontend is a page such as an app of your own would have: its users are signed in to the app, and the
// functions act for them at Google.
package frontend

import (
	"embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed index.html
var html string

//go:embed connect.js page.js style.css
var files embed.FS

var page = template.Must(template.New("").Parse(html))

// A Page is what the page shows, and the addresses that it calls.
type Page struct {
	BaseURL   string // of the functions
	Functions []Function
	Words     map[string]string // what each scope permits
	Client    string            // the OAuth client's id
	Google    string            // where Google's pages are
	OneTap    bool              // users sign in with Google's One Tap; otherwise
	SignIn    string            // this URL of the app's issuer signs in
	Users     []User            // one of these users
}

// A Function is one that acts for a user.
type Function struct {
	Name, Title string
	Job         bool // a background job, which the page turns on and off
}

// A User is a user of the app.
type User struct{ Email, Name string }

// policy returns a Content-Security-Policy that lets the page load its own files and Google's library, and call the
// functions.
func (p Page) policy() string {
	gsi := p.Google + "/gsi/"
	return strings.Join([]string{
		"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		"script-src 'self' " + gsi + "client",
		"style-src 'self' " + gsi + "style",
		"frame-src " + gsi,
		"img-src data:",
		strings.TrimSpace("connect-src " + p.BaseURL + "/ " + gsi + " " + p.SignIn),
	}, "; ")
}

// Handler serves the page at /.
func (p Page) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, p)
	})
	mux.Handle("GET /", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", p.policy())
		// Google's popup answers by a message to the page that opened it.
		h.Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}
