package httpfunc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// A Form is what a request brings: a query, a form or a JSON object, all alike.
type Form struct {
	url.Values
	File *File // the file part of a multipart form, or nil
}

// A File is a file part, read as it arrives. Fields behind it are not seen.
type File struct {
	io.Reader
	Name string
	Type string // MIME type as the client names it
}

// maxFields bounds the fields of a multipart form in bytes, all together.
const maxFields = 2 << 20

// ParseForm reads what the request brings: the query for GET and HEAD; for POST an urlencoded or
// multipart form, or a JSON object whose members are strings, numbers, booleans or lists of strings.
// Its errors are fit to be returned by a Func. It may be called again.
func ParseForm(r *http.Request) (*Form, error) {
	kept, _ := r.Context().Value(requestKey).(*request)
	if kept != nil && kept.parsed {
		return kept.form, kept.formErr
	}
	form, err := parseForm(r)
	if kept != nil {
		kept.form, kept.formErr, kept.parsed = form, err, true
	}
	return form, err
}

func parseForm(r *http.Request) (*Form, error) {
	if r.Method != http.MethodPost {
		return &Form{Values: r.URL.Query()}, nil
	}
	if r.ContentLength == 0 {
		return &Form{Values: url.Values{}}, nil
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/x-www-form-urlencoded":
		b, err := readBody(r)
		if err != nil {
			return nil, bodyError(err)
		}
		values, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, bodyError(err)
		}
		return &Form{Values: values}, nil
	case "multipart/form-data":
		return parseMultipart(r)
	case "application/json":
		return parseJSON(r)
	}
	return nil, &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
		Message: "Send a form or a JSON object."}
}

func parseMultipart(r *http.Request) (*Form, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, bodyError(err)
	}
	form := &Form{Values: url.Values{}}
	left := int64(maxFields)
	tooLarge := r.ContentLength > maxRequest // if only behind the end of the multipart, which nobody reads
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) && tooLarge {
			return nil, &http.MaxBytesError{Limit: maxRequest}
		}
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
		if part.FileName() != "" {
			content := io.ReadCloser(part)
			if tooLarge {
				content = http.MaxBytesReader(nil, part, 0) // the fields are good for the form
			}
			form.File = &File{Reader: fileReader{content}, Name: part.FileName(), Type: part.Header.Get("Content-Type")}
			return form, nil
		}
		b, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			return nil, bodyError(err)
		}
		if left -= int64(len(b)); left < 0 {
			return nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large",
				Message: "The text is over 2 MiB (2,097,152 bytes): send it as a file."}
		}
		form.Add(part.FormName(), string(b))
	}
}

// fileReader gives a fault of the body as ParseForm does.
type fileReader struct{ part io.Reader }

func (f fileReader) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = bodyError(err)
	}
	return n, err
}

// readBody reads the whole body. It takes the memory at once: growing to 32 MiB would take several times that.
func readBody(r *http.Request) ([]byte, error) {
	size := min(max(r.ContentLength, 0), maxRequest) + bytes.MinRead
	b := bytes.NewBuffer(make([]byte, 0, size))
	_, err := b.ReadFrom(r.Body)
	return b.Bytes(), err
}

func parseJSON(r *http.Request) (*Form, error) {
	b, err := readBody(r)
	if err != nil {
		return nil, bodyError(err)
	}
	var members map[string]member
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, bodyError(err)
	}
	form := &Form{Values: url.Values{}}
	for name, m := range members {
		for _, v := range m {
			switch {
			case v.wrong:
				return nil, Invalid("The field " + strings.ToValidUTF8(name, "") + " is of the wrong type.")
			case !v.null:
				form.Add(name, v.text)
			}
		}
	}
	return form, nil
}

// A member is what a field can be in JSON: a value or a list of values.
type member []value

func (m *member) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]value)(m))
	}
	*m = make(member, 1)
	return (*m)[0].UnmarshalJSON(b)
}

// A value is a string, a number or a boolean as text.
type value struct {
	text  string
	null  bool
	wrong bool // an object or a list
}

func (v *value) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		return json.Unmarshal(b, &v.text)
	case '{', '[':
		v.wrong = true
	case 'n':
		v.null = true
	default:
		v.text = string(b)
	}
	return nil
}

// bodyError makes a fault of the body one that the client can mend, unless it is the size or time.
func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Message: "The request's body is malformed.", Cause: err}
}
