package httpfunc

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A notes function does what is posted, and remembers for whom.
type notes struct {
	*handler
	done []string
}

var notesPage = NewPage("Make a note", `{{.Form}}<input name="id" value="{{.Value.Get "id"}}"><input name="text" value="{{.Value.Get "text"}}"></form>`)

func newNotes() *notes {
	n := &notes{}
	n.handler = forUser(Function{
		Name: "notes", Title: "Make a note", Scopes: Scopes{{someScope}}, Form: notesPage,
		Get: func(c *Call) (*View, error) {
			if made := c.Form.Get("made"); made != "" {
				return ValuePage.View(made), nil
			}
			return notesPage.View(Fields{url.Values{"id": {"fresh"}}}), nil
		},
		Post: func(c *Call) (*View, error) {
			if c.Form.Get("text") == "" {
				return nil, Invalid("Write something.")
			}
			n.done = append(n.done, c.User.Email+": "+c.Form.Get("text"))
			return ValuePage.View("made").At("made", c.Form.Get("text")), nil
		},
	})
	return n
}

var markPattern = regexp.MustCompile(`<input type="hidden" name="form" value="([^"]+)">`)

// markOn returns the mark of the form on a page.
func markOn(t testing.TB, page string) string {
	t.Helper()
	found := markPattern.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no form in: %s", page)
	}
	return found[1]
}

