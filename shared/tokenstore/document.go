package tokenstore

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"functions.local/oauth/shared/seal"
)

// The purposes for which the tokens are sealed.
const (
	refreshTokenPurpose = "grant.refresh_token"
	accessTokenPurpose  = "grant.access_token"
	apartTokenPurpose   = "grant.apart.token"
)

// encode returns the fields of g's document. What is empty or zero has no field.
func encode(keyset *seal.Keyset, g *Grant) (map[string]*pb.Value, error) {
	var failed error
	sealed := func(purpose string, token seal.Secret) *pb.Value {
		if token == "" {
			return nil
		}
		b, err := keyset.Seal(purpose, g.Owner, []byte(token))
		failed = errors.Join(failed, err)
		return &pb.Value{ValueType: &pb.Value_BytesValue{BytesValue: b}}
	}
	zones := map[string]*pb.Value{}
	for job, zone := range g.Zones {
		zones[job] = textValue(zone)
	}
	fields := filled(map[string]*pb.Value{
		"status":         textValue(string(g.Status)),
		"reason":         textValue(string(g.Reason)),
		"google":         textValue(g.Google),
		"email":          textValue(g.Email),
		"domain":         textValue(g.Domain),
		"client":         textValue(g.Client),
		"refresh_token":  sealed(refreshTokenPurpose, g.RefreshToken),
		"access_token":   sealed(accessTokenPurpose, g.AccessToken),
		"expiry":         timeValue(g.Expiry),
		"created":        timeValue(g.Created),
		"consented":      timeValue(g.Consented),
		"refresh_expiry": timeValue(g.RefreshExpiry),
		"scopes":         listValue(g.Scopes, textValue),
		"narrower":       {ValueType: &pb.Value_BooleanValue{BooleanValue: g.Narrower}},
		"jobs":           listValue(g.Jobs, textValue),
		"sessions":       listValue(g.Sessions, sessionValue),
		"zones":          mapValue(zones),
		"apart": mapValue(filled(map[string]*pb.Value{
			"token":  sealed(apartTokenPurpose, g.Apart.Token),
			"expiry": timeValue(g.Apart.Expiry),
			"scopes": listValue(g.Apart.Scopes, textValue),
		})),
	})
	if failed != nil {
		return nil, fmt.Errorf("tokenstore: %w", failed)
	}
	return fields, nil
}

// filled removes the fields that are empty.
func filled(fields map[string]*pb.Value) map[string]*pb.Value {
	maps.DeleteFunc(fields, func(_ string, v *pb.Value) bool {
		switch t := v.GetValueType().(type) {
		case *pb.Value_StringValue:
			return t.StringValue == ""
		case *pb.Value_BooleanValue:
			return !t.BooleanValue
		case *pb.Value_TimestampValue:
			return t.TimestampValue.AsTime().IsZero()
		case *pb.Value_ArrayValue:
			return len(t.ArrayValue.Values) == 0
		case *pb.Value_MapValue:
			return len(t.MapValue.Fields) == 0
		}
		return v == nil
	})
	return fields
}

func listValue[T any](list []T, value func(T) *pb.Value) *pb.Value {
	all := &pb.ArrayValue{}
	for _, v := range list {
		all.Values = append(all.Values, value(v))
	}
	return &pb.Value{ValueType: &pb.Value_ArrayValue{ArrayValue: all}}
}

// textValue returns s as a value. Bytes that are not UTF-8, which Firestore refuses, are replaced.
func textValue(s string) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_StringValue{StringValue: strings.ToValidUTF8(s, "\uFFFD")}}
}

// timeValue returns t as a value, cut to the microsecond, as Firestore stores it.
func timeValue(t time.Time) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_TimestampValue{TimestampValue: timestamppb.New(t.Truncate(time.Microsecond))}}
}

func mapValue(fields map[string]*pb.Value) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_MapValue{MapValue: &pb.MapValue{Fields: fields}}}
}

func sessionValue(s Session) *pb.Value {
	fields := map[string]*pb.Value{"hash": textValue(s.Hash), "start": timeValue(s.Start)}
	if s.Browser != "" {
		fields["browser"] = textValue(s.Browser)
	}
	return mapValue(fields)
}

// decode returns the grant that a document holds. Where some of it cannot be read, the grant has the
// status NeedsConsent, ReasonDamaged, and every field that can be read, so that writing it back loses
// nothing that is intact. Unknown fields, such as those of a newer version, are no damage; the next Put
// drops them. The error is seal.ErrUnknownKey.
func decode(keyset *seal.Keyset, owner string, doc *pb.Document) (*Grant, error) {
	g, damaged, err := decodeWhole(keyset, owner, doc)
	if damaged {
		g.Status, g.Reason = NeedsConsent, ReasonDamaged
	}
	return g, err
}

