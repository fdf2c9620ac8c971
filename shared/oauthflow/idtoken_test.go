package oauthflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

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
