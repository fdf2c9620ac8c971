package tokenstore

import (
	"errors"
	"fmt"
	"strings"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"functions.local/oauth/shared/seal"
)

// The purposes that the sealed fields are bound to, beside their owner.
const (
	refreshTokenPurpose = "grant.refresh_token"
	accessTokenPurpose  = "grant.access_token"
)

// encode returns the fields of g's document. An empty string, list or time is an absent field.
func encode(keyset *seal.Keyset, g *Grant) (map[string]*pb.Value, error) {
	fields := map[string]*pb.Value{"status": textValue(string(g.Status))}
	for _, token := range []struct {
		name, purpose string
		token         seal.Secret
	}{
		{"refresh_token", refreshTokenPurpose, g.RefreshToken},
		{"access_token", accessTokenPurpose, g.AccessToken},
	} {
		if token.token == "" {
			continue
		}
		sealed, err := keyset.Seal(token.purpose, g.Owner, []byte(token.token))
		if err != nil {
			return nil, fmt.Errorf("tokenstore: %w", err)
		}
		fields[token.name] = &pb.Value{ValueType: &pb.Value_BytesValue{BytesValue: sealed}}
	}
	for name, text := range map[string]string{"email": g.Email, "reason": string(g.Reason)} {
		if text != "" {
			fields[name] = textValue(text)
		}
	}
	for name, t := range map[string]time.Time{
		"expiry": g.Expiry, "created": g.Created, "consented": g.Consented, "refresh_expiry": g.RefreshExpiry,
	} {
		if !t.IsZero() {
			fields[name] = timeValue(t)
		}
	}
	for name, list := range map[string][]*pb.Value{
		"scopes": values(g.Scopes, textValue), "jobs": values(g.Jobs, textValue), "sessions": values(g.Sessions, sessionValue),
	} {
		if len(list) > 0 {
			fields[name] = &pb.Value{ValueType: &pb.Value_ArrayValue{ArrayValue: &pb.ArrayValue{Values: list}}}
		}
	}
	return fields, nil
}

func values[T any](list []T, value func(T) *pb.Value) []*pb.Value {
	var all []*pb.Value
	for _, v := range list {
		all = append(all, value(v))
	}
	return all
}

// textValue replaces what is no UTF-8, which Firestore does not take.
func textValue(s string) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_StringValue{StringValue: strings.ToValidUTF8(s, "\uFFFD")}}
}

// timeValue keeps microseconds: Firestore stores no more.
func timeValue(t time.Time) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_TimestampValue{TimestampValue: timestamppb.New(t.Truncate(time.Microsecond))}}
}

func sessionValue(s Session) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_MapValue{MapValue: &pb.MapValue{Fields: map[string]*pb.Value{
		"hash": textValue(s.Hash), "start": timeValue(s.Start),
	}}}}
}

// decode returns the grant in a document. One that cannot be understood comes back as NeedsConsent
// with ReasonDamaged and every field that can, so that a write of it loses nothing that is whole. The error is seal.ErrUnknownKey.
func decode(keyset *seal.Keyset, owner string, doc *pb.Document) (*Grant, error) {
	f := doc.GetFields()
	var d decoder
	g := &Grant{
		Owner:         owner,
		Email:         d.text(f["email"]),
		RefreshToken:  d.sealed(keyset, refreshTokenPurpose, owner, f["refresh_token"]),
		AccessToken:   d.sealed(keyset, accessTokenPurpose, owner, f["access_token"]),
		Expiry:        d.time(f["expiry"]),
		Scopes:        d.texts(f["scopes"]),
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
	if d.unknownKey {
		return nil, fmt.Errorf("tokenstore: %w", seal.ErrUnknownKey)
	}
	if d.damaged || g.check() != nil {
		g.Status, g.Reason = NeedsConsent, ReasonDamaged
	}
	return g, nil
}

// A decoder reads values. Absent and null ones are zero; one of another type is zero and damage.
type decoder struct {
	damaged    bool
	unknownKey bool
}

func (d *decoder) text(v *pb.Value) string {
	switch v := v.GetValueType().(type) {
	case *pb.Value_StringValue:
		return v.StringValue
	case nil, *pb.Value_NullValue:
		return ""
	}
	d.damaged = true
	return ""
}

func (d *decoder) time(v *pb.Value) time.Time {
	switch v := v.GetValueType().(type) {
	case *pb.Value_TimestampValue:
		if v.TimestampValue.IsValid() {
			return v.TimestampValue.AsTime().Truncate(time.Microsecond)
		}
	case nil, *pb.Value_NullValue:
		return time.Time{}
	}
	d.damaged = true
	return time.Time{}
}

func (d *decoder) list(v *pb.Value) []*pb.Value {
	switch v := v.GetValueType().(type) {
	case *pb.Value_ArrayValue:
		return v.ArrayValue.GetValues()
	case nil, *pb.Value_NullValue:
		return nil
	}
	d.damaged = true
	return nil
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

func (d *decoder) session(v *pb.Value) (Session, bool) {
	f := v.GetMapValue().GetFields()
	s := Session{Hash: d.text(f["hash"]), Start: d.time(f["start"])}
	if s.Hash == "" {
		d.damaged = true
	}
	return s, s.Hash != ""
}

func (d *decoder) sealed(keyset *seal.Keyset, purpose, owner string, v *pb.Value) seal.Secret {
	switch v := v.GetValueType().(type) {
	case *pb.Value_BytesValue:
		token, err := keyset.Open(purpose, owner, v.BytesValue)
		if err == nil {
			return seal.Secret(token)
		}
		if errors.Is(err, seal.ErrUnknownKey) {
			d.unknownKey = true
			return ""
		}
	case nil, *pb.Value_NullValue:
		return ""
	}
	d.damaged = true
	return ""
}
