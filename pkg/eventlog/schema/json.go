package schema

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// AppendJSON appends a message of the event schema in Protobuf's JSON mapping, which any Protobuf library reads back.
// Where the mapping has a choice, it takes what is simple to query in SQL:
//
//   - members have the names of the schema, such as order_id;
//   - whole numbers are JSON numbers, exact up to 64 bits; money is in millionths of its currency;
//   - fields that are zero, empty or absent are left out.
//
// Bytes, such as event_id, are base64, and enums are the names of their values, such as CAUSE_COMMAND.
//
// It is its own code because protojson writes 64-bit numbers as strings, and needs several times as long.
func AppendJSON(b []byte, m protoreflect.ProtoMessage) ([]byte, error) {
	r := m.ProtoReflect()
	return jsonMessageOf(r.Descriptor()).append(b, r)
}

// jsonMessage is how a type of message is written: its plain fields in the order of the schema, then its oneofs.
type jsonMessage struct {
	fields []jsonField
	oneofs []protoreflect.OneofDescriptor
	chosen map[protoreflect.FieldNumber]jsonField // the fields of the oneofs
}

// jsonField is a field of a message.
type jsonField struct {
	protoreflect.FieldDescriptor
	kind    protoreflect.Kind
	list    bool
	message *jsonMessage // what the field has; nil for a plain value
	member  []byte       // `"name":`
}

var jsonMessages sync.Map // of *jsonMessage by protoreflect.MessageDescriptor

func jsonMessageOf(d protoreflect.MessageDescriptor) *jsonMessage {
	if known, ok := jsonMessages.Load(d); ok {
		return known.(*jsonMessage)
	}
	m := &jsonMessage{chosen: map[protoreflect.FieldNumber]jsonField{}}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		field := jsonField{
			FieldDescriptor: fd, kind: fd.Kind(), list: fd.IsList(), member: []byte(`"` + string(fd.Name()) + `":`),
		}
		if fd.Message() != nil {
			field.message = jsonMessageOf(fd.Message()) // no message of the schema has itself
		}
		if fd.ContainingOneof() == nil {
			m.fields = append(m.fields, field)
		} else {
			m.chosen[fd.Number()] = field
		}
	}
	for i := range d.Oneofs().Len() {
		m.oneofs = append(m.oneofs, d.Oneofs().Get(i))
	}
	jsonMessages.Store(d, m)
	return m
}

func (j *jsonMessage) append(b []byte, m protoreflect.Message) (_ []byte, err error) {
	b = append(b, '{')
	start := len(b)
	for i := range j.fields {
		if b, err = j.fields[i].append(b, start, m.Get(j.fields[i].FieldDescriptor), false); err != nil {
			return b, err
		}
	}
	for _, oneof := range j.oneofs {
		if fd := m.WhichOneof(oneof); fd != nil {
			field := j.chosen[fd.Number()]
			if b, err = field.append(b, start, m.Get(fd), true); err != nil {
				return b, err
			}
		}
	}
	return append(b, '}'), nil
}

// append appends a member of an object that begins at start. An empty value is left out, unless it was chosen.
func (f *jsonField) append(b []byte, start int, v protoreflect.Value, chosen bool) ([]byte, error) {
	if !chosen && f.isEmpty(v) {
		return b, nil
	}
	if len(b) > start {
		b = append(b, ',')
	}
	b = append(b, f.member...)
	if !f.list {
		return f.appendValue(b, v)
	}
	b = append(b, '[')
	list := v.List()
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = f.appendValue(b, list.Get(i)); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func (f *jsonField) isEmpty(v protoreflect.Value) bool {
	switch {
	case f.list:
		return v.List().Len() == 0
	case f.message != nil:
		return !v.Message().IsValid()
	}
	switch f.kind {
	case protoreflect.StringKind:
		return v.String() == ""
	case protoreflect.BytesKind:
		return len(v.Bytes()) == 0
	case protoreflect.BoolKind:
		return !v.Bool()
	case protoreflect.EnumKind:
		return v.Enum() == 0
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return v.Uint() == 0
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return v.Int() == 0
	default:
		return false // appendValue refuses it
	}
}

func (f *jsonField) appendValue(b []byte, v protoreflect.Value) ([]byte, error) {
	switch f.kind {
	case protoreflect.StringKind:
		b, _ = jsontext.AppendQuote(b, v.String()) // its only error reports bytes that are not UTF-8, and replaces them
		return b, nil
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool()), nil
	case protoreflect.BytesKind:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"'), nil
	case protoreflect.EnumKind:
		if value := f.Enum().Values().ByNumber(v.Enum()); value != nil {
			b = append(b, '"')
			b = append(b, value.Name()...)
			return append(b, '"'), nil
		}
		return strconv.AppendInt(b, int64(v.Enum()), 10), nil // of a newer schema
	case protoreflect.MessageKind:
		return f.message.append(b, v.Message())
	default:
		return b, fmt.Errorf("no JSON for %s, a field of kind %s", f.FullName(), f.kind)
	}
}
