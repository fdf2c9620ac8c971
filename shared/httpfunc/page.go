package httpfunc

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

var (
	//go:embed layout.html
	layoutHTML string
	//go:embed style.css
	styleFile string
	//go:embed script.js
	scriptFile string
	//go:embed error.html
	errorHTML string

	style, script         = asHashed(styleFile), asHashed(scriptFile)
	styleHTML, scriptHTML = template.HTML("<style>" + style + "</style>"), template.HTML("<script>" + script + "</script>")

	layout = sync.OnceValues(func() (*template.Template, error) {
		t, err := template.New("layout").Parse(layoutHTML)
		if err == nil {
			_, err = t.New("zones").Parse(zonesHTML)
		}
		return t, err
	})
	errorPage = NewPage("", errorHTML)
)

// asHashed returns a file as browsers hash it where it stands in a page: they read \r\n, which a checkout may
// have made of the line ends, as \n [HTML §13.2.3.5].
func asHashed(file string) string { return strings.ReplaceAll(file, "\r\n", "\n") }

// ValuePage shows any value as JSON, for a function that has no page of its own.
var ValuePage = NewPage("Result", `<pre>{{.JSON}}</pre>`)

// contentSecurityPolicy lets a page do nothing but show itself, in our style, run our script, and send its own
// forms.
var contentSecurityPolicy = strings.Join([]string{
	"default-src 'none'",
	"style-src 'sha256-" + sha256Base64(style) + "'",
	"script-src 'sha256-" + sha256Base64(script) + "'",
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

// NewPage returns a page with this template for its body, and with the function's Title where it has none of
// its own. The template finds the value that it shows as .Value, makes the URL of a function with .URL "name",
// and writes .Form in place of a <form> tag that posts to its function. Each field of the form has the
// attributes that .Field "name" returns, and .Fault "name" beside it. It is parsed at its first view: a start
// waits for no page that may never be asked for.
func NewPage(title, body string) *Page {
	return &Page{title, sync.OnceValues(func() (*template.Template, error) {
		if strings.Contains(strings.ToLower(body), `<form method="post"`) {
			return nil, errors.New("httpfunc: the page " + title + ` has a <form method="post"> of its own: write {{.Form}} in its place, or {{.FormAt "name"}} for another function's`)
		}
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
	at     url.Values
}

// View returns a view of value on the page.
func (p *Page) View(value any) *View {
	return &View{page: p, title: p.title, value: value, policy: contentSecurityPolicy}
}

// Value returns what the view shows, for tests of functions.
func (v *View) Value() any { return v.value }

// Titled replaces the page's title.
func (v *View) Titled(title string) *View {
	v.title = title
	return v
}

// Allow adds to the Content-Security-Policy that the view is served with: directives such as
// "connect-src 'self'". What every page has stays; browsers heed one directive of a name, so that the sources of
// a second are added to it.
func (v *View) Allow(directives ...string) *View {
	policy := strings.Split(v.policy, "; ")
	for _, directive := range directives {
		name, sources, _ := strings.Cut(directive, " ")
		if i := slices.IndexFunc(policy, func(d string) bool { return strings.HasPrefix(d, name+" ") }); i >= 0 {
			policy[i] += " " + sources
		} else {
			policy = append(policy, directive)
		}
	}
	v.policy = strings.Join(policy, "; ")
	return v
}

// At says where a browser finds the view of a Post: at the function's own page, with this parameter in
// its query, which Get shows as often as it is asked for.
func (v *View) At(name, value string) *View {
	v.at = url.Values{name: {value}}
	return v
}

// pageData is what a page's template sees.
type pageData struct {
	Title    string
	Value    any
	Alert    *alert
	Home     string // what the page at BASE_URL/ is called, or ""
	Known    bool   // it is known who is asking, which may be nobody
	SignedIn bool   // somebody is
	Email    string // their address, or ""
	Switched bool   // another account was just left for theirs
	HasForm  bool   // the page has a form, which our script is for; known behind the body

	// Chosen is the name of a file that was sent with the form that comes again, or "". No browser lets a page
	// choose it again.
	Chosen string

	Style   template.HTML // byte for byte what the policy has the hash of
	Script  template.HTML // likewise
	Refresh template.HTML // has the browser go on by itself, or is ""

	x      *exchange
	faults Faults
	mark   *mark // of the page's form, where it is not that of who is signed in
}

// An alert says above a form why it comes again.
type alert struct {
	Text       string
	Faults     Faults // what the text is about, where it is about fields
	ConsentURL string // where permission is given, or ""
	Request    string // the number that the log has, or ""
}

// SignInURL returns where a sign-in begins that asks for no permission and comes back to the page.
func (d *pageData) SignInURL() string {
	back := d.x.here()
	switch name := d.x.f.Name; {
	case name == callbackName, name == signInName, name == accountName:
		back = "/" + accountName
	case !slices.Contains(d.x.f.methods, http.MethodGet): // an address to which forms are posted alone
		back = "/"
	}
	return d.x.URL(signInName) + "?" + url.Values{"identity": {"only"}, "return_to": {back}}.Encode()
}

// refreshTo has the browser go on to url by itself. html/template takes no such attribute.
func refreshTo(url string) template.HTML {
	return template.HTML(`<meta http-equiv="refresh" content="0; url=` + template.HTMLEscapeString(url) + `">`)
}

// URL returns the public URL of a function.
func (d *pageData) URL(path string) string { return d.x.URL(path) }

// Form opens a form that posts to the page's function, with the mark of whom it is shown to.
func (d *pageData) Form() (template.HTML, error) { return d.FormAt(d.x.f.Name) }

// FormAt opens a form that posts to another function.
func (d *pageData) FormAt(name string) (template.HTML, error) {
	d.HasForm = true
	m := d.x.newMark()
	if d.mark != nil {
		m = *d.mark
	}
	sealed, err := d.x.sealMark(m)
	if err != nil {
		return "", err
	}
	encoding := ""
	if d.x.f.File && name == d.x.f.Name {
		encoding = ` enctype="multipart/form-data"`
	}
	return template.HTML(`<form method="post" action="` + template.HTMLEscapeString(d.x.URL(name)) + `"` + encoding + `>` +
		`<input type="hidden" name="` + markField + `" value="` + sealed + `">`), nil
}

// An Item is one of a list: what people read, and what programs call it, where that is something else.
type Item struct{ Text, Name string }

// List writes a list of items. A range in a template would take a tenth of a page's processor time for 30 of
// them (deploy/bench).
func (*pageData) List(items []Item) template.HTML {
	var b strings.Builder
	const usualItem = 64
	b.Grow(usualItem * (1 + len(items)))
	b.WriteString(`<ul class="list">` + "\n")
	for _, item := range items {
		b.WriteString("<li><bdi")
		if item.Name != "" {
			b.WriteString(` title="` + template.HTMLEscapeString(item.Name) + `"`)
		}
		b.WriteString(">" + template.HTMLEscapeString(item.Text) + "</bdi></li>\n")
	}
	b.WriteString("</ul>")
	return template.HTML(b.String())
}

// JSON returns the value as indented JSON.
func (d *pageData) JSON() (string, error) {
	b, err := json.MarshalIndent(d.Value, "", "  ")
	return string(b), err
}

func (x *exchange) render(b *bytes.Buffer, v *View, d *pageData) error {
	d.x, d.Style, d.Script = x, styleHTML, scriptHTML
	d.Title, d.Value, d.Home, d.Known = cmp.Or(v.title, x.f.Title), v.value, x.home, x.known
	if x.grant != nil {
		d.SignedIn, d.Email, d.Switched = true, x.grant.Email, x.session.JustSwitched(x.now())
	}
	t, err := v.page.template()
	if err != nil {
		return err
	}
	return t.Execute(b, d)
}

// AsUser returns a link to a page of Google's own that opens it for the signed-in account, and not for the
// first one that the browser knows.
func (d *pageData) AsUser(link string) string {
	u, err := url.Parse(link)
	if err != nil || d.Email == "" {
		return link
	}
	q := u.Query()
	q.Set("authuser", d.Email)
	u.RawQuery = q.Encode()
	return u.String()
}
