package oauthflow

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKeysCostAtMostOneDownloadAMinute(t *testing.T) {
	now := noon.Unix()
	forger := func(id string) signingKey { return signingKey{id, forgersKey()} }
	good := signingKey{"a", ecKey()}.token(t, userClaims())
	half := good[:strings.LastIndexByte(good, '.')+1]
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + strings.TrimSuffix(good[strings.IndexByte(good, '.'):], good[len(half):])
	for name, shape := range map[string]struct {
		token     func(i int) string
		downloads int // of the key set, in the first minute
	}{
		"key ids of the forger's": {func(i int) string { return forger(fmt.Sprint(i)).token(t, userClaims()) }, 1},
		"the current key id":      {func(int) string { return forger("a").token(t, userClaims()) }, 1},
		"no key id":               {func(int) string { return forger("").token(t, userClaims()) }, 1},
		"a good token with another signature": {func(i int) string {
			return half + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", 64)))
		}, 1},
		"the client's id as HMAC key": {func(int) string { return signingKey{"a", []byte(strings.Repeat("client-1", 8))}.token(t, userClaims()) }, 0},
		"no signature":                {func(int) string { return half }, 1},
		"the algorithm none":          {func(int) string { return unsigned }, 0},
		"another audience":            {func(int) string { return forger("a").token(t, userClaims(), "aud", "x") }, 0},
		"two audiences":               {func(int) string { return forger("a").token(t, userClaims(), "aud", []string{"project-1", "x"}) }, 0},
		"another issuer":              {func(int) string { return forger("a").token(t, userClaims(), "iss", appIssuer+"/") }, 0},
		"an end that has passed":      {func(int) string { return forger("a").token(t, userClaims(), "exp", now-1) }, 0},
		"no end":                      {func(int) string { return forger("a").token(t, userClaims(), "exp", nil) }, 0},
		"no JWT":                      {func(i int) string { return strings.Repeat(".", i) }, 0},
		"a megabyte":                  {func(int) string { return good + strings.Repeat("x", 1<<20) }, 0},
		"the JSON form":               {func(int) string { return `{"payload":"e30","signatures":[]}` }, 0},
	} {
		t.Run("200 forged tokens with "+name, func(t *testing.T) {
			f, w := newIssuers(t)
			var tokens []string
			for i := range 20 {
				tokens = append(tokens, shape.token(i))
			}
			flood := func() {
				for i := range 200 {
					if who, err := f.VerifyBearer(t.Context(), tokens[i%len(tokens)], ""); !errors.Is(err, ErrBearer) {
						t.Fatalf("%+v, %v", who, err)
					}
				}
			}
			flood()
			if n := w.calls[appKeys]; n != shape.downloads || w.count() > 2*shape.downloads {
				t.Errorf("%v, want %d downloads", w.calls, shape.downloads)
			}
			w.pass(time.Minute)
			flood()
			if n := w.calls[appKeys]; n != 2*shape.downloads {
				t.Errorf("a minute later: %v", w.calls)
			}
			if who, err := f.VerifyBearer(t.Context(), good, ""); err != nil {
				t.Errorf("after the flood: %+v, %v", who, err)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	old, next := signingKey{"g", rsaKey()}, signingKey{"next", otherKey()}
	verify := func(f *Flow, k signingKey) error {
		_, err := f.verifyIDToken(context.Background(), k.token(t, googleClaims(), "iat", f.config.Now().Unix(), "exp", f.config.Now().Unix()+3600), "", expected{})
		return err
	}

	t.Run("a new key is found", func(t *testing.T) {
		f, w := newIssuers(t)
		if err := verify(f, old); err != nil {
			t.Fatal(err)
		}
		w.set(keysURL, jwks(t, old, next))
		w.pass(time.Minute)
		if err := verify(f, next); err != nil || w.count() != 2 {
			t.Errorf("%v after %d downloads", err, w.count())
		}
	})

	t.Run("a withdrawn key is good for as long as the issuer said, and then no more", func(t *testing.T) {
		f, w := newIssuers(t)
		if err := verify(f, old); err != nil {
			t.Fatal(err)
		}
		w.set(keysURL, jwks(t, next))
		w.pass(6*time.Hour - time.Second)
		if err := verify(f, old); err != nil || w.count() != 1 {
			t.Errorf("before max-age: %v, %d downloads", err, w.count())
		}
		w.pass(time.Second)
		if err := verify(f, old); !errors.Is(err, ErrIDToken) || w.count() != 2 {
			t.Errorf("after max-age: %v, %d downloads", err, w.count())
		}
	})

	t.Run("a token or a key without an id is tried", func(t *testing.T) {
		f, w := newIssuers(t)
		w.set(keysURL, jwks(t, next, signingKey{"", rsaKey()}))
		for _, id := range []string{"", "g", "next"} {
			if err := verify(f, signingKey{id, rsaKey()}); err != nil {
				t.Errorf("a token with the id %q: %v", id, err)
			}
		}
	})

	t.Run("an issuer that does not answer is unavailable, and asked again a second later", func(t *testing.T) {
		f, w := newIssuers(t)
		w.set(keysURL, "")
		for range 10 {
			if err := verify(f, old); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrIDToken) || w.count() != 1 {
				t.Fatalf("%v after %d downloads", err, w.count())
			}
		}
		w.set(keysURL, jwks(t, old))
		w.pass(time.Second)
		if err := verify(f, old); err != nil {
			t.Error(err)
		}
	})

	t.Run("an issuer that no longer answers is unavailable for keys that are not here, and for all when they are too old", func(t *testing.T) {
		f, w := newIssuers(t)
		if err := verify(f, old); err != nil {
			t.Fatal(err)
		}
		w.set(keysURL, "")
		w.pass(time.Hour)
		if err := verify(f, next); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a new key: %v", err)
		}
		if err := verify(f, old); err != nil {
			t.Errorf("a key that is here: %v", err)
		}
		w.pass(5 * time.Hour)
		if err := verify(f, old); !errors.Is(err, ErrUnavailable) {
			t.Errorf("keys that are too old: %v", err)
		}
	})

	for name, body := range map[string]string{
		"HTML": "<html>", "null": "null", "no keys": `{"keys":[]}`, "only keys for other things": jwks(t, `{"kty":"oct","k":"c2VjcmV0"}`),
		"300 KiB": strings.Repeat(" ", 300<<10) + jwks(t, old), "half a set": jwks(t, old)[:40],
	} {
		t.Run("an issuer that answers "+name+" is unavailable", func(t *testing.T) {
			f, w := newIssuers(t)
			w.set(keysURL, body)
			if err := verify(f, old); !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
		})
	}

	for _, status := range []int{http.StatusFound, http.StatusNotFound, http.StatusServiceUnavailable} {
		t.Run("an issuer that answers "+http.StatusText(status)+" is unavailable", func(t *testing.T) {
			f, w := newIssuers(t)
			w.status = status
			if err := verify(f, old); !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
		})
	}

	t.Run("requests at once share a download, and one that gives up does not end it", func(t *testing.T) {
		f, w := newIssuers(t)
		w.held = make(chan struct{})
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.keys.get(gone, nil); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := verify(f, old); err != nil {
					t.Error(err)
				}
			})
		}
		close(w.held)
		all.Wait()
		if w.count() != 1 {
			t.Errorf("%d downloads", w.count())
		}
	})
}

