package functions_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

func TestIDTokenFaultIsRefused(t *testing.T) {
	at := func(name string, d time.Duration) func(map[string]any) {
		return func(c map[string]any) { c[name] = time.Now().Add(d).Unix() }
	}
	claim := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	without := func(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }
	w := newWorld(t, tokenstore.NewMemory(), nil)

	for name, edit := range map[string]func(map[string]any){
		"iss of another provider":       claim("iss", "https://evil.example"),
		"iss with a slash":              claim("iss", "https://accounts.google.com/"),
		"no iss":                        without("iss"),
		"aud of another client":         claim("aud", "other-client"),
		"aud of ours and another":       claim("aud", []string{"test-client", "other-client"}),
		"no aud":                        without("aud"),
		"azp of another client":         claim("azp", "other-client"),
		"empty azp":                     claim("azp", ""),
		"azp of the wrong type":         claim("azp", 7),
		"expired":                       at("exp", -time.Second),
		"no exp":                        without("exp"),
		"exp of the wrong type":         claim("exp", "soon"),
		"iat over five minutes old":     at("iat", -5*time.Minute-5*time.Second),
		"iat over five minutes ahead":   at("iat", 5*time.Minute+time.Minute),
		"no iat":                        without("iat"),
		"iat 0":                         claim("iat", 0),
		"nonce of another flow":         claim("nonce", "other"),
		"empty nonce":                   claim("nonce", ""),
		"no nonce":                      without("nonce"),
		"at_hash of another token":      claim("at_hash", base64.RawURLEncoding.EncodeToString(make([]byte, 16))),
		"empty at_hash":                 claim("at_hash", ""),
		"sub of 256 characters":         claim("sub", strings.Repeat("1", 256)),
		"empty sub":                     claim("sub", ""),
		"no sub":                        without("sub"),
		"sub of the wrong type":         claim("sub", 7),
		"email of the wrong type":       claim("email", []string{ada}),
		"nbf over five minutes ahead":   at("nbf", 6*time.Minute),
		"sub null, email in its place":  func(c map[string]any) { c["sub"] = nil; c["user_id"] = ada },
		"aud empty, client in azp only": claim("aud", []string{}),
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			callback := b.callback("/listlabels", fakegoogle.Decision{User: ada})
			w.fake.EditIDToken(edit)
			expect(t, b.get(callback), http.StatusBadGateway)
			w.fake.EditIDToken(nil)
			noTrace(t, w, b)
		})
	}

	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func(claims map[string]any) string{
		"signed with another key": func(c map[string]any) string { return w.fake.SignIDTokenWith(foreign, c) },
		"altered after signing":   func(c map[string]any) string { return altered(w.fake.SignIDToken(c)) },
		"without a signature": func(c map[string]any) string {
			return strings.TrimRight(w.fake.SignIDToken(c), "-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
		},
		"with alg none": func(c map[string]any) string { return withAlgorithm("none", w.fake.SignIDToken(c), nil) },
		"with the client secret as HMAC key": func(c map[string]any) string {
			return withAlgorithm("HS256", w.fake.SignIDToken(c), []byte("canary-client-secret"))
		},
		"absent":    func(map[string]any) string { return "" },
		"no JWT":    func(map[string]any) string { return "garbage" },
		"withdrawn": nil,
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			callback := b.callback("/listlabels", fakegoogle.Decision{User: ada})
			claims := map[string]any{"aud": "test-client", "sub": subjectOf(t, w.fake, ada), "nonce": ""}
			// The nonce of the flow is in its consent URL.
			a := b.get("/listlabels")
			callback = b.consent(a.location(), fakegoogle.Decision{User: ada})
			claims["nonce"] = queryOf(t, a.location()).Get("nonce")
			if forge == nil {
				forge = func(c map[string]any) string {
					old := w.fake.SignIDToken(c)
					w.fake.RotateKeys()
					w.fake.RotateKeys()
					w.clock.advance(7 * time.Hour) // the key set was good for six
					callback = b.callback("/listlabels", fakegoogle.Decision{User: ada})
					return old
				}
				claims["iat"], claims["exp"] = time.Now().Add(7*time.Hour).Unix(), time.Now().Add(8*time.Hour).Unix()
				delete(claims, "nonce")
			}
			forged := forge(claims)
			w.fake.EditTokenResponse(func(body map[string]any) { body["id_token"] = forged })
			expect(t, b.get(callback), http.StatusBadGateway)
			w.fake.EditTokenResponse(nil)
			noTrace(t, w, b)
		})
	}
}
