package tokenstore

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/proto"

	"functions.local/oauth/shared/seal"
)

// FuzzDocument reads a document in its binary form. A token that begins with "seal:" is sealed first,
// so that the keyset may be another one in each process.
func FuzzDocument(f *testing.F) {
	keyset, err := seal.New()
	if err != nil {
		f.Fatal(err)
	}
	for _, g := range []*Grant{
		{Status: NeedsConsent, Reason: ReasonRevoked},
		{Status: Active, RefreshToken: "x", AccessToken: "y", Email: "a@example.com", Scopes: []string{"openid"}, Jobs: []string{"j"},
			Sessions: []Session{{Hash: "h", Start: time.Unix(1, 0)}}, Expiry: time.Unix(2, 0), RefreshExpiry: time.Unix(3, 4000)},
	} {
		fields, err := encode(keyset, g)
		if err != nil {
			f.Fatal(err)
		}
		for name, purpose := range tokens {
			if fields[name] != nil {
				fields[name] = &pb.Value{ValueType: &pb.Value_BytesValue{BytesValue: []byte("seal:" + purpose)}}
			}
		}
		b, err := proto.Marshal(&pb.Document{Fields: fields})
		if err != nil {
			f.Fatal(err)
		}
		f.Add("alice", b)
	}
	f.Fuzz(func(t *testing.T, owner string, b []byte) {
		doc := &pb.Document{}
		if proto.Unmarshal(b, doc) != nil || owner == "" {
			return
		}
		for name, purpose := range tokens {
			v, ok := doc.Fields[name].GetValueType().(*pb.Value_BytesValue)
			if !ok || !bytes.HasPrefix(v.BytesValue, []byte("seal:")) {
				continue
			}
			if v.BytesValue, err = keyset.Seal(purpose, owner, v.BytesValue[len("seal:"):]); err != nil {
				t.Fatal(err)
			}
		}
		g, err := decode(keyset, owner, doc)
		switch {
		case errors.Is(err, seal.ErrUnknownKey):
			return
		case err != nil:
			t.Fatal(err)
		case g.Status == NeedsConsent:
			return
		case !g.Usable():
			t.Fatalf("neither usable nor in need of consent: %+v", g)
		}
		fields, err := encode(keyset, g)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(keyset, owner, &pb.Document{Fields: fields, UpdateTime: doc.UpdateTime})
		if err != nil || !reflect.DeepEqual(g, again) {
			t.Errorf("%+v is stored as %+v, %v", g, again, err)
		}
	})
}

var tokens = map[string]string{"refresh_token": refreshTokenPurpose, "access_token": accessTokenPurpose}
