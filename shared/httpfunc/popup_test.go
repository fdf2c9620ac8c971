package httpfunc

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzPopupJSON(f *testing.F) {
	for _, body := range []string{
		`{"code":"4/0abc"}`, `{"code":""}`, `{"code":7}`, `{"code":null}`, `{"CODE":"x","redirect_uri":"https://evil.example"}`, `{"code":"a","code":"b"}`,
		`{}`, `[]`, `null`, ``, `{"code":"x"}{}`, `{"code":"\ud800"}`, `"code"`, `{"code":"` + strings.Repeat("x", maxPopup) + `"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/oauth2callback", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Requested-With", "XmlHttpRequest")
		code, err := readCode(httptest.NewRecorder(), r)
		var own *Error
		switch {
		case err == nil:
			var object map[string]any
			if code == "" || len(body) > maxPopup || json.Unmarshal([]byte(body), &object) != nil {
				t.Fatalf("%q out of %q", code, body)
			}
			for name, value := range object {
				if strings.EqualFold(name, "code") && value == code {
					return
				}
			}
			t.Fatalf("%q is not in %q", code, body)
		case !errors.As(err, &own) || code != "":
			t.Fatalf("%q, %v", code, err)
		case (own.Status == http.StatusRequestEntityTooLarge) != (len(body) > maxPopup):
			t.Fatalf("%d bytes: %v", len(body), err)
		case own.Status != http.StatusRequestEntityTooLarge && own.Status != http.StatusBadRequest:
			t.Fatal(err)
		}
	})
}
