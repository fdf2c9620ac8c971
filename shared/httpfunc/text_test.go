package httpfunc

import (
	"strings"
	"testing"
)

func TestTrim(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"cuts off white space and controls":                {" \t\r\n\u00a0\u3000\x00\x7fTea\u2028 ", "Tea"},
		"cuts off spaces and joiners of no width":          {"\u200b\u200c\u200d\u2060Tea\ufeff", "Tea"},
		"cuts off what turns text round":                   {"\u202a\u202b\u202d\u202e\u2066\u2067\u2068Tea\u2069\u202c\u200e\u200f", "Tea"},
		"cuts off soft hyphens and fillers":                {"\u00ad\u3164\uffa0Tea\u115f\u034f", "Tea"},
		"leaves what stands inside":                        {"Tea\u200b \u202eand\u202c c\u00adake", "Tea\u200b \u202eand\u202c c\u00adake"},
		"leaves nothing of what shows nothing":             {" \u200b\ufeff\u2067\u2069 ", ""},
		"leaves an emoji of several characters as it is":   {"❤\ufe0f👩\u200d💻", "❤\ufe0f👩\u200d💻"},
		"leaves a flag of tags as it is":                   {"Tea 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "Tea 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"},
		"leaves an Arabic sign that is seen before number": {"\u0600١", "\u0600١"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Trim(tt.text); got != tt.want {
				t.Errorf("%+q, want %+q", got, tt.want)
			}
		})
	}
}

func TestIsolate(t *testing.T) {
	page := func(text string) string {
		return string((*pageData)(nil).Message("There is no " + Isolate(text) + " here."))
	}
	for name, tt := range map[string]struct{ text, page, program string }{
		"isolates a text on a page, and in no program's answer": {"שלום", "There is no <bdi>שלום</bdi> here.", "There is no שלום here."},
		"leaves out what nobody sees, and what ends an isolate": {"a\u2069\u202e\u200bb c\n", "There is no <bdi>ab c</bdi> here.", "There is no ab c here."},
		"keeps HTML inert":                                       {"<b>&", "There is no <bdi>&lt;b&gt;&amp;</bdi> here.", "There is no <b>& here."},
		"cuts a long text, between characters":                   {strings.Repeat("茶", 101), "There is no <bdi>" + strings.Repeat("茶", 100) + "…</bdi> here.", "There is no " + strings.Repeat("茶", 100) + "… here."},
		"replaces what is not UTF-8, so that JSON can hold it":   {"caf\xe9", "There is no <bdi>caf\ufffd</bdi> here.", "There is no caf\ufffd here."},
		"isolates nothing where there is nothing, and no more":   {"", "There is no <bdi></bdi> here.", "There is no  here."},
		"keeps what is a variation of the character in front it": {"❤\ufe0f", "There is no <bdi>❤\ufe0f</bdi> here.", "There is no ❤\ufe0f here."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := page(tt.text); got != tt.page {
				t.Errorf("page: %+q, want %+q", got, tt.page)
			}
			if got := messageText("There is no " + Isolate(tt.text) + " here."); got != tt.program {
				t.Errorf("program: %+q, want %+q", got, tt.program)
			}
		})
	}
}

// A right-to-left override in what is somebody's would turn the rest of our sentence round.
func TestPagesIsolateWhatIsSomebodys(t *testing.T) {
	k := newKit(t)
	const turned = "\u202eadv@example.com"
	_, c := k.grant(turned, someScope)
	cookie := c.Name + "=" + c.Value
	refusing := forUser(Function{Name: "refusing", Form: NewPage("Form", "{{.Form}}</form>"),
		Get: func(*Call) (*View, error) { return nil, Invalid("This is no " + Isolate(turned) + " here.") }, Post: func(*Call) (*View, error) { return nil, Invalid("This is no " + Isolate(turned) + " here.") }})
	account := &handler{Function: Function{Name: accountName}, serve: (*exchange).serveAccount, formPage: (*exchange).accountPage, methods: []string{"GET", "POST"}}
	want(t, k.serve(account, request("GET", "/account", "", "Cookie", cookie)), 200,
		"Signed in as </span><bdi>"+turned+"</bdi>", "You are signed in as <strong><bdi>"+turned+"</bdi></strong>")
	want(t, k.serve(refusing, request("GET", "/refusing", "", "Cookie", cookie)), 400, "This is no <bdi>adv@example.com</bdi> here.")
	form := k.serve(refusing, request("POST", "/refusing", "a=1&form="+markOn(t, k.serve(account, request("GET", "/account", "", "Cookie", cookie)).Body.String()), "Cookie", cookie))
	want(t, form, 400, `role="alert"`, "This is no <bdi>adv@example.com</bdi> here.")
	want(t, k.serve(refusing, request("GET", "/refusing", "", "Cookie", cookie, "Accept", jsonType)), 400, `"This is no adv@example.com here."`)
}
