package httpfunc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Form holds the fields of a request: of its query, its form or its JSON object.
type Form struct {
	Fields
	File *File // the file part of a multipart form, or nil

	mark   string // whom the form was shown to
	chosen string // what the client calls the file, also where its part was not read, or ""
}

// Fields are a form's names and texts.
type Fields struct{ url.Values }

// MarshalJSON returns an object with the first value of each field.
func (f Fields) MarshalJSON() ([]byte, error) {
	first := make(map[string]string, len(f.Values))
	for name := range f.Values {
		first[name] = f.Get(name)
	}
	return json.Marshal(first)
}

// A File is a file part.
type File struct {
	io.Reader
	Name string // the last part of the path that the client names, or ""
	Type string // MIME type as the client names it, or "" where that is none
	// Held says that the file is in memory as a whole, so that it can be sent twice. Otherwise it is read as it
	// arrives, and the last Read fails if the form has anything behind the file.
	Held bool
}

// What a body may hold, besides the text that its function takes.
const (
	maxRequest  = 32 << 20 // bytes; the platform's limit [Cloud Run: quotas, HTTP/1 request size]
	maxHeld     = 1 << 20  // bytes of a file that is held in memory
	maxText     = 64 << 10 // bytes of text, where a function declares nothing else and for strangers
	maxFields   = 1000     // values of all fields
	maxNameSize = 256      // bytes of a field's name
	maxHeads    = 64 << 10 // bytes between the values of a multipart form: boundaries and headers
	maxMedia    = 4 << 10  // bytes of a header value that has parameters
	maxQuery    = 16 << 10 // bytes of a query
)

// read reads the body into x.form, within what the function takes from who is asking. What was read
// before an error stays in x.form.
func (x *exchange) read() error {
	x.form = &Form{Fields: Fields{url.Values{}}}
	if x.f.open {
		return nil // serve reads it
	}
	if x.r.Method != http.MethodPost {
		x.form.Values = parseQuery(x.r.URL.RawQuery)
		return nil
	}
	if !x.hasBody() {
		return nil
	}
	tooLarge := x.r.ContentLength > maxRequest // also if it is only behind the end of a multipart form
	text := int64(maxText)
	if x.grant != nil {
		text = max(text, x.f.Text)
	}
	p := &formReader{x: x, left: text, limit: text}
	body := &boundedBody{x: x, over: p.tooMuch(), left: 3 * text} // percent-encoding makes three bytes of one
	if x.f.maxBody > 0 {
		body.left, body.over = x.f.maxBody, &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: fmt.Sprintf("The body can hold %d bytes.", x.f.maxBody)}
	}
	var err error
	mediaType, params, _ := parseMedia(x.r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/x-www-form-urlencoded":
		err = p.urlencoded(body)
	case "multipart/form-data":
		err = p.multipart(body, multipart.NewReader(body, params["boundary"]))
	case "application/json":
		err = p.json(body)
	default:
		return &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Message: "Send a form or a JSON object."}
	}
	x.form.mark = x.form.Get(markField)
	x.form.Del(markField)
	x.tooLong = err != nil && err == body.over && x.grant == nil && x.f.Scopes != nil
	if tooLarge { // the fields in front of the file are kept all the same
		return &http.MaxBytesError{Limit: maxRequest}
	}
	return bodyError(err)
}

// A boundedBody is a request's body, of which no more is read than is allowed.
type boundedBody struct {
	x    *exchange
	left int64 // bytes that may be read
	over error // returned when there is more
	// streamed says that what is read does not stay in memory, and may take as long as it makes progress.
	streamed bool
	extended time.Time
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// A byte more tells a body that is too large from one that is at its end.
		if n, err := b.x.r.Body.Read(p[:min(1, len(p))]); n == 0 {
			return 0, err
		}
		return 0, b.over
	}
	if now := time.Now(); b.streamed && now.Sub(b.extended) > time.Second {
		if err := b.x.r.Context().Err(); err != nil { // progress or not, an upload has its time
			return 0, err
		}
		b.x.bodyWithin(bodyTimeout)
		b.extended = now
	}
	n, err := b.x.r.Body.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if !b.streamed {
		if err := b.x.memory.take(b.x.r.Context(), int64(n)); err != nil {
			return 0, err
		}
	}
	return n, err
}

