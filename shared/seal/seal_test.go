package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

func newKeyset(t testing.TB) *Keyset {
	t.Helper()
	k, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestValueOpensForItsPurposeAndOwnerAlone(t *testing.T) {
	k := newKeyset(t)
	sealed, err := k.SealString("purpose", "owner", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.OpenString("purpose", "owner", sealed); err != nil || string(got) != "value" {
		t.Errorf("%q, %v", got, err)
	}
	for _, c := range [][2]string{{"purpose", ""}, {"purpose", "Owner"}, {"", "owner"}, {"purposeowner", ""}, {"", "purposeowner"}, {"purpose", "owner\x00"}, {"purpos", "eowner"}} {
		if got, err := k.OpenString(c[0], c[1], sealed); !errors.Is(err, ErrInvalid) || got != nil {
			t.Errorf("opens for %q: %q, %v", c, got, err)
		}
	}
	for name, damaged := range map[string]string{
		"empty": "", "cut": sealed[:len(sealed)-2], "longer": sealed + "AA", "padded": sealed + "=", "key id alone": sealed[:7],
		"altered": sealed[:20] + strings.Map(func(r rune) rune { return r ^ 1 }, sealed[20:21]) + sealed[21:], "with a line break": sealed[:4] + "\n" + sealed[4:],
	} {
		if got, err := k.OpenString("purpose", "owner", damaged); !errors.Is(err, ErrInvalid) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if again, _ := k.SealString("purpose", "owner", []byte("value")); again == sealed {
		t.Error("two seals of a value are the same")
	}
}

func TestRotation(t *testing.T) {
	old := newKeyset(t)
	sealed, err := old.Seal("p", "o", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := old.Rotated()
	if err != nil {
		t.Fatal(err)
	}
	if rotated, err = Parse(string(revealed(rotated))); err != nil {
		t.Fatal(err)
	}
	if got, err := rotated.Open("p", "o", sealed); err != nil || string(got) != "value" {
		t.Errorf("the old key's value: %q, %v", got, err)
	}
	fresh, err := rotated.Seal("p", "o", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(fresh[:5], sealed[:5]) {
		t.Error("a new value is sealed with the old key")
	}
	if _, err := old.Open("p", "o", fresh); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without the new key: %v, want ErrUnknownKey", err)
	}
	if _, err := newKeyset(t).Open("p", "o", sealed); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("with another keyset: %v, want ErrUnknownKey", err)
	}
	hash, again := old.Hash("a"), old.Hash("a")
	if hash != again || hash == rotated.Hash("a") || hash == old.Hash("b") || len(hash) != 16 {
		t.Error("Hash does not tell two values apart, or keysets")
	}
}

func TestNewKeysAreOfAESGCMSIVAndOldOnesStillOpen(t *testing.T) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	old, err := fromHandle(handle)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := old.Seal("p", "o", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	added, err := old.Added()
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*Keyset{"new": newKeyset(t), "added": added} {
		if n := strings.Count(string(k.JSON()), "AesGcmSivKey"); n != 1 {
			t.Errorf("%s: %d keys of AES-GCM-SIV", name, n)
		}
	}
	rotated, err := added.Rotated()
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*Keyset{"the old keyset": old, "with one more": added, "rotated": rotated} {
		if got, err := k.Open("p", "o", sealed); err != nil || string(got) != "value" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A key that leaked is disabled: what it sealed is damaged, so that people sign in again (requirement 37).
func TestDisabledKey(t *testing.T) {
	old := newKeyset(t)
	id := old.handle.KeysetInfo().GetPrimaryKeyId()
	sealed, err := old.Seal("p", "o", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := old.Rotated()
	if err != nil {
		t.Fatal(err)
	}
	disabled, err := rotated.Disabled(id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := disabled.Open("p", "o", sealed); !errors.Is(err, ErrInvalid) || got != nil {
		t.Errorf("a value of the disabled key: %q, %v", got, err)
	}
	if _, err := newKeyset(t).Open("p", "o", sealed); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("a value of a key that is not there: %v", err)
	}
	if _, err := old.Disabled(id); err == nil {
		t.Error("the primary key was disabled")
	}
	has := fmt.Sprintf("which has %d (disabled), %d (primary)", id, disabled.handle.KeysetInfo().GetPrimaryKeyId())
	if _, err := disabled.Disabled(1); err == nil || !strings.HasSuffix(err.Error(), has) {
		t.Errorf("a key that is not there: %v, want … %s", err, has)
	}

	t.Run("is never made the primary by a rotation", func(t *testing.T) {
		added, err := old.Added()
		if err != nil {
			t.Fatal(err)
		}
		keys := added.handle.KeysetInfo().GetKeyInfo()
		newest := keys[len(keys)-1].GetKeyId()
		if added, err = added.Disabled(newest); err != nil {
			t.Fatal(err)
		}
		again, err := added.Rotated()
		if err != nil {
			t.Fatal(err)
		}
		if p := again.handle.KeysetInfo().GetPrimaryKeyId(); p == newest || p == id {
			t.Errorf("the primary key is %d", p)
		}
	})
}

func TestParseTakesWhatEditorsAndPipesAdd(t *testing.T) {
	text := string(revealed(newKeyset(t)))
	k, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, added := range map[string]string{"a byte order mark": "\ufeff" + text, "line ends": text + "\r\n", "both": "\r\n\ufeff\n" + text + " \t"} {
		if got, err := Parse(added); err != nil || got.Hash("a") != k.Hash("a") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSaysWhatItSaw(t *testing.T) {
	text := string(revealed(newKeyset(t)))
	utf16 := "\xff\xfe"
	for _, r := range text {
		utf16 += string(r) + "\x00"
	}
	for says, texts := range map[string][]string{
		"empty":             {"", " \r\n", "\ufeff"},
		"UTF-16":            {utf16, "\xfe\xff\x00{"},
		"quotes around it":  {"'" + text + "'", strings.TrimSpace(fmt.Sprintf("%q", text)), "\ufeff'" + text, "“" + text + "”"},
		"base64":            {base64.StdEncoding.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString([]byte("\ufeff"+text+"\n")) + "\n"},
		"cut short":         {text[:len(text)/2], strings.ReplaceAll(text, `"`, ""), text + text},
		"path":              {"/secrets/canary", "./canary", "~/canary", "canary.json", `C:\canary\keyset.json`},
		"name of a secret":  {"projects/p/secrets/canary/versions/latest"},
		"no JSON object":    {"canary", "[]", "null", "1", "<html>"},
		"not a Tink keyset": {"{}", `{"web":{"client_secret":"canary"}}`},
	} {
		for _, text := range texts {
			k, err := Parse(text)
			if err == nil || k != nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "canary") || len(err.Error()) > 100 {
				t.Errorf("%.20q: %v, want %q", text, err, says)
			}
		}
	}
}

func TestParseRefusesWhatIsNoKeysetForThis(t *testing.T) {
	written := func(template *tinkpb.KeyTemplate) string {
		handle, err := keyset.NewHandle(template)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"nothing": "", "garbage": "canary-key-material", "an empty object": "{}", "without a primary": strings.Replace(string(revealed(newKeyset(t))), "primaryKeyId", "x", 1),
		"for another primitive": written(mac.HMACSHA256Tag128KeyTemplate()), "without key ids in values": written(aead.AES256GCMNoPrefixKeyTemplate()),
	} {
		if k, err := Parse(text); err == nil || k != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}

func revealed(k *Keyset) []byte { return []byte(string(k.JSON())) }

func TestSecretsDoNotPrint(t *testing.T) {
	const canary = "canary-secret"
	k := newKeyset(t)
	material := string(revealed(k))[20:60]
	value := struct {
		S Secret
		P *Secret
		L []Secret
		M map[string]Secret
		K *Keyset
	}{S: canary, L: []Secret{canary}, M: map[string]Secret{"a": canary}, K: k}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T"} {
		fmt.Fprintf(&out, verb, value)
		fmt.Fprintf(&out, verb, value.S)
		fmt.Fprintf(&out, verb, k)
	}
	fmt.Fprint(&out, value.S, value, k, value.S.String(), fmt.Errorf("x: %v", value.S), errors.Join(fmt.Errorf("%s", value.S)))
	b, err := json.Marshal(struct {
		S Secret
		L []Secret
	}{canary, value.L})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", value.S, "value", value, "k", k)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", value.S, "l", value.L)
	for _, secret := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), material} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is printed", secret)
		}
	}
	if shown := fmt.Sprintf("%v %x", value.S, value.S); shown != redacted+" "+redacted || !strings.Contains(out.String(), `"s":"`+redacted+`"`) || string(value.S) != canary {
		t.Errorf("what is printed is %s, or the secret is lost", shown)
	}
}

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		hash, again := HashID(id), HashID(id)
		if len(id) != 22 || seen[id] || hash == id || hash != again {
			t.Fatalf("%q", id)
		}
		seen[id] = true
	}
}

