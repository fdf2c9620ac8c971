package httpfunc

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"
)

func TestAnswerThatBreaksOffIsGooglesFault(t *testing.T) {
	cut := answerBody{io.NopCloser(iotest.ErrReader(errors.New("stream error: INTERNAL_ERROR")))} // as HTTP/2 has it
	_, err := io.ReadAll(cut)
	if p := new(App).problemOf(err); p.status != http.StatusBadGateway {
		t.Errorf("%v: %d", err, p.status)
	}
}
