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

// TestForgedIDTokenIsRefused has Google's token endpoint answer with ID tokens that Google did not sign for us. What each
// claim has to be is told in shared/oauthflow.
func TestForgedIDTokenIsRefused(t *testing.T) {
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
		"of another flow": func(w *world, c map[string]any) string {
			c["nonce"] = "other"
			return w.fake.SignIDToken(c)
		},
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
