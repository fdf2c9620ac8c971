package httpfunc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func posted(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestParseFormOfJSON(t *testing.T) {
	for body, want := range map[string]url.Values{
		`{}`:   {},
		`null`: {},
		` {"a" : "x\n\u00e9" , "b":"","c":null} `:    {"a": {"x\né"}, "b": {""}},
		`{"n":1e3,"i":-7,"t":true,"f":false}`:        {"n": {"1e3"}, "i": {"-7"}, "t": {"true"}, "f": {"false"}},
		`{"l":["x",2,null,true],"e":[]}`:             {"l": {"x", "2", "true"}},
		`{"a":["1","2"],"a":"3"}`:                    {"a": {"3"}},
		`{"a":"` + strings.Repeat("x", 1<<20) + `"}`: {"a": {strings.Repeat("x", 1<<20)}},
	} {
		form, err := ParseForm(posted("application/json", body))
		if err != nil || !reflect.DeepEqual(form.Values, want) {
			t.Errorf("%.60s: %.60v, %v", body, form, err)
		}
	}
	for _, body := range []string{`{`, `{"a":}`, `[]`, `"a"`, `7`, `{"a":1} {"b":2}`, `{"a":"b"`, `{"a":["b"}`, ` `,
		`{"a":{}}`, `{"a":{"b":"c"}}`, `{"a":[[]]}`, `{"a":[{}]}`, `{"a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`} {
		_, err := ParseForm(posted("application/json", body))
		var invalid *Error
		if !errors.As(err, &invalid) || invalid.Status != http.StatusBadRequest {
			t.Errorf("%.60s: %v, want a 400", body, err)
		}
	}
}

// What a text takes is its body and itself, however large it is.
func TestParseFormTakesLittleMemory(t *testing.T) {
	const size = 8 << 20
	text := strings.Repeat("x", size)
	for contentType, body := range map[string]string{"application/json": `{"content":"` + text + `"}`, "application/x-www-form-urlencoded": "content=" + text} {
		r := posted(contentType, body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		form, err := ParseForm(r)
		runtime.ReadMemStats(&after)
		if err != nil || form.Get("content") != text {
			t.Fatalf("%s: %v", contentType, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 2.5*size {
			t.Errorf("%s: %d bytes for %d", contentType, took, size)
		}
	}
}
