package httpfunc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var faultyPage = NewPage("", `{{.Form}}<input {{.Field "a" "a-hint"}} value="{{.Value.Get "a"}}">{{.Fault "a"}}<input {{.Field "b"}}>{{.Fault "b"}}</form>`)

// faulty is a function that finds what is wrong with everything that is posted.
func faulty() *handler {
	return forUser(Function{
		Name: "faulty", Title: "Faulty", Scopes: Scopes{{someScope}}, Form: faultyPage,
		Get: func(*Call) (*View, error) { return faultyPage.View(Fields{}), nil },
		Post: func(c *Call) (*View, error) {
			var faults Faults
			faults.Add("a", `Write an "a" <b>.`)
			faults.Add("a", "This is the second of it.")
			faults.Add("gone", "It is on no page.")
			faults.Add("b", "Write a b.")
			return nil, faults.Err()
		},
	})
}

// A file that was chosen is remembered by its name, since no browser lets a page choose it again; also where its
// part was not read, as of somebody who is signed out.
func TestChosenFileIsRememberedByItsName(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	page := NewPage("", `{{.Form}}{{with .Chosen}}Choose <bdi>{{.}}</bdi> again.{{end}}</form>`)
	f := forUser(Function{Name: "files", Scopes: Scopes{{someScope}}, File: true, Form: page,
		Get:  func(*Call) (*View, error) { return page.View(Fields{}), nil },
		Post: func(*Call) (*View, error) { return nil, Invalid("Not this one.") }})
	mark := markOn(t, k.serve(f, request("GET", "/files", "", "Cookie", c.Name+"="+c.Value)).Body.String())
	for name, tt := range map[string]struct {
		cookie, name string
		status       int
		says         string
	}{
		"of somebody who is signed in":  {c.Name + "=" + c.Value, `C:\notes <b>.txt`, 400, "Choose <bdi>notes &lt;b&gt;.txt</bdi> again."},
		"of somebody who is signed out": {"", "notes.txt", 401, "Choose <bdi>notes.txt</bdi> again."},
		"as far as it can be shown":     {"", strings.Repeat("ü", 300), 401, "<bdi>" + strings.Repeat("ü", maxNameSize/2) + "</bdi>"},
	} {
		t.Run(name, func(t *testing.T) {
			w := k.serve(f, request("POST", "/files", field("form", mark)+file(tt.name, "x")+end, "Cookie", tt.cookie, "Content-Type", multi))
			want(t, w, tt.status, tt.says)
		})
	}
	want(t, k.serve(f, request("POST", "/files", field("form", mark)+file("", "")+end, "Content-Type", multi)), 401)
}

func TestFaults(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	cookie := c.Name + "=" + c.Value
	fresh := k.serve(faulty(), request("GET", "/faulty", "", "Cookie", cookie))
	t.Run("leave a form alone that has none", func(t *testing.T) {
		want(t, fresh, http.StatusOK, `<input aria-describedby="a-hint" id="a" name="a" value="">`, `<input id="b" name="b">`)
		if page := shown(fresh); strings.Contains(page, `class="fault"`) || strings.Contains(page, "autofocus") {
			t.Error(page)
		}
	})
	form := url.Values{"form": {markOn(t, fresh.Body.String())}, "a": {"typed"}}.Encode()
	t.Run("stand beside their fields, all at once, with the focus on the first", func(t *testing.T) {
		w := k.serve(faulty(), request("POST", "/faulty", form, "Cookie", cookie))
		want(t, w, http.StatusBadRequest,
			`<input aria-invalid="true" autofocus aria-describedby="a-fault a-hint" id="a" name="a" value="typed"><p class="fault" id="a-fault">Write an &#34;a&#34; &lt;b&gt;.</p>`,
			`<input aria-invalid="true" aria-describedby="b-fault" id="b" name="b"><p class="fault" id="b-fault">Write a b.</p>`,
			`<a href="#b">Write a b.</a>`, "It is on no page.")
		if page := shown(w); strings.Count(page, "autofocus") != 1 || strings.Contains(page, "second") {
			t.Error(page)
		}
	})
	t.Run("are told to a program by field", func(t *testing.T) {
		w := k.serve(faulty(), request("POST", "/faulty", form, "Cookie", cookie, "Accept", jsonType))
		want(t, w, http.StatusBadRequest, `"error":"invalid_request","message":"Write an \"a\" \u003cb\u003e. It is on no page. Write a b."`,
			`"fields":{"a":"Write an \"a\" \u003cb\u003e.","b":"Write a b.","gone":"It is on no page."}`)
	})
	t.Run("are no error where there are none", func(t *testing.T) {
		if err := (Faults{}).Err(); err != nil {
			t.Error(err)
		}
		var own *Error
		if err := (Faults{{"a", "A."}}).Err(); !errors.As(err, &own) || own.Message != "A." {
			t.Error(err)
		}
	})
}