// A formReader fills the exchange's form. Each value is counted before it is kept.
type formReader struct {
	x           *exchange
	limit, left int64 // bytes of text that may come, and still may
	count       int   // values that came
	over        error
}

func (p *formReader) add(name, value string) error {
	if err := p.another(); err != nil {
		return err
	}
	switch p.left -= int64(len(name) + len(value)); {
	case p.left < 0:
		return p.tooMuch()
	case len(name) > maxNameSize:
		return Invalid("The name of a field is too long.")
	case !utf8.ValidString(name), !utf8.ValidString(value):
		return errNotUTF8
	}
	p.x.form.Add(name, value)
	return nil
}

var errNotUTF8 = Invalid("The text is not in UTF-8, so some of its characters would be lost. Send it in UTF-8.")

// another counts a value.
func (p *formReader) another() error {
	if p.count++; p.count > maxFields {
		return &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "There are too many fields."}
	}
	return nil
}

// tooMuch returns the error for more text than the function takes from who is asking.
func (p *formReader) tooMuch() error {
	if p.over != nil {
		return p.over
	}
	e := &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: fmt.Sprintf("This form takes %d bytes of text, and there is more.", p.limit)}
	if p.x.f.File {
		e.Message += " Send it as a file."
	}
	p.over = e
	return e
}

func (p *formReader) urlencoded(body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	for name, value := range pairs(string(b)) {
		if err := p.add(name, value); err != nil {
			return err
		}
	}
	return nil
}

// json reads an object whose members are strings, numbers, booleans, null, or lists of these. The decoder
// gets the body as a whole: it looks at white space again each time that more arrives, and replaces what is
// not UTF-8 without a word.
func (p *formReader) json(body io.Reader) error {
	b, err := io.ReadAll(body)
	switch {
	case err != nil:
		return err
	case !utf8.Valid(b):
		return errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	d.UseNumber()
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return errMalformed
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := p.member(d, name.(string)); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return cmp.Or(err, errMalformed)
	}
	return nil
}

// member reads the value of a member, or each of a list.
func (p *formReader) member(d *json.Decoder, name string) error {
	for list := false; ; {
		t, err := d.Token()
		switch v := t.(type) {
		case json.Delim:
			if v == ']' && list {
				p.nothing(name)
				return nil
			}
			if v != '[' || list {
				return Invalid("The field " + Isolate(name) + " is of the wrong type.")
			}
			if err := p.another(); err != nil { // empty lists are not free
				return err
			}
			list = true
			continue
		case string:
			err = p.add(name, v)
		case json.Number:
			err = p.add(name, v.String())
		case bool:
			err = p.add(name, strconv.FormatBool(v))
		case nil:
			p.nothing(name)
			err = cmp.Or(err, p.another())
		}
		if err != nil || !list {
			return err
		}
	}
}

// nothing adds a member that is null or an empty list as a field without values. Most readers treat that as
// absent. A list of users must not: an empty one means nobody, and an absent one everybody.
func (p *formReader) nothing(name string) {
	if len(name) <= maxNameSize && !p.x.form.Has(name) {
		p.x.form.Values[name] = []string{}
	}
}

func (p *formReader) multipart(body *boundedBody, parts *multipart.Reader) error {
	body.left = p.limit + maxHeads
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, params, err := parseMedia(part.Header.Get("Content-Disposition"))
		if errors.Is(err, errLongMedia) {
			return err
		}
		name, isFile := params["filename"]
		if name != "" {
			p.x.form.chosen = shortName(name)
		}
		switch {
		case !isFile:
			value, err := io.ReadAll(io.LimitReader(part, p.left+1))
			if err == nil {
				err = p.add(params["name"], string(value))
			}
			if err != nil {
				return err
			}
		case name == "":
			// No file was chosen: browsers send an empty part.
			if err := p.another(); err != nil {
				return err
			}
		case p.x.form.File != nil:
			return Invalid("There are two files. Send one.")
		case !p.x.mayUpload(), p.x.r.ContentLength > maxRequest:
			return nil // what cannot be taken is not read
		default:
			if err := p.file(body, parts, part, name); err != nil || !p.x.form.File.Held {
				return err
			}
		}
	}
}

