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
	apartTokenPurpose   = "grant.apart.token"
)

// encode returns the fields of g's document. An empty string, list, map or time is an absent field.
func encode(keyset *seal.Keyset, g *Grant) (map[string]*pb.Value, error) {
	e := encoder{keyset: keyset, owner: g.Owner}
	apart := map[string]*pb.Value{}
	e.token(apart, "token", apartTokenPurpose, g.Apart.Token)
	setTime(apart, "expiry", g.Apart.Expiry)
	setList(apart, "scopes", values(g.Apart.Scopes, textValue))
	zones := map[string]*pb.Value{}
	for job, zone := range g.Zones {
		zones[job] = textValue(zone)
	}

	fields := map[string]*pb.Value{"status": textValue(string(g.Status))}
	e.token(fields, "refresh_token", refreshTokenPurpose, g.RefreshToken)
	e.token(fields, "access_token", accessTokenPurpose, g.AccessToken)
	setText(fields, "google", g.Google)
	setText(fields, "email", g.Email)
	setText(fields, "domain", g.Domain)
	setText(fields, "client", g.Client)
	setText(fields, "reason", string(g.Reason))
	setTime(fields, "expiry", g.Expiry)
	setTime(fields, "created", g.Created)
	setTime(fields, "consented", g.Consented)
	setTime(fields, "refresh_expiry", g.RefreshExpiry)
	setList(fields, "scopes", values(g.Scopes, textValue))
	setList(fields, "jobs", values(g.Jobs, textValue))
	setList(fields, "sessions", values(g.Sessions, sessionValue))
	setMap(fields, "apart", apart)
	setMap(fields, "zones", zones)
	if g.Narrower {
		fields["narrower"] = &pb.Value{ValueType: &pb.Value_BooleanValue{BooleanValue: true}}
	}
	if e.err != nil {
		return nil, fmt.Errorf("tokenstore: %w", e.err)
	}
	return fields, nil
}

// An encoder seals tokens and keeps the errors.
type encoder struct {
	keyset *seal.Keyset
	owner  string
	err    error
}

func (e *encoder) token(fields map[string]*pb.Value, name, purpose string, token seal.Secret) {
	if token == "" {
		return
	}
	sealed, err := e.keyset.Seal(purpose, e.owner, []byte(token))
	e.err = errors.Join(e.err, err)
	fields[name] = &pb.Value{ValueType: &pb.Value_BytesValue{BytesValue: sealed}}
}

func setText(fields map[string]*pb.Value, name, text string) {
	if text != "" {
		fields[name] = textValue(text)
	}
}

func setTime(fields map[string]*pb.Value, name string, t time.Time) {
	if !t.IsZero() {
		fields[name] = timeValue(t)
	}
}

func setList(fields map[string]*pb.Value, name string, list []*pb.Value) {
	if len(list) > 0 {
		fields[name] = &pb.Value{ValueType: &pb.Value_ArrayValue{ArrayValue: &pb.ArrayValue{Values: list}}}
	}
}

func setMap(fields map[string]*pb.Value, name string, m map[string]*pb.Value) {
	if len(m) > 0 {
		fields[name] = mapValue(m)
	}
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

func mapValue(fields map[string]*pb.Value) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_MapValue{MapValue: &pb.MapValue{Fields: fields}}}
}

func sessionValue(s Session) *pb.Value {
	fields := map[string]*pb.Value{"hash": textValue(s.Hash), "start": timeValue(s.Start)}
	setText(fields, "browser", s.Browser)
	return mapValue(fields)
}

// decode returns the grant in a document. One that cannot be understood comes back as NeedsConsent
// with ReasonDamaged and every field that can, so that a write of it loses nothing that is whole.
// Fields that are not known, such as those of a newer version, are no damage; the next Put of the
// whole document drops them. The error is seal.ErrUnknownKey.
func decode(keyset *seal.Keyset, owner string, doc *pb.Document) (*Grant, error) {
	g, damaged, err := decodeWhole(keyset, owner, doc)
	if damaged {
		g.Status, g.Reason = NeedsConsent, ReasonDamaged
	}
	return g, err
}

// decodeWhole is decode that tells damage apart from a grant that says of itself that it was damaged.
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
		Narrower:     d.boolean(f["narrower"]),
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

// A decoder reads values. Absent and null ones are zero; one of another type is zero and damage.
type decoder struct {
	keyset     *seal.Keyset
	owner      string
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

func (d *decoder) boolean(v *pb.Value) bool {
	switch v := v.GetValueType().(type) {
	case *pb.Value_BooleanValue:
		return v.BooleanValue
	case nil, *pb.Value_NullValue:
		return false
	}
	d.damaged = true
	return false
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

func (d *decoder) fields(v *pb.Value) map[string]*pb.Value {
	switch v := v.GetValueType().(type) {
	case *pb.Value_MapValue:
		return v.MapValue.GetFields()
	case nil, *pb.Value_NullValue:
		return nil
	}
	d.damaged = true
	return nil
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
	s := Session{Hash: d.text(f["hash"]), Start: d.time(f["start"]), Browser: d.text(f["browser"])}
	if s.Hash == "" {
		d.damaged = true
	}
	return s, s.Hash != ""
}

func (d *decoder) sealed(purpose string, v *pb.Value) seal.Secret {
	switch v := v.GetValueType().(type) {
	case *pb.Value_BytesValue:
		token, err := d.keyset.Open(purpose, d.owner, v.BytesValue)
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
