package createfile

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

const ada = "ada@example.com"

// A user has a Drive.
type user struct {
	*testing.T
	*fakegoogle.Server
	client *http.Client
}

func newUser(t *testing.T) *user {
	t.Helper()
	fake := fakegoogle.New(fakegoogle.Options{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return &user{t, fake, fake.UserClient(server.URL, ada, drive.DriveFileScope)}
}

// call is one to the function with name, value pairs as its fields, and a file or nil.
func (u *user) call(upload *httpfunc.File, pairs ...string) *httpfunc.Call {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return &httpfunc.Call{
		Request: httptest.NewRequest("GET", "/createfile", nil), Client: u.client, User: httpfunc.User{Email: ada},
		Form: &httpfunc.Form{Fields: httpfunc.Fields{Values: values}, File: upload},
	}
}

// id is a fresh one, as the form brings it.
func (u *user) id() string {
	u.Helper()
	view, err := form(u.call(nil))
	if err != nil {
		u.Fatal(err)
	}
	return view.Value().(httpfunc.Fields).Get("id")
}

func valueOf(view *httpfunc.View, err error) (file, error) {
	if err != nil {
		return file{}, err
	}
	return view.Value().(file), nil
}

func (u *user) create(upload *httpfunc.File, pairs ...string) (file, error) {
	return valueOf(create(u.call(upload, pairs...)))
}

func (u *user) mustCreate(upload *httpfunc.File, pairs ...string) file {
	u.Helper()
	made, err := u.create(upload, pairs...)
	if err != nil {
		u.Fatal(err)
	}
	return made
}

// only is the one file there is.
func (u *user) only() fakegoogle.File {
	u.Helper()
	files := u.Files(ada)
	if len(files) != 1 {
		u.Fatalf("%d files, want 1", len(files))
	}
	return files[0]
}

// held is a file part that is in memory, streamed one that is read as it arrives.
func held(name, mimeType, content string) *httpfunc.File {
	return &httpfunc.File{Reader: strings.NewReader(content), Name: name, Type: mimeType, Held: true}
}

func streamed(content io.Reader) *httpfunc.File {
	return &httpfunc.File{Reader: content, Name: "a.txt", Type: "text/plain"}
}

// large is more than is held.
var large = strings.Repeat("0123456789abcde\n", 4<<20/16)

// wantInvalid checks that err tells the person what to mend.
func wantInvalid(t *testing.T, err error, says string) {
	t.Helper()
	var e *httpfunc.Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest || !strings.Contains(e.Message, says) {
		t.Errorf("got %#v, want an Error of status 400 that says %q", err, says)
	}
}

func TestForm(t *testing.T) {
	t.Run("brings a fresh id and makes nothing", func(t *testing.T) {
		u := newUser(t)
		if a, b := u.id(), u.id(); a == "" || a == b {
			t.Errorf("ids %q and %q", a, b)
		}
		if n := len(u.Files(ada)); n != 0 {
			t.Errorf("%d files", n)
		}
	})
	t.Run("takes its fields from a link, but no id", func(t *testing.T) {
		view, err := form(newUser(t).call(nil, "id", "1abc", "name", "a.txt", "content", "", "mime_type", "text/html"))
		if err != nil {
			t.Fatal(err)
		}
		got := view.Value().(httpfunc.Fields).Values
		if _, text := got["content"]; got.Get("name") != "a.txt" || got.Get("id") == "1abc" || !text || len(got) != 3 {
			t.Errorf("%v", got)
		}
	})
	t.Run("fails as Google does", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/drive/v3/files/generateIds", 1, fakegoogle.Failure{Status: 503})
		if _, err := form(u.call(nil)); !httpfunc.IsStatus(err, 503) {
			t.Error(err)
		}
	})
}

// A browser that posted finds what was created at an address that it can load again.
func TestMade(t *testing.T) {
	t.Run("shows the file as often as it is asked for, and creates none", func(t *testing.T) {
		u := newUser(t)
		want := u.mustCreate(nil, "name", "a.txt", "content", "Hello")
		for range 2 {
			if got, err := valueOf(form(u.call(nil, "made", want.ID))); err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		}
		u.only()
	})
	for name, c := range map[string]struct {
		remove func(u *user, id string)
		says   string
	}{
		"says that a file is in the trash":  {func(u *user, id string) { u.TrashFile(ada, id) }, "in the trash now"},
		"says that a file is gone for good": {func(u *user, id string) { u.DeleteFile(ada, id) }, "deleted since"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			made := u.mustCreate(nil, "name", "a.txt")
			c.remove(u, made.ID)
			_, err := form(u.call(nil, "made", made.ID))
			wantInvalid(t, err, c.says)
		})
	}
}