// One odd key does not spoil the set [RFC 7517 §5].
func TestKeySetWithAKeyThatCannotBeRead(t *testing.T) {
	n := base64.RawURLEncoding.EncodeToString(rsaKey().N.Bytes())
	for name, other := range map[string]string{
		"a curve of Bitcoin's":      `{"kty":"EC","kid":"2","crv":"secp256k1","x":"AAAA","y":"AAAA"}`,
		"coordinates that are cut":  `{"kty":"EC","kid":"2","alg":"ES256","crv":"P-256","x":"AAAA","y":"AA"}`,
		"a point off the curve":     `{"kty":"EC","kid":"2","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`,
		"an empty certificate":      `{"kty":"RSA","kid":"2","alg":"RS256","x5c":[""],"n":"` + n + `","e":"AQAB"}`,
		"base64 with padding":       `{"kty":"RSA","kid":"2","alg":"RS256","n":"` + n + `==","e":"AQAB"}`,
		"a key type of tomorrow":    `{"kty":"AKP","kid":"2","alg":"ML-DSA-44","pub":"AAAA"}`,
		"no key type":               `{"kid":"2"}`,
		"a key id that is a number": `{"kty":"RSA","kid":2,"n":"` + n + `","e":"AQAB"}`,
		"an empty modulus":          `{"kty":"RSA","kid":"2","n":"","e":"AQAB"}`,
		"no exponent":               `{"kty":"RSA","kid":"2","n":"` + n + `"}`,
		"what is no object":         `"key"`,
		"null":                      `null`,
		"a secret":                  `{"kty":"oct","kid":"1","k":"c2VjcmV0"}`,
		"a key of the same id":      `{"kty":"OKP","kid":"g","crv":"Ed25519","x":"` + strings.Repeat("A", 43) + `"}`,
		"an address that is no URL": `{"kty":"RSA","kid":"2","x5u":"://","n":"` + n + `","e":"AQAB"}`,
	} {
		for _, members := range [][]any{{signingKey{"g", rsaKey()}, other}, {other, signingKey{"g", rsaKey()}}} {
			f, w := newIssuers(t)
			w.set(keysURL, jwks(t, members...))
			if _, err := f.verifyIDToken(t.Context(), signingKey{"g", rsaKey()}.token(t, googleClaims()), "", expected{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestKeysThatAreNotUsed(t *testing.T) {
	short := newRSAKey(1024)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n := base64.RawURLEncoding.EncodeToString(rsaKey().N.Bytes())
	for name, set := range map[string]string{
		"shorter than 2048 bits": jwks(t, signingKey{"k", short}),
		"meant for encryption":   jwks(t, `{"kty":"RSA","use":"enc","n":"`+n+`","e":"AQAB"}`),
		"on P-384":               jwks(t, signingKey{"k", p384}),
		"meant for RSA-PSS":      jwks(t, `{"kty":"RSA","alg":"PS256","n":"`+n+`","e":"AQAB"}`),
	} {
		if keys := readKeys([]byte(set)); len(keys) != 0 {
			t.Errorf("a key %s is read", name)
		}
	}
	if keys := readKeys([]byte(jwks(t, signingKey{"k", rsaKey()}, signingKey{"l", ecKey()}))); len(keys) != 2 {
		t.Errorf("%d keys read of 2", len(keys))
	}
}

func TestDiscovery(t *testing.T) {
	const document = appIssuer + "/.well-known/openid-configuration"
	good := signingKey{"a", ecKey()}.token(t, userClaims())
	verify := func(f *Flow) error {
		_, err := f.VerifyBearer(context.Background(), good, "")
		return err
	}

	t.Run("happens at the first request, and once", func(t *testing.T) {
		f, w := newIssuers(t)
		if w.count() != 0 {
			t.Fatal("asked before it was needed")
		}
		for range 3 {
			if err := verify(f); err != nil {
				t.Fatal(err)
			}
			w.pass(7 * time.Hour)
		}
		if w.calls[document] != 1 || w.calls[appKeys] != 3 {
			t.Errorf("%v", w.calls)
		}
	})

	t.Run("happens anew where the keys that it found do not come", func(t *testing.T) {
		f, w := newIssuers(t)
		if err := verify(f); err != nil {
			t.Fatal(err)
		}
		w.set(appKeys, "")
		w.set(document, `{"issuer":"`+appIssuer+`","jwks_uri":"https://moved.example/jwks"}`)
		w.set("https://moved.example/jwks", jwks(t, signingKey{"a", ecKey()}))
		w.pass(7 * time.Hour)
		if err := verify(f); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		w.pass(time.Second)
		if err := verify(f); err != nil {
			t.Error(err)
		}
	})

	for name, body := range map[string]string{
		"does not answer":      "",
		"answers HTML":         "<html>",
		"is another":           `{"issuer":"https://evil.example","jwks_uri":"` + appKeys + `"}`,
		"has one slash more":   `{"issuer":"` + appIssuer + `/","jwks_uri":"` + appKeys + `"}`,
		"names no keys":        `{"issuer":"` + appIssuer + `"}`,
		"has keys without TLS": `{"issuer":"` + appIssuer + `","jwks_uri":"http://keys.example/jwks"}`,
		"has keys in a file":   `{"issuer":"` + appIssuer + `","jwks_uri":"file:///jwks"}`,
	} {
		t.Run("an issuer that "+name+" is unavailable, which is not remembered", func(t *testing.T) {
			f, w := newIssuers(t)
			right := w.answers[document]
			w.set(document, body)
			w.set("http://keys.example/jwks", w.answers[appKeys])
			if err := verify(f); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrBearer) {
				t.Errorf("%v", err)
			}
			w.set(document, right)
			w.pass(time.Second)
			if err := verify(f); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}

	t.Run("keys may be on this machine without TLS", func(t *testing.T) {
		f, w := newIssuers(t)
		w.set(document, `{"issuer":"`+appIssuer+`","jwks_uri":"http://127.0.0.1:9700/jwks"}`)
		w.set("http://127.0.0.1:9700/jwks", w.answers[appKeys])
		if err := verify(f); err != nil {
			t.Error(err)
		}
	})

	t.Run("an issuer with a closing slash has its document in the same place", func(t *testing.T) {
		f, w := newIssuers(t)
		f.config.AuthIssuer, f.appKeys.issuer = appIssuer+"/", appIssuer+"/"
		w.set(document, `{"issuer":"`+appIssuer+`/","jwks_uri":"`+appKeys+`"}`)
		if _, err := f.VerifyBearer(t.Context(), signingKey{"a", ecKey()}.token(t, userClaims(), "iss", appIssuer+"/"), ""); err != nil {
			t.Error(err)
		}
	})
}

func TestKeyAge(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                                       time.Hour,
		"public":                                 time.Hour,
		"public, max-age=21600, must-revalidate": 6 * time.Hour,
		"Public,Max-Age=7200":                    2 * time.Hour,
		"max-age=99999999999999999999":           time.Hour,
		"max-age=999999999999":                   24 * time.Hour,
		"max-age=-9999999999":                    time.Minute,
		"max-age=0":                              time.Minute,
		"max-age=1":                              time.Minute,
		"no-cache, max-age=7200":                 time.Minute,
		"max-age=7200, no-store":                 time.Minute,
	} {
		if got := keyAge(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	if got := keyAge(http.Header{"Cache-Control": {"max-age=21600"}, "Age": {"18000"}}); got != time.Hour {
		t.Errorf("an answer that was cached on its way: %v", got)
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(jwks(f, signingKey{"k", rsaKey()}, signingKey{"l", ecKey()})))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},null,{}]}`))
	token := signingKey{"k", forgersKey()}.token(f, googleClaims())
	f.Fuzz(func(t *testing.T, body []byte) {
		flow, w := newIssuers(t)
		w.set(keysURL, string(body))
		if _, err := flow.keys.VerifySignature(t.Context(), token); err == nil {
			t.Fatalf("a forged token is good for %s", body)
		}
	})
}
