package createfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

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

// id is a fresh one, as the form brings it.
func (u *user) id() string {
	u.Helper()
	value, err := form(httptest.NewRequest("GET", "/createfile", nil), u.client)
	if err != nil {
		u.Fatal(err)
	}
	return value.(*httpfunc.View).Value().(fields).ID
}

func (u *user) create(contentType string, body io.Reader) (*file, error) {
	r := httptest.NewRequest("POST", "/createfile", body)
	r.Header.Set("Content-Type", contentType)
	value, err := create(r, u.client)
	if err != nil {
		return nil, err
	}
	return value.(*httpfunc.View).Value().(*file), nil
}

func (u *user) mustCreate(contentType string, body io.Reader) *file {
	u.Helper()
	made, err := u.create(contentType, body)
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

func asJSON(members map[string]any) (contentType string, body io.Reader) {
	b, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return "application/json", bytes.NewReader(b)
}

func asForm(pairs ...string) (contentType string, body io.Reader) {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return "application/x-www-form-urlencoded", strings.NewReader(values.Encode())
}

// asMultipart is a form with a file part last, unless fileName is empty.
func asMultipart(fileName, fileType, content string, pairs ...string) (contentType string, body io.Reader) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w.WriteField(pairs[i], pairs[i+1])
	}
	if fileName != "" {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, fileName)},
			"Content-Type":        {fileType},
		})
		if err != nil {
			panic(err)
		}
		io.WriteString(part, content)
	}
	w.Close()
	return w.FormDataContentType(), &b
}

// large is more than is held.
var large = strings.Repeat("0123456789abcde\n", 4<<20/16)

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
	t.Run("comes again with id and fields, and without Google", func(t *testing.T) {
		u := newUser(t)
		contentType, body := asForm("id", "1abc", "name", "a.txt", "content", "Hello")
		r := httptest.NewRequest("POST", "/createfile", body)
		r.Header.Set("Content-Type", contentType)
		value, err := form(r, u.client)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := value.(*httpfunc.View).Value(), (fields{"1abc", "a.txt", "Hello"}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if n := u.Calls("/"); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
	t.Run("fails as Google does", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/drive/v3/files/generateIds", 1, fakegoogle.Failure{Status: 503})
		_, err := form(httptest.NewRequest("GET", "/createfile", nil), u.client)
		if !httpfunc.IsStatus(err, 503) {
			t.Error(err)
		}
	})
}

func TestCreateTakes(t *testing.T) {
	for name, tt := range map[string]struct {
		send           func(id string) (string, io.Reader)
		name, mimeType string
	}{
		"JSON": {func(id string) (string, io.Reader) {
			return asJSON(map[string]any{"id": id, "name": " a.csv ", "content": "Hello", "mime_type": "text/csv"})
		}, "a.csv", "text/csv"},
		"an urlencoded form": {func(id string) (string, io.Reader) {
			return asForm("id", id, "name", "a.txt", "content", "Hello")
		}, "a.txt", "text/plain"},
		"a multipart form without a file": {func(id string) (string, io.Reader) {
			return asMultipart("", "", "", "id", id, "name", "a.txt", "content", "Hello")
		}, "a.txt", "text/plain"},
		"a file, which brings its name and type": {func(id string) (string, io.Reader) {
			return asMultipart("über.csv", "text/csv; charset=utf-8", "Hello", "id", id, "name", "", "content", "not this")
		}, "über.csv", "text/csv; charset=utf-8"},
		"a file under another name and type": {func(id string) (string, io.Reader) {
			return asMultipart("a.bin", "application/octet-stream", "Hello", "id", id, "name", "b.txt", "mime_type", "text/plain")
		}, "b.txt", "text/plain"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			made := u.mustCreate(tt.send(id))
			f := u.only()
			if f.ID != id || f.Name != tt.name || f.MimeType != tt.mimeType || string(f.Content) != "Hello" {
				t.Errorf("%+v", f)
			}
			if want := (file{id, f.Link(), tt.name}); *made != want {
				t.Errorf("answer %+v, want %+v", *made, want)
			}
		})
	}
	t.Run("no content at all", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(asForm("name", "empty.txt"))
		if f := u.only(); f.Size != 0 || f.Name != "empty.txt" {
			t.Errorf("%+v", f)
		}
	})
}

