package seal

import (
	"bytes"
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
	if !strings.Contains(out.String(), redacted) || string(value.S) != canary {
		t.Error("nothing was printed, or the secret is lost")
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
