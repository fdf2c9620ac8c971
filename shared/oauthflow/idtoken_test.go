package oauthflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestIDToken(t *testing.T) {
	google := signingKey{"g", rsaKey()}
	redirect, popup, device, refresh := expected{nonce: "n"}, expected{}, expected{device: true}, expected{subject: "1001"}
	now := noon.Unix()
	for name, c := range map[string]struct {
		changes []any
		want    expected
	}{
		"of the redirect flow":                      {nil, redirect},
		"of the redirect flow, without azp":         {[]any{"azp", nil}, redirect},
		"of the popup flow, without a nonce":        {[]any{"nonce", nil}, popup},
		"of a device, with the azp of a mobile app": {[]any{"nonce", nil, "azp", "android-client"}, device},
		"of a refresh, without a nonce":             {[]any{"nonce", nil}, refresh},
		"of Google's other form":                    {[]any{"iss", "accounts.google.com"}, redirect},
		"with the access token's hash":              {[]any{"at_hash", accessTokenHash("at")}, redirect},
		"from four minutes ago":                     {[]any{"iat", now - 240}, redirect},
		"from in four minutes":                      {[]any{"iat", now + 240}, redirect},
	} {
		t.Run("accepts one "+name, func(t *testing.T) {
			f, _ := newIssuers(t)
			who, err := f.verifyIDToken(t.Context(), google.token(t, googleClaims(), c.changes...), "at", c.want)
			if err != nil || who != (identity{"1001", "ada@example.com", "example.com"}) {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}
	for _, sub := range []string{"1", strings.Repeat("1", 255)} {
		t.Run(fmt.Sprintf("accepts one of a subject of %d characters, without an address", len(sub)), func(t *testing.T) {
			f, _ := newIssuers(t)
			who, err := f.verifyIDToken(t.Context(), google.token(t, googleClaims(), "sub", sub, "email", nil), "at", redirect)
			if err != nil || who.subject != sub || who.email != "" {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}
	for name, c := range map[string]struct {
		changes []any
		want    expected
		says    string
	}{
		"without the nonce":                      {[]any{"nonce", nil}, redirect, "nonce"},
		"with another nonce":                     {[]any{"nonce", "m"}, redirect, "nonce"},
		"with another azp in the redirect flow":  {[]any{"azp", "android-client"}, redirect, "azp"},
		"with another azp in the popup flow":     {[]any{"azp", "android-client"}, popup, "azp"},
		"for another client on a device":         {[]any{"aud", "android-client"}, device, "audience"},
		"of a refresh, of somebody else":         {[]any{"sub", "1002"}, refresh, "another subject"},
		"of a refresh, of another client":        {[]any{"aud", "client-2"}, refresh, "audience"},
		"of a refresh, of another issuer":        {[]any{"iss", appIssuer}, refresh, "issuer"},
		"of a refresh, from an hour ago":         {[]any{"iat", now - 3600}, refresh, "iat is 3600 s behind this machine's clock"},
		"for two clients":                        {[]any{"aud", []string{"client-1", "client-2"}}, redirect, "audiences"},
		"of another access token":                {[]any{"at_hash", accessTokenHash("other")}, redirect, "at_hash"},
		"without a subject":                      {[]any{"sub", nil}, redirect, "sub"},
		"of a subject of 256 characters":         {[]any{"sub", strings.Repeat("1", 256)}, redirect, "sub"},
		"without a time":                         {[]any{"iat", nil}, redirect, "iat is missing"},
		"of a clock that is ahead":               {[]any{"iat", now + 312, "exp", now + 3912}, redirect, "iat is 312 s ahead of this machine's clock"},
		"of a clock that is behind":              {[]any{"iat", now - 600}, redirect, "iat is 600 s behind this machine's clock"},
		"of a clock that is hours behind":        {[]any{"iat", now - 6*3600, "exp", now - 5*3600}, redirect, "exp is 18000 s behind this machine's clock"},
		"without an end":                         {[]any{"exp", nil}, redirect, "exp is missing"},
		"with an empty nonce":                    {[]any{"nonce", ""}, redirect, "nonce"},
		"with an empty azp":                      {[]any{"azp", ""}, redirect, "azp"},
		"with an azp that is a number":           {[]any{"azp", 7}, redirect, ""},
		"with an empty hash":                     {[]any{"at_hash", ""}, redirect, "at_hash"},
		"of an empty subject":                    {[]any{"sub", ""}, redirect, "sub"},
		"of a subject that is a number":          {[]any{"sub", 7}, redirect, ""},
		"of no subject, with an address instead": {[]any{"sub", nil, "user_id", "ada@example.com"}, redirect, "sub"},
		"with an address that is a list":         {[]any{"email", []string{"ada@example.com"}}, redirect, ""},
		"of nobody":                              {[]any{"iss", nil}, redirect, "issuer"},
		"of Google with a slash":                 {[]any{"iss", Issuer + "/"}, redirect, "issuer"},
		"for nobody":                             {[]any{"aud", nil}, redirect, "audience"},
		"for no client but in azp":               {[]any{"aud", []string{}}, redirect, "audience"},
		"of the time 0":                          {[]any{"iat", 0}, redirect, "iat"},
		"with an end that is a word":             {[]any{"exp", "soon"}, redirect, ""},
		"of a start that is to come":             {[]any{"nbf", now + 600}, redirect, ""},
		"of the app's issuer":                    {[]any{"iss", appIssuer, "aud", "project-1"}, redirect, "issuer"},
		"that is a service account's":            {[]any{"aud", job}, redirect, "audience"},
	} {
		t.Run("refuses one "+name+", and says so", func(t *testing.T) {
			f, _ := newIssuers(t)
			who, err := f.verifyIDToken(t.Context(), google.token(t, googleClaims(), c.changes...), "at", c.want)
			if !errors.Is(err, ErrIDToken) || !strings.Contains(err.Error(), c.says) || who != (identity{}) {
				t.Errorf("%+v, %v, want %q", who, err, c.says)
			}
		})
	}
}

// FuzzIDTokenClaims signs claims as Google would and checks by a second reading whether they had to be
// refused.
func FuzzIDTokenClaims(f *testing.F) {
	flow, _ := newIssuers(f)
	google := signingKey{"g", rsaKey()}
	good := fmt.Sprintf(`{"iss":"https://accounts.google.com","aud":"client-1","azp":"client-1","sub":"1","iat":%d,"exp":%d,"nonce":"n","at_hash":"%s","email":"a@example.com"}`,
		noon.Unix(), noon.Unix()+3600, accessTokenHash("at"))
	f.Add([]byte(good))
	for _, change := range [][2]string{
		{`"https://accounts.google.com"`, `"accounts.google.com"`}, {`"aud":"client-1"`, `"aud":["client-1"]`}, {`"aud":"client-1"`, `"aud":["client-1","x"]`},
		{`"azp":"client-1",`, ``}, {`"azp":"client-1"`, `"azp":null`}, {`"azp":"client-1"`, `"azp":""`}, {`"sub":"1"`, `"sub":""`}, {`"sub":"1"`, `"SUB":"1"`},
		{`"sub":"1"`, `"sub":"1","sub":"2"`}, {`"nonce":"n"`, `"nonce":null`}, {`"at_hash":"`, `"at_hash":"x`}, {`"at_hash":`, `"x":`},
		{`"iat":`, `"iat":1e1`}, {`"iat":`, `"iat":-`}, {`"exp":`, `"exp":0.`}, {`"exp":`, `"nbf":99999999999,"exp":`}, {`"email":"a@example.com"`, `"_claim_names":{"a":"b"}`},
	} {
		f.Add([]byte(strings.Replace(good, change[0], change[1], 1)))
	}
	if _, err := flow.verifyIDToken(f.Context(), google.sign(f, []byte(good)), "at", expected{nonce: "n"}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		who, err := flow.verifyIDToken(t.Context(), google.sign(t, payload), "at", expected{nonce: "n"})
		if err != nil {
			if !errors.Is(err, ErrIDToken) || who != (identity{}) {
				t.Fatalf("%+v, %v", who, err)
			}
			return
		}
		if fault := faultOf(payload, who); fault != "" {
			t.Fatalf("%s accepted: %s", fault, payload)
		}
	})
}

// faultOf reads an accepted token's claims a second time and names what should have been refused. As
// encoding/json does, it takes no notice of the case of a name, and the last of equal names counts.
func faultOf(payload []byte, who identity) string {
	claims := map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(payload)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "what is no object"
	}
	for d.More() {
		name, err := d.Token()
		var value any
		if err != nil || d.Decode(&value) != nil {
			return "broken JSON"
		}
		if value != nil { // null leaves a field as it was
			claims[strings.ToLower(name.(string))] = value
		}
	}
	is := func(name string, allowed ...any) bool {
		for _, a := range allowed {
			if claims[name] == a {
				return true
			}
		}
		return false
	}
	number := func(name string) float64 {
		if n, ok := claims[name].(float64); ok {
			return n
		}
		return math.NaN()
	}
	if list, ok := claims["aud"].([]any); ok && len(list) == 1 {
		claims["aud"] = list[0]
	}
	now := float64(noon.Unix())
	sub, _ := claims["sub"].(string)
	switch {
	case !is("iss", "https://accounts.google.com", "accounts.google.com"):
		return "iss"
	case !is("aud", "client-1"):
		return "aud"
	case !is("azp", "client-1", nil):
		return "azp"
	case !(number("exp") >= now):
		return "exp"
	case !(math.Abs(number("iat")-now) <= 301):
		return "iat"
	case !is("nonce", "n"):
		return "nonce"
	case !is("at_hash", accessTokenHash("at"), nil):
		return "at_hash"
	case sub == "" || len(sub) > 255 || who.subject != sub:
		return "sub"
	}
	return ""
}
