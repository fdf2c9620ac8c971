package all_test

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
	for name, forge := range map[string]func(w *world, claims map[string]any) string{
		"signed with another key": func(w *world, c map[string]any) string { return w.fake.SignIDTokenWith(foreign, c) },
		"signed with a key that Google withdrew": func(w *world, c map[string]any) string {
			token := w.fake.SignIDToken(c)
			w.fake.RotateKeys()
			w.fake.RotateKeys()
			return token
		},
		"altered after signing": func(w *world, c map[string]any) string {
			return forged(w.fake.SignIDToken(c), func(header, claims map[string]any) { claims["sub"] = "1" }, nil)
		},
		"without a signature": func(w *world, c map[string]any) string {
			token := w.fake.SignIDToken(c)
			return token[:strings.LastIndexByte(token, '.')+1]
		},
		"with alg none": func(w *world, c map[string]any) string {
			return forged(w.fake.SignIDToken(c), func(header, claims map[string]any) { header["alg"] = "none" }, []byte{})
		},
		"with the client secret as HMAC key": func(w *world, c map[string]any) string {
			return forged(w.fake.SignIDToken(c), func(header, claims map[string]any) { header["alg"] = "HS256" }, []byte("canary-client-secret"))
		},
		"absent":    func(*world, map[string]any) string { return "" },
		"not a JWT": func(*world, map[string]any) string { return "garbage" },
		"for the scheduler's account": func(w *world, c map[string]any) string {
			c["aud"] = w.url + "/dailyevent"
			return w.fake.SignIDToken(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			w.signedIn(grace)                // Google's keys are here,
			w.clock.advance(6*time.Hour + 1) // and were good for six hours
			b := w.browser()
			consent := b.get("/listlabels").location()
			callback := b.consent(consent, fakegoogle.Decision{User: ada})
			token := forge(w, map[string]any{"aud": "test-client", "sub": subjectOf(t, w.fake, ada), "nonce": queryOf(t, consent).Get("nonce")})
			w.fake.EditTokenResponse(func(body map[string]any) { body["id_token"] = token })
			expect(t, b.get(callback), http.StatusBadGateway)
			w.fake.EditTokenResponse(nil)
			noTrace(t, w, b)
		})
	}

	t.Run("and what is no fault is none", func(t *testing.T) {
		for name, edit := range map[string]func(map[string]any){
			"iss without a scheme":  claim("iss", "accounts.google.com"),
			"iat four minutes old":  at("iat", -4*time.Minute),
			"iat 4 minutes ahead":   at("iat", 4*time.Minute),
			"no azp":                without("azp"),
			"no at_hash":            without("at_hash"),
			"sub of 255 characters": claim("sub", strings.Repeat("1", 255)),
			"sub of one character":  claim("sub", "1"),
			"no email":              without("email"),
			"nothing at all":        func(map[string]any) {},
		} {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			b := w.browser()
			callback := b.callback("/listlabels", fakegoogle.Decision{User: ada})
			w.fake.EditIDToken(edit)
			if a := b.get(callback); a.status != http.StatusSeeOther {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}

// forged returns a JWT with its header and claims changed: with its old signature, with none if key is
// empty, or signed with key by HMAC SHA-256.
func forged(jwt string, change func(header, claims map[string]any), key []byte) string {
	parts := strings.Split(jwt, ".")
	var decoded [2]map[string]any
	for i := range decoded {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(b, &decoded[i]) != nil {
			panic("not a JWT: " + jwt)
		}
	}
	change(decoded[0], decoded[1])
	for i := range decoded {
		b, _ := json.Marshal(decoded[i])
		parts[i] = base64.RawURLEncoding.EncodeToString(b)
	}
	switch {
	case key == nil:
	case len(key) == 0:
		parts[2] = ""
	default:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(parts[0] + "." + parts[1]))
		parts[2] = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(parts, ".")
}
