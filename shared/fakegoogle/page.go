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

// A page is what the templates show; each uses some of it.
type page struct {
	Nonce   string
	Action  string // where the form is posted: the address of this request
	App     string // who asks, by host
	Switch  string // the address of this request with the account chooser
	User    User
	Users   []User
	Who     []string // what the app learns about the user without a box
	Boxes   []box
	Made    made
	Code    string // of an error
	Detail  string
	Heading string // of an error page that is not about an app's request
	Origin  string // of the page that gets Answer by a message
	Frames  string // the origin whose pages may show it in a frame; "" for none
	Answer  map[string]string
}

// A box is a permission that the user can untick.
type box struct{ Scope, Words string }

// Short returns the scope without its prefix, as developers know it, or "" where the words are the scope itself.
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

// showConsent asks the account for what it has not granted yet. Callers hold s.mu.
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

// showPopup sends the answer as a message to the page that opened the popup, if that is of this origin.
func showPopup(w http.ResponseWriter, origin string, answer url.Values) {
	showAnswer(w, origin, answer, "")
}

// showAnswer is showPopup for an answer that pages of the origin frames may also show in a frame.
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
	// Google's consent page enforces no more: it only reports "same-origin", which would cut a popup off from the page
	// that opened it. The report is left out here, since it makes browsers warn in the console.
	h.Set("Cross-Origin-Opener-Policy", "unsafe-none")
}

// app returns what the pages call the client: the host on which it runs.
func (req *consentRequest) app() string {
	return cmp.Or(host(req.origin), host(req.redirectURI), req.client.ID)
}

// host returns the host of a URL, or "".
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// initial returns the letter for the circle beside an account.
func initial(u User) string {
	for _, r := range u.Name + u.Email {
		return strings.ToUpper(string(r))
	}
	return "?"
}