// decodeWhole is decode, except that it reports damage and leaves the grant's own status and reason as they are stored.
func decodeWhole(keyset *seal.Keyset, owner string, doc *pb.Document) (g *Grant, damaged bool, err error) {
	f := doc.GetFields()
	d := decoder{keyset: keyset, owner: owner}
	apart := d.fields(f["apart"])
	g = &Grant{
		Owner:        owner,
		Google:       d.text(f["google"]),
		Email:        d.text(f["email"]),
		Domain:       d.text(f["domain"]),
		Client:       d.text(f["client"]),
		RefreshToken: d.sealed(refreshTokenPurpose, f["refresh_token"]),
		AccessToken:  d.sealed(accessTokenPurpose, f["access_token"]),
		Expiry:       d.time(f["expiry"]),
		Scopes:       d.texts(f["scopes"]),
		Narrower:     only[*pb.Value_BooleanValue](&d, f["narrower"]).GetBooleanValue(),
		Apart: Apart{
			Token:  d.sealed(apartTokenPurpose, apart["token"]),
			Expiry: d.time(apart["expiry"]),
			Scopes: d.texts(apart["scopes"]),
		},
		Jobs:          d.texts(f["jobs"]),
		Status:        Status(d.text(f["status"])),
		Reason:        Reason(d.text(f["reason"])),
		Created:       d.time(f["created"]),
		Consented:     d.time(f["consented"]),
		RefreshExpiry: d.time(f["refresh_expiry"]),
		version:       doc.GetUpdateTime().AsTime(),
	}
	for _, v := range d.list(f["sessions"]) {
		if s, ok := d.session(v); ok {
			g.AddSession(s)
		}
	}
	for job, zone := range d.fields(f["zones"]) {
		g.SetZone(job, d.text(zone))
	}
	if d.unknownKey {
		return nil, false, fmt.Errorf("tokenstore: %w", seal.ErrUnknownKey)
	}
	return g, d.damaged || g.check() != nil, nil
}

// A decoder reads values and remembers what was wrong with them.
type decoder struct {
	keyset     *seal.Keyset
	owner      string
	damaged    bool
	unknownKey bool // a token is sealed with a key that is not in the keyset
}

// only returns v if it is a T, such as *pb.Value_StringValue, and else nil, which every getter reads as
// zero. A value of another type is damage; an absent or null one is not.
func only[T any](d *decoder, v *pb.Value) *pb.Value {
	switch v.GetValueType().(type) {
	case T:
		return v
	case nil, *pb.Value_NullValue:
	default:
		d.damaged = true
	}
	return nil
}

func (d *decoder) text(v *pb.Value) string { return only[*pb.Value_StringValue](d, v).GetStringValue() }

func (d *decoder) fields(v *pb.Value) map[string]*pb.Value {
	return only[*pb.Value_MapValue](d, v).GetMapValue().GetFields()
}

func (d *decoder) list(v *pb.Value) []*pb.Value {
	return only[*pb.Value_ArrayValue](d, v).GetArrayValue().GetValues()
}

func (d *decoder) time(v *pb.Value) time.Time {
	t := only[*pb.Value_TimestampValue](d, v).GetTimestampValue()
	if t == nil {
		return time.Time{}
	}
	if !t.IsValid() {
		d.damaged = true
		return time.Time{}
	}
	return t.AsTime().Truncate(time.Microsecond)
}

func (d *decoder) texts(v *pb.Value) []string {
	var texts []string
	for _, v := range d.list(v) {
		if s, ok := v.GetValueType().(*pb.Value_StringValue); ok {
			texts = append(texts, s.StringValue)
		} else {
			d.damaged = true
		}
	}
	return texts
}

// session reports false for a session without a hash.
func (d *decoder) session(v *pb.Value) (Session, bool) {
	f := v.GetMapValue().GetFields()
	s := Session{Hash: d.text(f["hash"]), Start: d.time(f["start"]), Browser: d.text(f["browser"])}
	if s.Hash == "" {
		d.damaged = true
	}
	return s, s.Hash != ""
}

// sealed opens a token.
func (d *decoder) sealed(purpose string, v *pb.Value) seal.Secret {
	if v = only[*pb.Value_BytesValue](d, v); v == nil {
		return ""
	}
	token, err := d.keyset.Open(purpose, d.owner, v.GetBytesValue())
	switch {
	case errors.Is(err, seal.ErrUnknownKey):
		d.unknownKey = true
	case err != nil:
		d.damaged = true
	}
	return seal.Secret(token)
}
