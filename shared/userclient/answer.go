package userclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
)

var (
	// ErrBadAnswer means that Google's answer makes no sense.
	ErrBadAnswer = errors.New("userclient: bad answer")
	// ErrCut is the ErrBadAnswer of an answer that broke off. If the request's time was up, the error is
	// context.DeadlineExceeded as well.
	ErrCut = fmt.Errorf("%w: it broke off", ErrBadAnswer)
)

// maxAnswer bounds an answer that the API clients read as a whole, in bytes. A download is not one.
const maxAnswer = 4 << 20

// answerBody makes every error in reading an answer's body an ErrCut, since HTTP/1 and HTTP/2 have different ones, and
// bounds it.
type answerBody struct {
	io.ReadCloser
	left int64 // bytes that may still come
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, fmt.Errorf("%w: it is longer than %d bytes", ErrBadAnswer, maxAnswer)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", ErrCut, err)
	}
	return n, err
}

// checkAnswer returns the answer, or an error where it is a success that is to hold a JSON object and
// does not: the API clients decode null without complaint and return a nil pointer.
func checkAnswer(r *http.Request, res *http.Response) (*http.Response, error) {
	body := &answerBody{res.Body, maxAnswer}
	res.Body = body
	if !holdsObject(r, res) {
		if res.StatusCode >= 200 && res.StatusCode <= 299 {
			body.left = math.MaxInt64
		}
		return res, nil
	}
	const maxSpace = 1024
	first := []byte{' '}
	var err error
	for n := 0; n < maxSpace && err == nil && strings.Contains(" \t\r\n", string(first)); n++ {
		_, err = io.ReadFull(res.Body, first)
	}
	if err == nil && first[0] == '{' {
		res.Body = readCloser{io.MultiReader(bytes.NewReader(first), res.Body), res.Body}
		return res, nil
	}
	res.Body.Close()
	if err == nil || errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: a success that holds no JSON object", ErrBadAnswer)
	}
	return nil, err
}

// holdsObject reports whether res has to hold a JSON object. Google's API clients ask for one by alt=json
// in every call but downloads; a resumable upload begins with an answer that is empty.
func holdsObject(r *http.Request, res *http.Response) bool {
	if res.StatusCode < 200 || res.StatusCode > 299 || res.StatusCode == http.StatusNoContent ||
		r.Method == http.MethodHead || r.Method == http.MethodDelete {
		return false
	}
	query := r.URL.Query()
	if query.Get("uploadType") == "resumable" {
		return false
	}
	alt := query.Get("alt")
	return alt == "json" || alt == "" && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")
}