func TestCreateOnce(t *testing.T) {
	for name, content := range map[string]string{"a small file": "Hello", "one of the size that is held": large[:maxHeld], "a large file": large} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			first := u.mustCreate(asMultipart("a.txt", "text/plain", content, "id", id))
			again := u.mustCreate(asMultipart("a.txt", "text/plain", content, "id", id))
			if *first != *again {
				t.Errorf("answers %+v and %+v", first, again)
			}
			if f := u.only(); f.Size != int64(len(content)) {
				t.Errorf("%d bytes, want %d", f.Size, len(content))
			}
		})
		t.Run(name+" whose reply is lost", func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			u.Fail("/upload/", 1, fakegoogle.Failure{Drop: true})
			if _, err := u.create(asMultipart("a.txt", "text/plain", content, "id", id)); err == nil {
				t.Fatal("the reply was not lost")
			}
			made := u.mustCreate(asMultipart("a.txt", "text/plain", content, "id", id))
			if f := u.only(); made.ID != f.ID || made.Link != f.Link() {
				t.Errorf("%+v, want %+v", made, f)
			}
		})
	}
	t.Run("a large file that exists is not sent again", func(t *testing.T) {
		u := newUser(t)
		id := u.id()
		u.mustCreate(asMultipart("a.txt", "text/plain", large, "id", id))
		u.ResetCalls()
		u.mustCreate(asMultipart("a.txt", "text/plain", large, "id", id))
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
		contentType, body := asMultipart("a.txt", "text/plain", large, "id", u.id())
		read := &counter{Reader: body}
		uploads := 0
		u.client.Transport = spy{u.client.Transport, func(r *http.Request) {
			if r.Method == "POST" {
				uploads++
				if read.n > 2*maxHeld {
					t.Errorf("%d bytes were read before the upload began", read.n)
				}
				if r.GetBody != nil {
					t.Error("the body can be had again: it was held")
				}
			}
		}}
		u.mustCreate(contentType, read)
		if f := u.only(); f.Size != int64(len(large)) || uploads != 1 {
			t.Errorf("%d bytes in %d uploads", f.Size, uploads)
		}
	})
	t.Run("a small file so that it can be sent again", func(t *testing.T) {
		u := newUser(t)
		u.client.Transport = spy{u.client.Transport, func(r *http.Request) {
			if _, ok := r.Header["X-Idempotency-Key"]; r.Method == "POST" && (!ok || r.GetBody == nil) {
				t.Errorf("harmless to repeat: %t, body can be had again: %t", ok, r.GetBody != nil)
			}
		}}
		u.mustCreate(asForm("name", "a.txt", "content", large[:maxHeld]))
		u.only()
	})
	t.Run("no end of a file that breaks off", func(t *testing.T) {
		u := newUser(t)
		contentType, body := asMultipart("a.txt", "text/plain", large, "id", u.id())
		u.client.Transport = spy{u.client.Transport, func(r *http.Request) {
			if r.Method != "POST" {
				return
			}
			var broken *httpfunc.Error
			if sent, err := io.ReadAll(r.Body); !errors.As(err, &broken) {
				t.Errorf("%d bytes were sent, and then %v, not the fault of the form", len(sent), err)
			}
		}}
		if _, err := u.create(contentType, io.LimitReader(body, 2<<20)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a MIME type of one line", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(asJSON(map[string]any{"name": "a.txt", "content": "Hello", "mime_type": "text/plain;\r\n\r\nb=c"}))
		if f := u.only(); f.MimeType != "text/plain; b=c" || string(f.Content) != "Hello" {
			t.Errorf("%q %q", f.MimeType, f.Content)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	cut := func(n int) func() (string, io.Reader) {
		return func() (string, io.Reader) {
			contentType, body := asMultipart("a.txt", "text/plain", large)
			return contentType, io.LimitReader(body, int64(n))
		}
	}
	for name, tt := range map[string]struct {
		send func() (string, io.Reader)
		says string
	}{
		"no name":          {func() (string, io.Reader) { return asForm("name", " ", "content", "Hello") }, "name"},
		"a long name":      {func() (string, io.Reader) { return asForm("name", strings.Repeat("a", maxName+1)) }, "1,024"},
		"a malformed id":   {func() (string, io.Reader) { return asForm("name", "a", "id", "../a") }, "id"},
		"an id of another": {func() (string, io.Reader) { return asForm("name", "a", "id", "1abc") }, "id"},
		"a MIME type":      {func() (string, io.Reader) { return asForm("name", "a", "mime_type", "text/") }, "MIME"},
		"a long MIME type": {func() (string, io.Reader) {
			return asForm("name", "a", "mime_type", "text/"+strings.Repeat("a", maxMIMEType))
		}, "MIME"},
		"JSON cut short":     {func() (string, io.Reader) { return "application/json", strings.NewReader(`{"name":"a`) }, "malformed"},
		"a file cut early":   {cut(1000), "malformed"},
		"a file cut halfway": {cut(2 << 20), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			_, err := u.create(tt.send())
			var e *httpfunc.Error
			if !errors.As(err, &e) || e.Status != http.StatusBadRequest || !strings.Contains(e.Message, tt.says) {
				t.Errorf("got %v, want an Error of status 400 that says %q", err, tt.says)
			}
			if n := len(u.Files(ada)); n != 0 {
				t.Errorf("made %d files", n)
			}
		})
	}
	t.Run("an id that was used up", func(t *testing.T) {
		u := newUser(t)
		id := u.id()
		u.mustCreate(asForm("id", id, "name", "a"))
		u.Fail("/drive/v3/files/"+id, 1, fakegoogle.Failure{Status: http.StatusNotFound})
		_, err := u.create(asForm("id", id, "name", "a"))
		var e *httpfunc.Error
		if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
			t.Error(err)
		}
	})
}

func TestCreatePassesOnGooglesRefusal(t *testing.T) {
	for name, content := range map[string]string{"a small file": "Hello", "a large file": large} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			id := u.id()
			u.Fail("/upload/", 1, fakegoogle.Failure{Status: http.StatusForbidden, Reason: "storageQuotaExceeded"})
			_, err := u.create(asMultipart("a.txt", "text/plain", content, "id", id))
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
	for _, answer := range []string{`null`, `{}`, `{"id":""}`, `{"ids":[null]}`, `{"ids":[]}`} {
		u := newUser(t)
		u.client.Transport = answering(answer)
		if made, err := u.create(asForm("id", "1abc", "name", "a.txt")); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: created %+v, %v", answer, made, err)
		}
		if value, err := form(httptest.NewRequest("GET", "/createfile", nil), u.client); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: form %+v, %v", answer, value, err)
		}
	}
}
