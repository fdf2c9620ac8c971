package httpfunc

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"strings"
	"sync"
)

var (
	//go:embed layout.html
	layoutHTML string
	//go:embed style.css
	styleCSS string
	//go:embed error.html
	errorHTML string

	layout = sync.OnceValues(func() (*template.Template, error) {
		t, err := template.New("layout").Parse(layoutHTML)
		if err == nil {
			// The style is part of it, so that no page has to fill it in.
			_, err = t.New("style").Parse(styleCSS)
		}
		return t, err
	})
	errorPage = NewPage("", errorHTML)
	// valuePage shows a value that brings no page of its own.
	valuePage = NewPage("Result", `<pre>{{.JSON}}</pre>`)
)

// contentSecurityPolicy lets a page do nothing but show itself, in our style, and send its own forms.
var contentSecurityPolicy = strings.Join([]string{
	"default-src 'none'",
	"style-src 'sha256-" + sha256Base64(styleCSS) + "'",
	"img-src data:",
	"form-action 'self'",
	"base-uri 'none'",
	"frame-ancestors 'none'",
}, "; ")

func sha256Base64(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A Page is a template for what a function shows.
type Page struct {
	title    string
	template func() (*template.Template, error)
}

// NewPage returns a page with this template for its body, which finds the value that it shows as .Value,
// and makes the URL of a function with .URL "name". It is parsed at its first view: a start waits for no
// page that may never be asked for.
func NewPage(title, body string) *Page {
	return &Page{title, sync.OnceValues(func() (*template.Template, error) {
		t, err := layout()
		if err == nil {
			t, err = t.Clone()
		}
		if err == nil {
			_, err = t.New("body").Parse(body)
		}
		return t, err
	})}
}

// A View is a value and the page that shows it. A program that asks for JSON gets the value alone.
type View struct {
	page   *Page
	title  string
	value  any
	policy string
}

// View returns a view of value on the page.
func (p *Page) View(value any) *View {
	return &View{page: p, title: p.title, value: value, policy: contentSecurityPolicy}
}

// Value returns what the view shows.
func (v *View) Value() any { return v.value }

// Titled replaces the page's title.
func (v *View) Titled(title string) *View {
	v.title = title
	return v
}

// Allow adds directives to the Content-Security-Policy that the view is served with, such as
// "connect-src 'self'". Those that every page has stay as they are.
func (v *View) Allow(directives ...string) *View {
	v.policy = strings.Join(append([]string{v.policy}, directives...), "; ")
	return v
}

// asView returns the view that value is or gets.
func asView(value any) *View {
	if v, ok := value.(*View); ok {
		return v
	}
	return valuePage.View(value)
}

// pageData is what a page's template sees.
type pageData struct {
	Title    string
	Value    any
	Known    bool // who visits is known, if it is anybody
	Email    string
	SignedIn bool
	Switched bool // to another account, just now
	Alert    *alert
	Home     string // what the page at BASE_URL/ is called, or ""
	HomeURL  string
	Account  string // URL of the account page

	app *App
}

// An alert says above a form why it comes again.
type alert struct {
	Text       string
	ConsentURL string // where permission is given, or ""
	Request    string // the number that the log has, or ""
}

func (d *pageData) URL(path string) string { return d.app.URL(path) }

// List shows texts as a list, at less cost than a range in a template.
func (d *pageData) List(texts []string) template.HTML {
	const before, open, shut, after = "<ul class=\"list\">\n", "<li>", "</li>\n", "</ul>"
	size := len(before) + len(after)
	for _, text := range texts {
		size += len(open) + len(text) + len(shut)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(before)
	for _, text := range texts {
		b.WriteString(open)
		b.WriteString(template.HTMLEscapeString(text))
		b.WriteString(shut)
	}
	b.WriteString(after)
	return template.HTML(b.String())
}

func (d *pageData) JSON() (string, error) {
	b, err := json.MarshalIndent(d.Value, "", "  ")
	return string(b), err
}

// render writes the view to b as a page.
func (a *App) render(b *bytes.Buffer, v *View, d *pageData) error {
	d.app, d.Title, d.Value = a, v.title, v.value
	d.Home, d.HomeURL, d.Account = a.home, a.URL(""), a.URL("account")
	t, err := v.page.template()
	if err != nil {
		return err
	}
	return t.Execute(b, d)
}