func TestCreateTakes(t *testing.T) {
	for name, tt := range map[string]struct {
		upload         *httpfunc.File
		fields         []string
		name, mimeType string
	}{
		"text under a name and type":                     {nil, []string{"name", " a.csv ", "content", "Hello", "mime_type", "text/csv"}, "a.csv", "text/csv"},
		"text under a name":                              {nil, []string{"name", "a.txt", "content", "Hello"}, "a.txt", "text/plain"},
		"text in place of a file that was chosen before": {nil, []string{"name", "a.txt", "content", "Hello", "chosen", "b.txt"}, "a.txt", "text/plain"},
		"a file, which brings its name and type": {held("über.csv", "text/csv; charset=utf-8", "Hello"),
			[]string{"name", "", "content", " \r\n\t"}, "über.csv", "text/csv; charset=utf-8"},
		"a file under another name and type": {held("a.bin", "application/octet-stream", "Hello"),
			[]string{"name", "b.txt", "mime_type", "text/plain"}, "b.txt", "text/plain"},
		"a file of no type":                            {held("a", "", "Hello"), nil, "a", "application/octet-stream"},
		"a name, and not what nobody sees at its ends": {nil, []string{"name", "\ufeff\u202ea\u200bb.txt\u202c\u00ad", "content", "Hello"}, "a\u200bb.txt", "text/plain"},
		"a file's name likewise":                       {held("\u200b a.txt\u200b", "text/plain", "Hello"), []string{"name", "\u200b"}, "a.txt", "text/plain"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			made := u.mustCreate(tt.upload, append(tt.fields, "id", id)...)
			f := u.only()
			if f.ID != id || f.Name != tt.name || f.MimeType != tt.mimeType || string(f.Content) != "Hello" {
				t.Errorf("%+v", f)
			}
			if want := (file{id, f.Link(), tt.name}); made != want {
				t.Errorf("answer %+v, want %+v", made, want)
			}
		})
	}
	t.Run("no content at all", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(nil, "name", "empty.txt")
		if f := u.only(); f.Size != 0 || f.Name != "empty.txt" {
			t.Errorf("%+v", f)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(nil, "name", "a", "mime_type", "application/vnd.google-apps.folder")
		u.only()
	})
}

func TestCreateOnce(t *testing.T) {
	for name, upload := range map[string]func() *httpfunc.File{
		"a small file": func() *httpfunc.File { return held("a.txt", "text/plain", "Hello") },
		"a large file": func() *httpfunc.File { return streamed(strings.NewReader(large)) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			first := u.mustCreate(upload(), "id", id)
			again := u.mustCreate(upload(), "id", id)
			if first != again {
				t.Errorf("answers %+v and %+v", first, again)
			}
			want, _ := io.Copy(io.Discard, upload())
			if f := u.only(); f.Size != want {
				t.Errorf("%d bytes, want %d", f.Size, want)
			}
		})
		t.Run(name+" whose reply is lost", func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			u.Fail("/upload/", 1, fakegoogle.Failure{Drop: true})
			if _, err := u.create(upload(), "id", id); err == nil {
				t.Fatal("the reply was not lost")
			}
			made := u.mustCreate(upload(), "id", id)
			if f := u.only(); made.ID != f.ID || made.Link != f.Link() {
				t.Errorf("%+v, want %+v", made, f)
			}
		})
		t.Run(name+" that is in the trash since", func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			u.mustCreate(upload(), "id", id)
			u.TrashFile(ada, id)
			_, err := u.create(upload(), "id", id)
			wantInvalid(t, err, "in the trash now")
			u.only()
		})
	}
	t.Run("a large file that exists is not sent again", func(t *testing.T) {
		u := newUser(t)
		id := u.id()
		u.mustCreate(streamed(strings.NewReader(large)), "id", id)
		u.ResetCalls()
		u.mustCreate(streamed(strings.NewReader(large)), "id", id)
		if sent, asked := u.Calls("/upload/"), u.Calls("/drive/v3/files/"+id); sent != 0 || asked != 1 {
			t.Errorf("sent %d times, asked for %d times; want 0 and 1", sent, asked)
		}
	})
}

