package oauthflow

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
)

func validState() *state {
	return &state{Flow: "f", Nonce: "n", Verifier: "v", Scopes: []string{"s"}, ReturnTo: "/listlabels", Browser: seal.HashID("b"), Issued: noon}
}

func TestState(t *testing.T) {
	f := newFlow(t, nil)
	sealed, err := validState().seal(f.config.Keys)
	if err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]error{
		0: nil, 10 * time.Minute: nil, 10*time.Minute + 1: nil, 24 * time.Hour: nil, 24*time.Hour + 1: ErrState, -time.Minute: nil, -time.Minute - 1: ErrState, 365 * 24 * time.Hour: ErrState,
	} {
		s, err := openState(f.config.Keys, sealed, noon.Add(age))
		if !errors.Is(err, want) {
			t.Errorf("%v old: %v, want %v", age, err, want)
		}
		if err == nil && s.late(noon.Add(age)) != (age > 10*time.Minute) {
			t.Errorf("%v old: late is %t", age, s.late(noon.Add(age)))
		}
	}
	for name, spoil := range map[string]func(*state){
		"flow id": func(s *state) { s.Flow = "" }, "nonce": func(s *state) { s.Nonce = "" },
		"verifier": func(s *state) { s.Verifier = "" }, "browser or owner": func(s *state) { s.Browser = "" },
		"choice between browser and owner": func(s *state) { s.Owner = "o" }, "time": func(s *state) { s.Issued = time.Time{} },
	} {
		s := validState()
		spoil(s)
		sealed, err := s.seal(f.config.Keys)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openState(f.config.Keys, sealed, noon); !errors.Is(err, ErrState) {
			t.Errorf("without a %s: %v, want ErrState", name, err)
		}
	}
	for _, purpose := range []string{"cookie", "State", ""} {
		b, _ := json.Marshal(validState())
		sealed, err := f.config.Keys.SealString(purpose, "", b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openState(f.config.Keys, sealed, noon); !errors.Is(err, ErrState) {
			t.Errorf("sealed as %q: %v, want ErrState", purpose, err)
		}
	}
}

// FuzzState reads raw as it came, and content as if our own key had sealed it.
func FuzzState(f *testing.F) {
	flow := newFlow(f, nil)
	good, err := json.Marshal(validState())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", []byte(nil), int64(0))
	f.Add("garbage", good, int64(0))
	f.Add("AQAAAAA", good, int64(11*time.Minute))
	f.Add("====", []byte(`{"f":"f","n":"n","v":"v","b":"b","t":"9999-12-31T23:59:59Z"}`), int64(-1))
	f.Add("\x00", []byte(`{"f":"f","n":"n","v":"v","b":"b","t":null}`), int64(1<<62))
	f.Add("a", []byte(`[]`), int64(0))
	f.Fuzz(func(t *testing.T, raw string, content []byte, ahead int64) {
		if s, err := openState(flow.config.Keys, raw, noon); !errors.Is(err, ErrState) || s != nil {
			t.Fatalf("%q opens: %+v, %v", raw, s, err)
		}
		sealed, err := flow.config.Keys.SealString(statePurpose, "", content)
		if err != nil {
			t.Fatal(err)
		}
		now := noon.Add(time.Duration(ahead))
		s, err := openState(flow.config.Keys, sealed, now)
		if err != nil {
			if !errors.Is(err, ErrState) || s != nil {
				t.Fatalf("%+v, %v", s, err)
			}
			return
		}
		if s.Flow == "" || s.Nonce == "" || s.Verifier == "" || (s.Browser == "") == (s.Owner == "") || now.Before(s.Issued.Add(-time.Minute)) || now.After(s.Issued.Add(24*time.Hour)) {
			t.Fatalf("at %v accepted: %+v", now, s)
		}
		again, err := s.seal(flow.config.Keys)
		if err != nil {
			t.Fatal(err)
		}
		if copied, err := openState(flow.config.Keys, again, now); err != nil || !copied.Issued.Equal(s.Issued) || !reflect.DeepEqual([]any{copied.Flow, copied.Verifier, copied.ReturnTo}, []any{s.Flow, s.Verifier, s.ReturnTo}) {
			t.Fatalf("%+v comes back as %+v, %v", s, copied, err)
		}
	})
}
