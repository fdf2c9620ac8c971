package httpfunc

import (
	"bytes"
	"strings"
	"testing"

	"functions.local/oauth/shared/config"
)

func TestRender(t *testing.T) {
	a := &App{config: &config.Config{BaseURL: "https://example.com"}}
	page := NewPage("Title", `<p>{{.Value}}</p>`)

	t.Run("carries the style that the policy allows, byte for byte", func(t *testing.T) {
		var b bytes.Buffer
		if err := a.render(&b, page.View("text"), &pageData{}); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(b.String(), "<style>")
		style, _, found := strings.Cut(rest, "</style>")
		if !found || !strings.Contains(contentSecurityPolicy, "'sha256-"+sha256Base64(style)+"'") {
			t.Errorf("%s does not allow the style %q", contentSecurityPolicy, style)
		}
	})
	t.Run("says what is wrong with a malformed template", func(t *testing.T) {
		err := a.render(new(bytes.Buffer), NewPage("Title", "<p>{{.Value").View("text"), &pageData{})
		if err == nil || !strings.Contains(err.Error(), "body:1") {
			t.Errorf("error %v, which does not name the line", err)
		}
	})
}