func FuzzOpen(f *testing.F) {
	k := newKeyset(f)
	f.Add("purpose", "owner", []byte("value"), "garbage")
	f.Add("", "", []byte(nil), "")
	f.Add("p", "\x00", []byte{0}, "AQAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, purpose, owner string, value []byte, raw string) {
		if got, err := k.OpenString(purpose, owner, raw); got != nil || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnknownKey) {
			t.Fatalf("%q opens: %q, %v", raw, got, err)
		}
		sealed, err := k.SealString(purpose, owner, value)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.OpenString(purpose, owner, sealed); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("%q comes back as %q, %v", value, got, err)
		}
		if _, err := k.OpenString(purpose, owner+"x", sealed); !errors.Is(err, ErrInvalid) {
			t.Fatalf("opens for another owner: %v", err)
		}
	})
}

// IsSealed tells what some keyset of ours sealed from what another program wrote.
func TestIsSealed(t *testing.T) {
	for _, plaintext := range []string{"", "value", strings.Repeat("x", 4000)} {
		sealed, err := newKeyset(t).SealString("p", "o", []byte(plaintext))
		if err != nil || !IsSealed(sealed) {
			t.Errorf("%d bytes: %v", len(plaintext), err)
		}
	}
	for name, value := range map[string]string{
		"nothing": "", "a word": "session", "a key id alone": "AQAAAAA", "padded": "AQAAAAAAAA==", "another prefix": "AgAAAAAAAAA",
		"a token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a signed cookie": "s%3A1234.c2lnbmF0dXJl", "base64": "AQAA+/8AAAAA", "a number": "1234567890",
	} {
		if IsSealed(value) {
			t.Errorf("%s, %q, passes for sealed", name, value)
		}
	}
}
