package httpfunc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
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
		b, err := io.ReadAll(r.Body)
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
		return parseJSON(r.Body)
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
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
		if part.FileName() != "" {
			form.File = &File{Reader: fileReader{part}, Name: part.FileName(), Type: part.Header.Get("Content-Type")}
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

func parseJSON(body io.Reader) (*Form, error) {
	var members map[string]any
	d := json.NewDecoder(body)
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return nil, bodyError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bodyError(err)
	}
	form := &Form{Values: url.Values{}}
	for name, member := range members {
		list, ok := member.([]any)
		if !ok {
			list = []any{member}
		}
		for _, v := range list {
			switch v := v.(type) {
			case string:
				form.Add(name, v)
			case json.Number:
				form.Add(name, v.String())
			case bool:
				form.Add(name, map[bool]string{true: "true", false: "false"}[v])
			case nil:
			default:
				return nil, Invalid("The field " + strings.ToValidUTF8(name, "") + " is of the wrong type.")
			}
		}
	}
	return form, nil
}

// bodyError makes a fault of the body one that the client can mend, unless it is the size or time.
func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Message: "The request's body is malformed.", Cause: err}
}