// file takes a file part. One of up to maxHeld bytes is held, and the fields behind it are read, too.
func (p *formReader) file(body *boundedBody, parts *multipart.Reader, part *multipart.Part, name string) error {
	left := body.left
	body.left, body.streamed = maxRequest, true
	body.over = &http.MaxBytesError{Limit: maxRequest}
	head, err := readHead(part)
	if err != nil {
		return err
	}
	f := &File{Reader: bytes.NewReader(head), Name: fileName(name), Held: len(head) <= maxHeld}
	if mediaType, params, err := parseMedia(part.Header.Get("Content-Type")); err == nil {
		f.Type = mime.FormatMediaType(mediaType, params)
	}
	if !utf8.ValidString(name) {
		return Invalid("The name of the file is not in UTF-8, so some of its characters would be lost. Send it in UTF-8.")
	}
	if f.Held {
		body.left, body.streamed, body.over = left, false, p.tooMuch()
	} else {
		f.Reader = io.MultiReader(f.Reader, &lastPart{part, parts})
	}
	p.x.form.File = f
	return nil
}

// readHead reads up to maxHeld bytes and one more. It allocates twice at most, where growing a buffer to
// that size would cost several times as much memory.
func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, 0, 32<<10)
	for len(head) <= maxHeld {
		if len(head) == cap(head) {
			head = append(make([]byte, 0, maxHeld+1), head...)
		}
		n, err := r.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return head, nil
}

// A lastPart reads the part that has to be the form's last. A function can return its errors as they are.
type lastPart struct {
	part  io.Reader
	parts *multipart.Reader
}

func (l *lastPart) Read(p []byte) (int, error) {
	n, err := l.part.Read(p)
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, bodyError(err)
	}
	switch _, err := l.parts.NextPart(); {
	case errors.Is(err, io.EOF):
		return n, io.EOF
	case err == nil:
		return n, Invalid("Something stands behind the file and would be lost. Put the fields before the file.")
	default:
		return n, bodyError(err)
	}
}

// errLongMedia means that a header value is longer than any client of a person writes one.
var errLongMedia = Invalid("The name of a field or of a file is too long.")

// parseMedia is mime.ParseMediaType, which makes several hundred bytes of each parameter, for values of a bounded
// length.
func parseMedia(value string) (mediaType string, params map[string]string, err error) {
	if len(value) > maxMedia {
		return "", nil, errLongMedia
	}
	return mime.ParseMediaType(value)
}

// unescapeName undoes what browsers do to a file's name in a multipart form [WHATWG HTML §4.10.21.8].
var unescapeName = strings.NewReplacer("%22", `"`, "%0D%0A", " ", "%0D", " ", "%0A", " ")

// fileName returns the last part of what a client calls a file.
func fileName(name string) string {
	name = unescapeName.Replace(name)
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

// shortName returns the beginning of a file's name, to be shown.
func shortName(name string) string {
	name = fileName(name)
	return strings.ToValidUTF8(name[:min(len(name), maxNameSize)], "")
}

// pairs yields the names and values of a query as browsers write it: what cannot be an escape is text,
// and so is a semicolon [WHATWG URL: application/x-www-form-urlencoded parsing].
func pairs(query string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if pair != "" && !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

func unescape(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b.WriteByte(' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// parseQuery returns the parameters of a URL's query. What is not UTF-8 in it is replaced.
func parseQuery(query string) url.Values {
	values := url.Values{}
	for name, value := range pairs(query) {
		values.Add(strings.ToValidUTF8(name, "\uFFFD"), strings.ToValidUTF8(value, "\uFFFD"))
	}
	return values
}

// errMalformed means that a body is not of the form that its Content-Type says.
var errMalformed = errors.New("malformed")

// bodyError makes an error in reading the body an *Error that tells the client so. It returns an *Error, one of
// size and one of time as they are.
func bodyError(err error) error {
	var (
		large *http.MaxBytesError
		own   *Error
	)
	switch {
	case err == nil, errors.As(err, &large), errors.As(err, &own), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	}
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Message: "The request's body is malformed.", Cause: err}
}

// size returns how many bytes of HTML the values of the fields make.
func (f Fields) size() (n int) {
	for _, values := range f.Values {
		for _, v := range values {
			n += len(v) + 4*(strings.Count(v, `"`)+strings.Count(v, "'")+strings.Count(v, "&")+strings.Count(v, "<")+strings.Count(v, ">")+strings.Count(v, "+"))
		}
	}
	return n
}

// Joined returns all values of a field as one text, one a line.
func (f Fields) Joined(name string) string { return strings.Join(f.Values[name], "\n") }