// A form that was shown to one account is never carried out in another's (requirement 57).
func TestFormBelongsToWhomItWasShownTo(t *testing.T) {
	k := newKit(t)
	_, adas := k.grant(ada, someScope)
	_, graces := k.grant(grace, someScope)
	with := func(c *http.Cookie) []string { return []string{"Cookie", c.Name + "=" + c.Value} }
	shownTo := func(n *notes, c *http.Cookie) string {
		return markOn(t, k.serve(n.handler, request("GET", "/notes", "", with(c)...)).Body.String())
	}
	form := func(mark string) string {
		return url.Values{"form": {mark}, "id": {"adas-id"}, "text": {"a <b> note"}}.Encode()
	}
	post := func(n *notes, c *http.Cookie, mark string) (status int, page string, location string) {
		w := k.serve(n.handler, request("POST", "/notes", form(mark), with(c)...))
		return w.Code, w.Body.String(), w.Header().Get("Location")
	}
	done := func(t *testing.T, n *notes, want ...string) {
		t.Helper()
		if strings.Join(n.done, ", ") != strings.Join(want, ", ") {
			t.Errorf("done: %q, want %q", n.done, want)
		}
	}

	t.Run("and is done for them, with a page that can be loaded again", func(t *testing.T) {
		n := newNotes()
		status, _, location := post(n, adas, shownTo(n, adas))
		if status != http.StatusSeeOther || location != baseURL+"/notes?made=a+%3Cb%3E+note" {
			t.Errorf("%d %s", status, location)
		}
		done(t, n, ada+": a <b> note")
	})
	t.Run("and not done for another account, until that one sends it", func(t *testing.T) {
		n := newNotes()
		mark := shownTo(n, adas)
		for range 2 {
			status, page, _ := post(n, graces, mark)
			if status != http.StatusConflict || !strings.Contains(page, "This page was opened for <bdi>"+ada+"</bdi>") || !strings.Contains(page, "it is done for <bdi>"+grace+"</bdi>") ||
				!strings.Contains(page, `value="a &lt;b&gt; note"`) || strings.Contains(page, "adas-id") {
				t.Errorf("%d: %s", status, page)
			}
			done(t, n)
		}
		_, page, _ := post(n, graces, mark)
		if status, _, _ := post(n, graces, markOn(t, page)); status != http.StatusSeeOther {
			t.Errorf("sent again: %d", status)
		}
		done(t, n, grace+": a <b> note")
	})
	t.Run("and a session: one that began since is asked about once more", func(t *testing.T) {
		n := newNotes()
		mark := shownTo(n, adas)
		later := k.anew(ada)
		status, page, _ := post(n, later, mark)
		if status != http.StatusConflict || !strings.Contains(page, "You signed in anew after this page was opened") || !strings.Contains(page, "adas-id") {
			t.Errorf("%d: %s", status, page)
		}
		done(t, n)
		post(n, later, markOn(t, page))
		done(t, n, ada+": a <b> note")
	})
	t.Run("and stays theirs while consent is asked for, in any session of theirs", func(t *testing.T) {
		n := newNotes()
		mark := shownTo(n, adas)
		w := k.serve(n.handler, request("POST", "/notes", form(mark))) // signed out meanwhile
		want(t, w, http.StatusUnauthorized, "a &lt;b&gt; note", "adas-id")
		again := markOn(t, w.Body.String())
		if status, _, _ := post(n, graces, again); status != http.StatusConflict {
			t.Errorf("done for whoever signed in: %d", status)
		}
		done(t, n)
		if status, _, _ := post(n, k.anew(ada), again); status != http.StatusSeeOther {
			t.Errorf("%d", status)
		}
		done(t, n, ada+": a <b> note")
	})
	t.Run("and consent is given in another tab, which says to go back to the form", func(t *testing.T) {
		n := newNotes()
		w := k.serve(n.handler, request("POST", "/notes", form(shownTo(n, adas))))
		want(t, w, http.StatusUnauthorized, `href="`+baseURL+`/notes?consent=given" target="_blank"`)
		want(t, k.serve(n.handler, request("GET", "/notes?consent=given", "", with(adas)...)), http.StatusOK, "Go back to your form", ada)
		want(t, k.serve(n.handler, request("GET", "/notes?consent=given", "", append(with(adas), "Accept", jsonType)...)), http.StatusOK, `"id":"fresh"`)
		script := k.serve(n.handler, request("POST", "/notes", "text=x", "Accept", jsonType))
		want(t, script, http.StatusUnauthorized, `"consent_url":"`+baseURL+`/notes"`)
		done(t, n)
	})
	t.Run("and one that was shown to nobody is whoever's signs in", func(t *testing.T) {
		n := newNotes()
		w := k.serve(n.handler, request("POST", "/notes", "text=x"))
		want(t, w, http.StatusUnauthorized)
		if status, _, _ := post(n, graces, markOn(t, w.Body.String())); status != http.StatusSeeOther {
			t.Errorf("%d", status)
		}
		done(t, n, grace+": a <b> note")
	})
	t.Run("and a fault of what was typed shows it again", func(t *testing.T) {
		n := newNotes()
		w := k.serve(n.handler, request("POST", "/notes", url.Values{"form": {shownTo(n, adas)}, "id": {"adas-id"}}.Encode(), with(adas)...))
		want(t, w, http.StatusBadRequest, "Write something.", "adas-id", `role="alert"`)
		markOn(t, w.Body.String())
	})
	sealed := func(purpose string) string {
		s, err := k.config.Keyset.SealString(purpose, "", []byte(`{"o":"`+ada+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, mark := range map[string]string{"garbage": "garbage", "a value of another purpose": sealed("cookie"), "a mark that holds nothing": sealed("x")} {
		t.Run("and "+name+" is nobody's", func(t *testing.T) {
			n := newNotes()
			if status, page, _ := post(n, adas, mark); status != http.StatusConflict || !strings.Contains(page, "opened for another account") {
				t.Errorf("%d %s", status, page)
			}
			done(t, n)
		})
	}
	t.Run("and one without a mark is the developer's mistake", func(t *testing.T) {
		n := newNotes()
		w := k.serve(n.handler, request("POST", "/notes", "text=x", with(adas)...))
		want(t, w, http.StatusBadRequest, "{{.Form}}")
		done(t, n)
	})
	t.Run("and scripts of our origin need none, but what they bring counts", func(t *testing.T) {
		n := newNotes()
		script := append(with(adas), "Accept", jsonType)
		want(t, k.serve(n.handler, request("POST", "/notes", "text=x", script...)), http.StatusOK, `"made"`)
		want(t, k.serve(n.handler, request("POST", "/notes", form(shownTo(n, graces)), script...)), http.StatusConflict, `"error":"account_changed"`)
		done(t, n, ada+": x")
	})
	t.Run("and none is good for ever: it opens as long as its key does", func(t *testing.T) {
		n := newNotes()
		mark := shownTo(n, adas)
		defer func(at time.Time) { k.clock = at }(k.clock)
		k.clock = k.clock.Add(30 * time.Minute)
		if status, _, _ := post(n, adas, mark); status != http.StatusSeeOther {
			t.Errorf("%d", status)
		}
		k2 := newKit(t)
		_, others := k2.grant(ada, someScope)
		want(t, k2.serve(n.handler, request("POST", "/notes", form(mark), with(others)...)), http.StatusConflict)
	})
}
