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
		{Status: Active, RefreshToken: "x", Google: "1234", Domain: "example.com", Client: "c", Narrower: true, Zones: map[string]string{"j": "UTC"},
			Apart: Apart{Token: "z", Expiry: time.Unix(4, 0), Scopes: []string{"s"}}, Sessions: []Session{{Hash: "h", Browser: "b"}}},
	} {
		fields, err := encode(keyset, g)
		if err != nil {
			f.Fatal(err)
		}
		for purpose, token := range tokens(fields) {
			if token != nil {
				token.ValueType = &pb.Value_BytesValue{BytesValue: []byte("seal:" + purpose)}
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
		for purpose, token := range tokens(doc.Fields) {
			v, ok := token.GetValueType().(*pb.Value_BytesValue)
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

// tokens returns the sealed values of a document by what each is sealed for.
func tokens(fields map[string]*pb.Value) map[string]*pb.Value {
	return map[string]*pb.Value{
		refreshTokenPurpose: fields["refresh_token"],
		accessTokenPurpose:  fields["access_token"],
		apartTokenPurpose:   fields["apart"].GetMapValue().GetFields()["token"],
	}
}
