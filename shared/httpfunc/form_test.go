package httpfunc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/tokenstore"
)

const (
	urlencoded = "application/x-www-form-urlencoded"
	jsonType   = "application/json"
	multi      = "multipart/form-data; boundary=X"
)

var (
	texts = &handler{Function: Function{Name: "texts"}}
	files = &handler{Function: Function{Name: "files", File: true, Text: 2 << 20}}
)

// post reads a body as a stranger's.
func (k *kit) post(h *handler, contentType string, body io.Reader) (*Form, error) {
	return k.postOf(nil, h, contentType, body)
}

// postOf reads a body as one of whoever has the grant.
func (k *kit) postOf(g *tokenstore.Grant, h *handler, contentType string, body io.Reader) (*Form, error) {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.Header.Set("Content-Type", contentType)
	x := &exchange{App: k.App, f: h, w: httptest.NewRecorder(), r: r, grant: g, memory: reserve{of: k.bodies}}
	defer x.memory.release()
	err := x.read()
	return x.form, err
}

// field and file write parts of a multipart form.
func field(name, value string) string {
	return "--X\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func file(name, content string) string {
	return "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\nContent-Type: text/plain\r\n\r\n" + content + "\r\n"
}

const end = "--X--\r\n"

// refused fails unless err is answered with the status and says the text.
func refused(t testing.TB, err error, status int, says string) {
	t.Helper()
	p := (&exchange{App: &App{now: time.Now, config: &config.Config{}}}).problemOf(cmpError(err))
	if p.status != status || !strings.Contains(p.text, says) {
		t.Errorf("%v: %d %q, want %d and %q", err, p.status, p.text, status, says)
	}
}

// cmpError keeps problemOf from being asked about success.
func cmpError(err error) error {
	if err == nil {
		return &Error{Status: http.StatusOK, Message: "no error"}
	}
	return err
}