// spy looks at a request before it goes out.
type spy struct {
	next http.RoundTripper
	look func(*http.Request)
}

func (s spy) RoundTrip(r *http.Request) (*http.Response, error) {
	s.look(r)
	return s.next.RoundTrip(r)
}

// counter counts what was read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestCreateSends(t *testing.T) {
	t.Run("a large file as it comes", func(t *testing.T) {
		u := newUser(t)
		read := &counter{Reader: strings.NewReader(large)}
		id, uploads := u.id(), 0
		u.client.Transport = spy{u.client.Transport, func(r *http.Request) {
			if r.Method == "POST" {
				uploads++
				if read.n > 1<<20 {
					t.Errorf("%d bytes were read before the upload began", read.n)
				}
				if r.GetBody != nil {
					t.Error("the body can be had again: it was held")
				}
			}
		}}
		u.mustCreate(streamed(read), "id", id)
		if f := u.only(); f.Size != int64(len(large)) || uploads != 1 {
			t.Errorf("%d bytes in %d uploads", f.Size, uploads)
		}
	})
	for text, upload := range map[string]*httpfunc.File{"": held("a.txt", "text/plain", "Hello"), "Hello": nil} {
		t.Run(fmt.Sprintf("what is held, text %q, so that it can be sent again", text), func(t *testing.T) {
			u := newUser(t)
			u.client.Transport = spy{u.client.Transport, func(r *http.Request) {
				if _, ok := r.Header["X-Idempotency-Key"]; r.Method == "POST" && (!ok || r.GetBody == nil) {
					t.Errorf("harmless to repeat: %t, body can be had again: %t", ok, r.GetBody != nil)
				}
			}}
			u.mustCreate(upload, "name", "a.txt", "content", text)
			u.only()
		})
	}
	t.Run("no end of a file that breaks off", func(t *testing.T) {
		for _, at := range []int{1000, 2 << 20} {
			u := newUser(t)
			u.client.Transport = spy{u.client.Transport, func(r *http.Request) {
				if r.Method != "POST" {
					return
				}
				var broken *httpfunc.Error
				if sent, err := io.ReadAll(r.Body); !errors.As(err, &broken) {
					t.Errorf("%d bytes were sent, and then %v, not the fault of the form", len(sent), err)
				}
			}}
			broken := io.MultiReader(strings.NewReader(large[:at]), iotest.ErrReader(httpfunc.Invalid("The body is malformed.")))
			_, err := u.create(streamed(broken))
			wantInvalid(t, err, "malformed")
			if n := len(u.Files(ada)); n != 0 {
				t.Errorf("made %d files", n)
			}
		}
	})
	t.Run("a MIME type of one line", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(nil, "name", "a.txt", "content", "Hello", "mime_type", "text/plain;\r\n\r\nb=c")
		if f := u.only(); f.MimeType != "text/plain; b=c" || string(f.Content) != "Hello" {
			t.Errorf("%q %q", f.MimeType, f.Content)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		fields []string
		says   string
	}{
		"no name":                         {[]string{"name", " ", "content", "Hello"}, "name"},
		"a name that nobody sees":         {[]string{"name", "\u200b\u2067\u2069\ufeff", "content", "Hello"}, "name"},
		"a document of Google's own kind": {[]string{"name", "a", "mime_type", "application/vnd.google-apps.document"}, "Google's own kinds"},
		"such a document under an id, and in other words": {[]string{"name", "a", "mime_type", "Application/VND.google-apps.Spreadsheet; charset=utf-8", "id", "abc"}, "Google's own kinds"},
		"a long name":      {[]string{"name", strings.Repeat("a", maxName+1)}, "1,024"},
		"a malformed id":   {[]string{"name", "a", "id", "../a"}, "id"},
		"an id of another": {[]string{"name", "a", "id", "1abc"}, "id"},
		"a MIME type":      {[]string{"name", "a", "mime_type", "text/"}, "MIME"},
		"a long MIME type": {[]string{"name", "a", "mime_type", "text/" + strings.Repeat("a", maxMIMEType)}, "MIME"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			_, err := u.create(nil, tt.fields...)
			wantInvalid(t, err, tt.says)
			if n := len(u.Files(ada)); n != 0 {
				t.Errorf("made %d files", n)
			}
		})
	}
	t.Run("a long MIME type without reading it", func(t *testing.T) {
		var long strings.Builder
		long.WriteString("text/plain")
		for i := range 10_000 {
			fmt.Fprintf(&long, ";a%d*0=b", i)
		}
		f := &httpfunc.Form{Fields: httpfunc.Fields{Values: url.Values{"name": {"a"}, "mime_type": {long.String()}}}}
		if n := testing.AllocsPerRun(1, func() { readUpload(f) }); n > 100 {
			t.Errorf("%.0f allocations", n)
		}
	})
	for name, upload := range map[string]*httpfunc.File{"a file": held("a.txt", "text/plain", "Hello"), "a large file": streamed(strings.NewReader(large))} {
		t.Run("text beside "+name, func(t *testing.T) {
			u := newUser(t)
			_, err := u.create(upload, "name", "a", "content", "\n and this")
			wantInvalid(t, err, "There is a text beside the file")
			if n := u.Calls("/"); n != 0 {
				t.Errorf("Google was called %d times", n)
			}
		})
	}
	t.Run("an id that was used up", func(t *testing.T) {
		u := newUser(t)
		id := u.id()
		u.mustCreate(nil, "id", id, "name", "a")
		u.DeleteFile(ada, id)
		_, err := u.create(nil, "id", id, "name", "a")
		wantInvalid(t, err, "Open the form again")
	})
}

