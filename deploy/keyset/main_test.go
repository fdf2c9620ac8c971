package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"functions.local/oauth/shared/seal"
)

func TestKeyset(t *testing.T) {
	old := output(t, "", "new")
	sealed := sealedBy(t, old)

	t.Run("two new ones have different keys", func(t *testing.T) {
		if _, err := opens(t, output(t, "", "new"), sealed); !errors.Is(err, seal.ErrUnknownKey) {
			t.Errorf("Open = %v", err)
		}
	})

	for _, steps := range [][]string{{"rotate"}, {"add", "rotate"}, {"rotate", "rotate"}} {
		t.Run(strings.Join(steps, ", ")+" has another key seal, and what the old one sealed still opens", func(t *testing.T) {
			k := old
			for _, step := range steps {
				k = output(t, k, step)
			}
			if text, err := opens(t, k, sealed); err != nil || text != "text" {
				t.Errorf("Open = %q, %v", text, err)
			}
			if _, err := opens(t, old, sealedBy(t, k)); !errors.Is(err, seal.ErrUnknownKey) {
				t.Errorf("the old keyset opens what the rotated one sealed: %v", err)
			}
		})
	}

	t.Run("after add the old key seals, and what the new one will seal opens", func(t *testing.T) {
		added := output(t, old, "add")
		if text, err := opens(t, old, sealedBy(t, added)); err != nil || text != "text" {
			t.Errorf("the old keyset: Open = %q, %v", text, err)
		}
		if text, err := opens(t, added, sealedBy(t, output(t, added, "rotate"))); err != nil || text != "text" {
			t.Errorf("the keyset in between: Open = %q, %v", text, err)
		}
	})

	t.Run("disable retires a key: what it sealed is damaged, and what the other sealed opens", func(t *testing.T) {
		rotated := output(t, old, "rotate")
		retired := output(t, rotated, "disable", primary(t, old))
		if _, err := opens(t, retired, sealed); !errors.Is(err, seal.ErrInvalid) {
			t.Errorf("the leaked key's value: Open = %v", err)
		}
		if text, err := opens(t, retired, sealedBy(t, rotated)); err != nil || text != "text" {
			t.Errorf("the other key's value: Open = %q, %v", text, err)
		}
		if text, err := opens(t, output(t, retired, "rotate"), sealedBy(t, rotated)); err != nil || text != "text" {
			t.Errorf("after one more rotation: Open = %q, %v", text, err)
		}
	})

	for name, c := range map[string]struct{ id, says string }{
		"the primary key":   {primary(t, old), "is the primary key, which seals: rotate first"},
		"an unknown key":    {"1", "is not in the keyset, which has " + primary(t, old) + " (primary)"},
		"what is no id":     {"canary", "KEYID is a number"},
		"a negative one":    {"-1", "KEYID is a number"},
		"one of five bytes": {"4294967296", "KEYID is a number"},
	} {
		t.Run("does not disable "+name, func(t *testing.T) {
			var out strings.Builder
			err := run([]string{"disable", c.id}, strings.NewReader(old), &out)
			if err == nil || !strings.Contains(err.Error(), c.says) || out.Len() > 0 {
				t.Errorf("%v, want %q; output %d bytes", err, c.says, out.Len())
			}
		})
	}

	t.Run("a byte order mark and line ends around the keyset do not matter", func(t *testing.T) {
		if text, err := opens(t, output(t, "\ufeff"+old+"\r\n", "add"), sealed); err != nil || text != "text" {
			t.Errorf("Open = %q, %v", text, err)
		}
	})

	t.Run("says what is wrong and quotes no keyset", func(t *testing.T) {
		broken := strings.Replace(old, "primaryKeyId", "primary", 1)
		for _, step := range []string{"add", "rotate"} {
			var out strings.Builder
			err := run([]string{step}, strings.NewReader(broken), &out)
			if err == nil || !strings.Contains(err.Error(), "standard input") || len(err.Error()) > 100 || out.Len() > 0 {
				t.Errorf("%s: %v; output %d bytes", step, err, out.Len())
			}
		}
	})

	for _, args := range [][]string{nil, {"turn"}, {"new", "rotate"}, {"disable"}, {"disable", "1", "2"}} {
		t.Run("shows its usage for "+strings.Join(append(args, "nothing"), " "), func(t *testing.T) {
			if err := run(args, strings.NewReader(""), &strings.Builder{}); err == nil || err.Error() != usage {
				t.Errorf("run = %v", err)
			}
		})
	}
}

func output(t *testing.T, in string, args ...string) string {
	t.Helper()
	var out strings.Builder
	if err := run(args, strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// primary returns the id of the key that seals.
func primary(t *testing.T, keyset string) string {
	t.Helper()
	var k struct{ PrimaryKeyID uint32 }
	if err := json.Unmarshal([]byte(keyset), &k); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(k.PrimaryKeyID)
}

func parse(t *testing.T, json string) *seal.Keyset {
	t.Helper()
	k, err := seal.Parse(json)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sealedBy(t *testing.T, json string) []byte {
	t.Helper()
	b, err := parse(t, json).Seal("purpose", "owner", []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func opens(t *testing.T, json string, sealed []byte) (string, error) {
	t.Helper()
	b, err := parse(t, json).Open("purpose", "owner", sealed)
	return string(b), err
}