func TestForm(t *testing.T) {
	k := newKit(t)
	for name, tt := range map[string]struct {
		contentType, body string
		want              url.Values
	}{
		"urlencoded": {urlencoded, "a=x+y&b=%C3%A9&a=2&c=&d", url.Values{"a": {"x y", "2"}, "b": {"é"}, "c": {""}, "d": {""}}},
		"urlencoded as browsers write it: a semicolon and a lone % are text": {urlencoded, "a=1;b=2&c=100%&d=%zz%4&e=%4a%",
			url.Values{"a": {"1;b=2"}, "c": {"100%"}, "d": {"%zz%4"}, "e": {"J%"}}},
		"urlencoded with nothing between":                    {urlencoded, "&&a=1&&", url.Values{"a": {"1"}}},
		"urlencoded with the first line of a textarea empty": {urlencoded + "; charset=UTF-8", "a=%0D%0Asecond", url.Values{"a": {"\r\nsecond"}}},
		"JSON":                     {jsonType, ` {"a" : "x\n\u00e9" , "b":"","c":null} `, url.Values{"a": {"x\né"}, "b": {""}, "c": {}}},
		"JSON of other kinds":      {jsonType, `{"n":1e3,"i":-7,"big":12345678901234567890,"t":true,"f":false}`, url.Values{"n": {"1e3"}, "i": {"-7"}, "big": {"12345678901234567890"}, "t": {"true"}, "f": {"false"}}},
		"JSON with lists":          {jsonType, `{"l":["x",2,null,true],"e":[]}`, url.Values{"l": {"x", "2", "true"}, "e": {}}},
		"JSON without members":     {jsonType, `{}`, url.Values{}},
		"JSON behind a BOM":        {jsonType + "; charset=utf-8", "\ufeff{\"a\":\"\ufeffx\"}", url.Values{"a": {"\ufeffx"}}},
		"JSON with all of Unicode": {jsonType, `{"a":"` + strings.Repeat("é茶😀\ufffd", 2000) + `"}`, url.Values{"a": {strings.Repeat("é茶😀\ufffd", 2000)}}},
		"multipart": {multi, field("a", "x y") + field("b", "\r\nsecond") + field("a", "2") + field("c", "") + end,
			url.Values{"a": {"x y", "2"}, "b": {"\r\nsecond"}, "c": {""}}},
		"multipart without a choice of file": {multi, field("a", "1") + file("", "") + field("b", "2") + end, url.Values{"a": {"1"}, "b": {"2"}}},
		"multipart with text around it":      {multi, "before\r\n" + field("a", "1") + end + "after", url.Values{"a": {"1"}}},
		"the mark of our own form":           {urlencoded, "a=1&form=mark", url.Values{"a": {"1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			form, err := k.post(texts, tt.contentType, strings.NewReader(tt.body))
			if err != nil || !reflect.DeepEqual(form.Values, tt.want) || form.File != nil {
				t.Errorf("%.100q, %v, want %.100q", form.Values, err, tt.want)
			}
		})
	}
	t.Run("a program sees the first value of each field", func(t *testing.T) {
		b, err := json.Marshal(Fields{url.Values{"a": {"1", "2"}, "b": {""}}})
		if string(b) != `{"a":"1","b":""}` || err != nil {
			t.Errorf("%s, %v", b, err)
		}
		if joined := (Fields{url.Values{"a": {"1", "2"}}}).Joined("a"); joined != "1\n2" {
			t.Error(joined)
		}
	})
	t.Run("a GET brings its query, read as browsers write it", func(t *testing.T) {
		x := &exchange{App: k.App, f: texts, r: httptest.NewRequest(http.MethodGet, "/?a=1;b&c=100%&d=%ff", nil)}
		if err := x.read(); err != nil || !reflect.DeepEqual(x.form.Values, url.Values{"a": {"1;b"}, "c": {"100%"}, "d": {"\ufffd"}}) {
			t.Errorf("%q, %v", x.form.Values, err)
		}
	})
	t.Run("a POST without a body brings nothing", func(t *testing.T) {
		if form, err := k.post(texts, "", http.NoBody); err != nil || len(form.Values) != 0 {
			t.Errorf("%v, %v", form, err)
		}
	})
}

func TestFormRefuses(t *testing.T) {
	k := newKit(t)
	const malformed, wrongType, tooMuch, notUTF8 = "malformed", "wrong type", "and there is more", "UTF-8"
	for name, tt := range map[string]struct {
		contentType, body string
		status            int
		says              string
	}{
		"no content type":                    {"", "a=1", 415, "Send a form"},
		"a content type that does not parse": {"text/plain; charset", "a=1", 415, "Send a form"},
		"XML":                                {"text/xml", "<a/>", 415, "Send a form"},

		"JSON that is no object":         {jsonType, `[]`, 400, malformed},
		"JSON null":                      {jsonType, `null`, 400, malformed},
		"JSON text":                      {jsonType, `"a"`, 400, malformed},
		"JSON that is empty":             {jsonType, ` `, 400, malformed},
		"JSON cut in a name":             {jsonType, `{"a`, 400, malformed},
		"JSON cut in a value":            {jsonType, `{"a":"b`, 400, malformed},
		"JSON cut in a list":             {jsonType, `{"a":["b"`, 400, malformed},
		"JSON cut behind a member":       {jsonType, `{"a":"b"`, 400, malformed},
		"JSON without a value":           {jsonType, `{"a":}`, 400, malformed},
		"JSON with a wrong end":          {jsonType, `{"a":["b"}`, 400, malformed},
		"JSON that ends in a character":  {jsonType, "{\"a\":\"\xe8\x8c", 400, notUTF8},
		"JSON with more behind":          {jsonType, `{"a":1} {"b":2}`, 400, malformed},
		"JSON with garbage behind":       {jsonType, `{"a":1} x`, 400, malformed},
		"an object in JSON":              {jsonType, `{"a":{}}`, 400, wrongType},
		"a list in a list":               {jsonType, `{"a":[[]]}`, 400, wrongType},
		"an object in a list":            {jsonType, `{"a":[{}]}`, 400, wrongType},
		"deep nesting":                   {jsonType, `{"a":` + strings.Repeat("[", 60_000), 400, wrongType},
		"a long name of the wrong type":  {jsonType, `{"` + strings.Repeat("é", 5000) + `":{}}`, 400, wrongType},
		"multipart without an end":       {multi, field("a", "1"), 400, malformed},
		"multipart cut in a value":       {multi, field("a", "12345678")[:55], 400, malformed},
		"multipart without a boundary":   {"multipart/form-data", field("a", "1") + end, 400, malformed},
		"a part whose header is garbage": {multi, "--X\r\nnonsense\r\n\r\n" + end, 400, malformed},

		"a name of 257 bytes":            {urlencoded, strings.Repeat("a", maxNameSize+1) + "=1", 400, "too long"},
		"a name of 257 bytes in JSON":    {jsonType, `{"` + strings.Repeat("a", maxNameSize+1) + `":1}`, 400, "too long"},
		"a name of 257 bytes in a part":  {multi, field(strings.Repeat("a", maxNameSize+1), "") + end, 400, "too long"},
		"Latin-1 in a form":              {urlencoded, "a=caf%e9", 400, notUTF8},
		"Latin-1 in a name":              {urlencoded, "caf\xe9=1", 400, notUTF8},
		"Latin-1 in JSON":                {jsonType, "{\"a\":\"caf\xe9\"}", 400, notUTF8},
		"Latin-1 in a name in JSON":      {jsonType, "{\"caf\xe9\":\"\"}", 400, notUTF8},
		"a character cut off in JSON":    {jsonType, "{\"a\":\"\xe8\x8c\"}", 400, notUTF8},
		"Latin-1 in a part":              {multi, field("a", "caf\xe9") + end, 400, notUTF8},
		"1,001 fields":                   {urlencoded, strings.Repeat("a&", maxFields+1), 413, "too many"},
		"1,001 members":                  {jsonType, `{` + strings.Repeat(`"a":1,`, maxFields) + `"a":1}`, 413, "too many"},
		"1,001 items":                    {jsonType, `{"a":[` + strings.Repeat(`"",`, maxFields) + `""]}`, 413, "too many"},
		"1,001 items that are null":      {jsonType, `{"a":[` + strings.Repeat(`null,`, maxFields) + `null]}`, 413, "too many"},
		"1,001 empty lists":              {jsonType, `{` + strings.Repeat(`"a":[],`, maxFields) + `"a":[]}`, 413, "too many"},
		"1,001 parts":                    {multi, strings.Repeat(field("", ""), maxFields+1) + end, 413, ""},
		"1,001 parts without a file":     {multi, strings.Repeat(file("", ""), maxFields+1) + end, 413, ""},
		"64 KiB and a byte of text":      {urlencoded, "a=" + strings.Repeat("x", maxText), 413, tooMuch},
		"64 KiB and a byte in all":       {urlencoded, "a=" + strings.Repeat("x", maxText-1) + "&b=", 413, tooMuch},
		"64 KiB and a byte of JSON":      {jsonType, `{"a":"` + strings.Repeat("x", maxText) + `"}`, 413, tooMuch},
		"64 KiB and a byte in a part":    {multi, field("a", strings.Repeat("x", maxText)) + end, 413, tooMuch},
		"JSON that is mostly space":      {jsonType, `{` + strings.Repeat(" ", 3*maxText) + `}`, 413, tooMuch},
		"separators alone":               {urlencoded, strings.Repeat("&", 3*maxText+1), 413, tooMuch},
		"a part with a long header":      {multi, "--X\r\nX: " + strings.Repeat("x", 4*maxText), 413, tooMuch},
		"a part with many parameters":    {multi, "--X\r\nContent-Disposition: form-data; name=a" + strings.Repeat(";b*0=c", 1000) + "\r\n\r\n\r\n" + end, 400, "too long"},
		"a type with many parameters":    {multi + strings.Repeat(";b*0=c", 1000), field("a", "1") + end, 415, "Send a form"},
		"parts with many headers":        {multi, "--X\r\n" + strings.Repeat("X: y\r\n", maxText), 400, malformed},
		"text before the first boundary": {multi, strings.Repeat("x\r\n", 2*maxText) + field("a", "1") + end, 413, tooMuch},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := k.post(texts, tt.contentType, strings.NewReader(tt.body))
			refused(t, err, tt.status, tt.says)
		})
	}
	t.Run("not what is just within the bounds", func(t *testing.T) {
		for name, tt := range map[string][2]string{
			"1,000 fields":      {urlencoded, strings.Repeat("a&", maxFields)},
			"1,000 items":       {jsonType, `{"a":[` + strings.Repeat(`null,`, maxFields-2) + `""]}`},
			"a name":            {urlencoded, strings.Repeat("a", maxNameSize) + "=1"},
			"64 KiB":            {urlencoded, "a=" + strings.Repeat("%26", maxText-1)},
			"64 KiB of JSON":    {jsonType, `{"a":"` + strings.Repeat("x", maxText-1) + `"}`},
			"64 KiB in a part":  {multi, field("a", strings.Repeat("x", maxText-1)) + end},
			"a hundred parts":   {multi, strings.Repeat(field("name", "value"), 100) + end},
			"a whole character": {jsonType, `{"a":"` + strings.Repeat(" ", 4093) + `茶"}`},
		} {
			if _, err := k.post(texts, tt[0], strings.NewReader(tt[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("and keeps what came before the fault", func(t *testing.T) {
		for contentType, body := range map[string]string{urlencoded: "a=1&b=%ff", jsonType: `{"a":1,"b":{}}`, multi: field("a", "1") + "--X\r\nnonsense"} {
			if form, err := k.post(texts, contentType, strings.NewReader(body)); err == nil || form.Get("a") != "1" {
				t.Errorf("%s: %v, %v", contentType, form.Values, err)
			}
		}
	})
}

// What a stranger may send is bounded by less than what a function takes from its users.
func TestFormOfAStranger(t *testing.T) {
	k := newKit(t)
	body := "a=" + strings.Repeat("x", maxText)
	if form, err := k.postOf(&tokenstore.Grant{}, files, urlencoded, strings.NewReader(body)); err != nil || len(form.Get("a")) != maxText {
		t.Errorf("somebody signed in: %v", err)
	}
	_, err := k.post(files, urlencoded, strings.NewReader(body))
	refused(t, err, http.StatusRequestEntityTooLarge, "Send it as a file")
	form, err := k.post(files, multi, strings.NewReader(field("a", "1")+file("a.txt", strings.Repeat("x", 4<<20))+end))
	if err != nil || form.File != nil || form.Get("a") != "1" {
		t.Errorf("a stranger's file: %+v, %v", form, err)
	}
	if form, err := k.postOf(&tokenstore.Grant{}, texts, multi, strings.NewReader(field("a", "1")+file("a.txt", "x")+end)); err != nil || form.File != nil {
		t.Errorf("a file where none is taken: %+v, %v", form, err)
	}
}

func TestFile(t *testing.T) {
	k := newKit(t)
	send := func(body io.Reader) (*Form, error) { return k.postOf(&tokenstore.Grant{}, files, multi, body) }
	for name, tt := range map[string]struct{ sent, want string }{
		"is kept":                                           {"a.txt", "a.txt"},
		"in another language is kept":                       {"Entwürfe 下書き.txt", "Entwürfe 下書き.txt"},
		"with quotes, as browsers escape them":              {"say %22hi%22.txt", `say "hi".txt`},
		"with line ends, as browsers escape them":           {"a%0D%0Ab%0Ac%0Dd.txt", "a b c d.txt"},
		"with quotes, as programs escape them":              {`say \"hi\".txt`, `say "hi".txt`},
		"with another per cent sign is kept":                {"100%25.txt", "100%25.txt"},
		"that is a path on Windows is cut to its last part": {`C:\Users\ada\notes.txt`, "notes.txt"},
		"that is a path elsewhere is cut to its last part":  {"../../etc/passwd", "passwd"},
		"that is a folder is none":                          {"notes/", ""},
	} {
		t.Run("whose name "+name, func(t *testing.T) {
			form, err := send(strings.NewReader(file(tt.sent, "x") + end))
			if err != nil || form.File == nil || form.File.Name != tt.want {
				t.Errorf("%+v, %v, want %q", form.File, err, tt.want)
			}
		})
	}
	t.Run("whose name is in Latin-1 is refused", func(t *testing.T) {
		_, err := send(strings.NewReader(file("caf\xe9.txt", "x") + end))
		refused(t, err, http.StatusBadRequest, "The name of the file is not in UTF-8")
	})
	for sent, want := range map[string]string{"text/csv; charset=utf-8": "text/csv; charset=utf-8", "text/plain, text/html": "", "": "", "text": "text"} {
		t.Run(fmt.Sprintf("of type %q", sent), func(t *testing.T) {
			form, err := send(strings.NewReader(strings.Replace(file("a", "x"), "text/plain", sent, 1) + end))
			if err != nil || form.File == nil || form.File.Type != want {
				t.Errorf("%+v, %v, want type %q", form.File, err, want)
			}
		})
	}
	t.Run("of up to 1 MiB is held, and the fields behind it are read", func(t *testing.T) {
		for _, size := range []int{0, 1, 40 << 10, maxHeld} {
			content := strings.Repeat("x", size)
			form, err := send(strings.NewReader(field("a", "1") + file("a.txt", content) + field("id", "2") + end))
			if err != nil || !form.File.Held || form.Get("a") != "1" || form.Get("id") != "2" {
				t.Fatalf("%d bytes: %+v, %v", size, form, err)
			}
			if got, err := io.ReadAll(form.File); string(got) != content || err != nil {
				t.Errorf("%d bytes of %d, %v", len(got), size, err)
			}
		}
	})
	t.Run("of more is read as it arrives", func(t *testing.T) {
		content := strings.Repeat("0123456789", maxHeld/5)
		body := strings.NewReader(field("a", "1") + file("a.txt", content) + end)
		form, err := send(body)
		if err != nil || form.File.Held || form.Get("a") != "1" {
			t.Fatalf("%+v, %v", form, err)
		}
		if body.Len() < len(content)/3 {
			t.Errorf("%d bytes are left to be read", body.Len())
		}
		if got, err := io.ReadAll(form.File); string(got) != content || err != nil {
			t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
		}
	})
	large := strings.Repeat("x", 2*maxHeld)
	for name, tt := range map[string]struct {
		body   io.Reader
		status int
		says   string
	}{
		"a field":               {strings.NewReader(file("a", large) + field("id", "2") + end), 400, "Put the fields before the file"},
		"another file":          {strings.NewReader(file("a", large) + file("b", "x") + end), 400, "Put the fields before the file"},
		"no end":                {strings.NewReader(file("a", large)), 400, "malformed"},
		"the middle of it":      {strings.NewReader(file("a", large)[:maxHeld+maxHeld/2]), 400, "malformed"},
		"garbage":               {strings.NewReader(file("a", large) + "--X\r\nnonsense\r\n\r\n" + end), 400, "malformed"},
		"more than 32 MiB":      {io.MultiReader(strings.NewReader(file("a", large)), io.LimitReader(xs{}, maxRequest), strings.NewReader(end)), 413, "32 MiB"},
		"more and never an end": {io.MultiReader(strings.NewReader(strings.TrimSuffix(file("a", large), "\r\n")), xs{}), 413, "32 MiB"},
	} {
		t.Run("that is streamed does not pass for whole before "+name, func(t *testing.T) {
			form, err := send(tt.body)
			if err != nil || form.File.Held {
				t.Fatalf("%+v, %v", form, err)
			}
			n, err := io.Copy(io.Discard, form.File)
			refused(t, err, tt.status, tt.says)
			if n > maxRequest+8<<10 { // the reader of parts reads ahead
				t.Errorf("%d bytes were read", n)
			}
		})
	}
	for name, tt := range map[string]struct {
		body, says string
		status     int
	}{
		"two files":             {file("a", "x") + file("b", "y") + end, "There are two files", 400},
		"no end":                {file("a", "x"), "malformed", 400},
		"too much text behind":  {file("a", "x") + field("b", strings.Repeat("x", 2<<20)) + end, "and there is more", 413},
		"an endless part there": {file("a", "x") + "--X\r\nX: " + strings.Repeat("x", 4<<20), "and there is more", 413},
	} {
		t.Run("that is held does not hide "+name, func(t *testing.T) {
			_, err := send(strings.NewReader(tt.body))
			refused(t, err, tt.status, tt.says)
		})
	}
}

// xs is a text without end.
type xs struct{}

func (xs) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// endless repeats a text.
type endless struct {
	text string
	rest string
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if e.rest == "" {
			e.rest = e.text
		}
		m := copy(p[n:], e.rest)
		e.rest, n = e.rest[m:], n+m
	}
	return n, nil
}

// counted counts what is read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// worstBodies are made to cost as much as they can, each without end.
var worstBodies = map[string]struct{ contentType, head, again string }{
	"a list of numbers":    {jsonType, `{"a":[1`, `,1`},
	"a list of null":       {jsonType, `{"a":[null`, `,null`},
	"members":              {jsonType, `{"a":1`, `,"a":1`},
	"empty lists":          {jsonType, `{"a":[]`, `,"a":[]`},
	"a text":               {jsonType, `{"a":"`, `x`},
	"a text of escapes":    {jsonType, `{"a":"`, `\u0000`},
	"a name":               {jsonType, `{"`, `x`},
	"nesting":              {jsonType, `{"a":`, `[`},
	"space":                {jsonType, `{`, " "},
	"a number":             {jsonType, `{"a":`, "1"},
	"pairs":                {urlencoded, "", "a&"},
	"separators":           {urlencoded, "", "&"},
	"escapes":              {urlencoded, "a=", "%26"},
	"broken escapes":       {urlencoded, "a=", "%"},
	"one value":            {urlencoded, "a=", "x"},
	"parts":                {multi, "", field("a", "")},
	"parts without a file": {multi, "", file("", "")},
	"parts with a header":  {multi, "", "--X\r\nX: " + strings.Repeat("x", 15<<10) + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n"},
	"a header":             {multi, "--X\r\nX: ", "x"},
	"headers":              {multi, "--X\r\n", "X: y\r\n"},
	"text around parts":    {multi, "", "x\r\n"},
	"a part":               {multi, strings.TrimSuffix(field("a", ""), "\r\n"), "x"},
}

// No body costs more than a few times what may be sent, however it is made (requirement 41).
func TestWorstBodiesAreBounded(t *testing.T) {
	k := newKit(t)
	for name, b := range worstBodies {
		for who, g := range map[string]*tokenstore.Grant{"a stranger": nil, "a user": {}} {
			t.Run(name+" of "+who, func(t *testing.T) {
				most := int64(maxText)
				if g != nil {
					most = files.Text
				}
				for _, size := range []int64{3 * most, maxRequest} { // all that is read, and more
					body := &counted{Reader: io.LimitReader(io.MultiReader(strings.NewReader(b.head), &endless{text: b.again}), size)}
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					_, err := k.postOf(g, files, b.contentType, body)
					runtime.ReadMemStats(&after)
					if err == nil && size == maxRequest {
						t.Error("no error")
					}
					if body.n > 4*most {
						t.Errorf("%d bytes were read, where %d may come", body.n, most)
					}
					if took := int64(after.TotalAlloc - before.TotalAlloc); took > 32*most+4<<20 {
						t.Errorf("%d bytes were allocated, where %d may come", took, most)
					}
				}
			})
		}
	}
}

func BenchmarkWorstBody(b *testing.B) {
	k := newKit(b)
	for name, body := range worstBodies {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.postOf(&tokenstore.Grant{}, files, body.contentType, io.MultiReader(strings.NewReader(body.head), io.LimitReader(&endless{text: body.again}, maxRequest)))
			}
		})
	}
}

// What is taken of the process's memory for bodies is given back when the request ends.
func TestMemoryForBodies(t *testing.T) {
	k := newKit(t)
	h := forUser(Function{Name: "texts", Post: func(c *Call) (*View, error) { return ValuePage.View(nil), nil }})
	for range 3 {
		k.serve(h, request("POST", "/texts", "a="+strings.Repeat("x", 40<<10)))
	}
	if !k.bodies.TryAcquire(maxBodies) {
		t.Fatal("not all of it is free")
	}
	r := request("POST", "/texts", "a=1")
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Millisecond)
	defer cancel()
	w := k.serve(h, r.WithContext(ctx))
	want(t, w, http.StatusServiceUnavailable)
	if w.Header().Get("Retry-After") == "" {
		t.Error("nobody is told when to come again")
	}
}

// checkForm fails where a form outgrew what a stranger may send, or an error is the operator's.
func checkForm(t *testing.T, form *Form, err error) {
	size, count := 0, 0
	for name, values := range form.Values {
		for _, value := range values {
			size += len(name) + len(value)
			count++
			if len(name) > maxNameSize || !utf8.ValidString(name) || !utf8.ValidString(value) {
				t.Fatalf("%q: %q", name, value)
			}
		}
	}
	if size > maxText || count > maxFields {
		t.Fatalf("%d values of %d bytes", count, size)
	}
	if err == nil {
		return
	}
	if p := (&exchange{App: &App{now: time.Now, config: &config.Config{}}}).problemOf(err); p.status != http.StatusBadRequest && p.status != http.StatusRequestEntityTooLarge && p.status != http.StatusUnsupportedMediaType {
		t.Fatalf("%d: %v", p.status, err)
	}
}

func FuzzFormURLEncoded(f *testing.F) {
	k := newKit(f)
	for _, body := range []string{"a=1&b=x+y", "a;b", "%", "a=%ff", "=&=", "form=x", "a=%0D%0A", "%61=%e2%82%ac", strings.Repeat("a&", maxFields+1)} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := k.post(texts, urlencoded, strings.NewReader(body))
		checkForm(t, form, err)
		if want, bad := url.ParseQuery(body); err == nil && bad == nil {
			want.Del(markField)
			if !reflect.DeepEqual(form.Values, want) {
				t.Fatalf("%q, want %q", form.Values, want)
			}
		}
	})
}

