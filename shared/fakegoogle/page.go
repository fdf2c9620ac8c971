package fakegoogle

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed *.html
var pageFiles embed.FS

var (
	chooserPage = parsePage("chooser.html")
	consentPage = parsePage("consent.html")
	errorPage   = parsePage("error.html")
	popupPage   = parsePage("popup.html")
	madePage    = parsePage("made.html")
)

func parsePage(name string) *template.Template {
	funcs := template.FuncMap{"initial": initial}
	return template.Must(template.New(name).Funcs(funcs).ParseFS(pageFiles, "layout.html", name))
}

// page is what every page shows.
type page struct {
	Nonce   string
	Action  string // the form's target: this very request
	App     string // who asks
	Switch  string // this request again, with the account chooser
	User    User
	Users   []User
	Who     []string // what the app learns about the user without a box
	Boxes   []box
	Made    made
	Code    string // of an error
	Detail  string
	Heading string // of an error that is no refusal of an app's request
	Origin  string // of the popup's opener
	Frames  string // the origin whose pages may show it in a frame; "" for none
	Answer  map[string]string
}

// box is a permission that the user can untick.
type box struct{ Scope, Words string }

// Short is how developers call the scope; empty if the words are the scope itself.
func (b box) Short() string {
	if b.Words == b.Scope {
		return ""
	}
	return strings.TrimPrefix(b.Scope, scopePrefix)
}

// showChooser lets the user pick an account. Callers hold s.mu.
func (s *Server) showChooser(w http.ResponseWriter, r *http.Request, req *consentRequest) {
	p := page{Action: s.prefix() + r.URL.RequestURI(), App: req.app()}
	for _, a := range s.users {
		p.Users = append(p.Users, a.User)
	}
	show(w, http.StatusOK, chooserPage, p)
}

// showConsent asks who for what is not granted yet. Callers hold s.mu.
func (s *Server) showConsent(w http.ResponseWriter, r *http.Request, req *consentRequest, who *account) {
	again := r.URL.Query()
	again.Set("prompt", "select_account")
	again.Del("login_hint")
	p := page{
		Action: s.prefix() + r.URL.RequestURI(),
		App:    req.app(),
		Switch: s.prefix() + r.URL.Path + "?" + again.Encode(),
		User:   who.User,
		Who:    []string{"Associate you with your Google Account"},
	}
	for _, sc := range req.scopes {
		switch sc {
		case scopeEmail:
			p.Who = append(p.Who, "See your primary email address, "+who.Email)
		case scopeProfile:
			p.Who = append(p.Who, "See your personal info, such as your name, "+who.Name)
		}
	}
	for _, sc := range s.boxes(req, who) {
		words := scopeInWords[sc]
		if words == "" {
			words = sc
		}
		p.Boxes = append(p.Boxes, box{sc, words})
	}
	show(w, http.StatusOK, consentPage, p)
}

func showError(w http.ResponseWriter, status int, e *pageError) {
	show(w, status, errorPage, page{Code: "Error 400: " + e.code, Detail: e.detail})
}

// showPopup hands the answer to the page that opened the popup, if it is of that origin.
func showPopup(w http.ResponseWriter, origin string, answer url.Values) {
	showAnswer(w, origin, answer, "")
}

// showAnswer is showPopup for a page that may stand in a frame of that origin.
func showAnswer(w http.ResponseWriter, origin string, answer url.Values, frames string) {
	p := page{Origin: origin, Answer: map[string]string{}}
	for name := range answer {
		p.Answer[name] = answer.Get(name)
	}
	p.Frames = frames
	show(w, http.StatusOK, popupPage, p)
}

func show(w http.ResponseWriter, status int, t *template.Template, p page) {
	p.Nonce = rand.Text()
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "layout.html", p); err != nil {
		http.Error(w, "fakegoogle: "+err.Error(), http.StatusInternalServerError)
		return
	}
	pageHeaders(w, p.Nonce, p.Frames)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

func pageHeaders(w http.ResponseWriter, nonce, frames string) {
	script := "'none'"
	if nonce != "" {
		script = "'nonce-" + nonce + "'"
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src "+script+"; base-uri 'none'; frame-ancestors "+cmp.Or(frames, "'none'"))
	// Google enforces no more either: its consent page only reports "same-origin", which would cut a popup off
	// from the page that opened it. The report is left out, since it makes browsers warn in the console.
	h.Set("Cross-Origin-Opener-Policy", "unsafe-none")
}

// app is how the pages call the client: the host that it runs on.
func (req *consentRequest) app() string {
	return cmp.Or(host(req.origin), host(req.redirectURI), req.client.ID)
}

// host is the host of a URL, or "".
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// initial is the letter in the account's circle.
func initial(u User) string {
	for _, r := range u.Name + u.Email {
		return strings.ToUpper(string(r))
	}
	return "?"
}