func TestCreatePassesOnGooglesRefusal(t *testing.T) {
	for name, upload := range map[string]*httpfunc.File{"a small file": held("a.txt", "", "Hello"), "a large file": streamed(strings.NewReader(large))} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			u.Fail("/upload/", 1, fakegoogle.Failure{Status: http.StatusForbidden, Reason: "storageQuotaExceeded"})
			_, err := u.create(upload, "id", id)
			var e *googleapi.Error
			if !errors.As(err, &e) || e.Code != http.StatusForbidden || e.Errors[0].Reason != "storageQuotaExceeded" {
				t.Error(err)
			}
		})
	}
}

type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}

// A success that names no file must not pass for one.
func TestAnswerWithoutAFile(t *testing.T) {
	for _, answer := range []string{`{}`, `{"id":""}`, `{"ids":[null]}`, `{"ids":[]}`} {
		u := newUser(t)
		u.client.Transport = answering(answer)
		if made, err := u.create(nil, "id", "1abc", "name", "a.txt"); !errors.Is(err, httpfunc.ErrBadAnswer) {
			t.Errorf("%s: created %+v, %v", answer, made, err)
		}
		if view, err := form(u.call(nil)); !errors.Is(err, httpfunc.ErrBadAnswer) {
			t.Errorf("%s: form %+v, %v", answer, view, err)
		}
	}
}

// The API client may read on after an upload has failed, and the request's body ends with the request.
func TestContentIsNotReadAfterTheUpload(t *testing.T) {
	s := &source{content: strings.NewReader("text")}
	s.stop()
	if n, err := s.Read(make([]byte, 4)); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%d, %v", n, err)
	}
}