func FuzzFormJSON(f *testing.F) {
	k := newKit(f)
	for _, body := range []string{
		`{"code":"4/0abc"}`, `{"code":""}`, `{"code":7}`, `{"code":null}`, `{"a":["b",1,true,null]}`, `{"code":"a","code":"b"}`,
		`{}`, `[]`, `null`, ``, `{"code":"x"}{}`, `{"code":"\ud800"}`, `"code"`, "\ufeff{}", "{\"a\":\"\xff\"}", `{"a":[[]]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := k.post(texts, jsonType, strings.NewReader(body))
		checkForm(t, form, err)
		if err != nil || body == "" {
			return
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &object); err != nil || !utf8.ValidString(body) {
			t.Fatalf("%q is taken for %q: %v", body, form.Values, err)
		}
		for name, value := range object {
			if text, ok := value.(string); ok && name != markField && form.Values[name][len(form.Values[name])-1] != text {
				t.Fatalf("%q: %q, want %q", name, form.Values[name], text)
			}
		}
	})
}

func FuzzFormMultipart(f *testing.F) {
	k := newKit(f)
	for _, body := range []string{
		field("a", "1") + end, field("a", "1") + file("a.txt", "x") + field("b", "2") + end, file("", "") + end, file("a", "x"), "--X--", "--X\r\n\r\n",
		file("caf\xe9", "") + end, file("a/b%22", strings.Repeat("x", 100)) + file("b", "") + end, "--X\r\nContent-Disposition: form-data; name*=UTF-8''%e2%82%ac\r\n\r\n\r\n" + end,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		form, err := k.post(texts, multi, bytes.NewReader(body))
		checkForm(t, form, err)
		form, err = k.postOf(&tokenstore.Grant{}, files, multi, bytes.NewReader(body))
		if form.File == nil {
			return
		}
		n, fault := io.Copy(io.Discard, form.File)
		if err == nil && (form.File.Held != (n <= maxHeld) || form.File.Held && fault != nil || strings.ContainsAny(form.File.Name, "/\\\r\n\"") && !strings.Contains(form.File.Name, `"`)) {
			t.Fatalf("%d bytes, %v: %+v", n, fault, form.File)
		}
		var own *Error
		if fault != nil && !errors.As(fault, &own) {
			t.Fatal(fault)
		}
	})
}

func TestHeadOfAFileIsAllocatedTwiceAtMost(t *testing.T) {
	file := bytes.Repeat([]byte("a"), maxHeld+9)
	for size, want := range map[int]float64{0: 1, 32 << 10: 2, maxHeld: 2, maxHeld + 9: 2} {
		var head []byte
		r := bytes.NewReader(nil)
		small := iotest.HalfReader(r) // it comes in many pieces
		if got := testing.AllocsPerRun(1, func() {
			r.Reset(file[:size])
			head, _ = readHead(small)
		}); got > want || len(head) != min(size, maxHeld+1) {
			t.Errorf("%d bytes: %d of them in %.0f allocations", size, len(head), got)
		}
	}
}
