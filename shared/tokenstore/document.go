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

// The purposes for which the tokens are sealed.
const (
	refreshTokenPurpose = "grant.refresh_token"
	accessTokenPurpose  = "grant.access_token"
	apartTokenPurpose   = "grant.apart.token"
)

// encode returns the fields of g's document. What is empty or zero has no field.
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

// An encoder seals the tokens of a grant. It collects the errors, for one check at the end.
type encoder struct {
	keyset *seal.Keyset
	owner  string
	err    error
}

// token sets the field to the sealed token, unless there is none.
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
	setText(fields, "browser", s.Browser)
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

// A decoder reads values. An absent or null value is read as zero, and so is one of another type, which is damage.
type decoder struct {
	keyset     *seal.Keyset
	owner      string
	damaged    bool
	unknownKey bool // a token is sealed with a key that is not in the keyset
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
