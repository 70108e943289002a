package schema_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// readBack checks that Protobuf's own reader makes the same message of the JSON.
func readBack(t rapid.TB, m proto.Message) {
	t.Helper()
	text, err := schema.AppendJSON(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	back := m.ProtoReflect().New().Interface()
	if err := protojson.Unmarshal(text, back); err != nil || !proto.Equal(m, back) {
		t.Fatalf("%v: %s\nis read back as %v\ninstead of         %v", err, text, back, m)
	}
}

func TestJSONOfEveryEventIsReadBack(t *testing.T) {
	for _, s := range codectest.Samples(t) {
		var order eventv1.OrderEvent
		var stock eventv1.InventoryEvent
		want, _ := nameOf(t, s.Type)
		name := ""
		if schema.ReadOrder(s.Value, &order) == nil && order.Change != nil {
			name, _ = schema.Name(&order)
		}
		if name == want {
			readBack(t, &order)
		} else if err := schema.ReadInventory(s.Value, &stock); err != nil {
			t.Errorf("%s: %v", s.Type, err)
		} else {
			readBack(t, &stock)
		}
	}
}

// Any values of any fields are read back: numbers of 64 bits, quotes and control characters, bytes.
func TestJSONOfAnyEventIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, m := range []proto.Message{&eventv1.OrderEvent{}, &eventv1.InventoryEvent{}} {
			fillIn(t, m.ProtoReflect())
			readBack(t, m)
		}
	})
}

// fillIn sets fields that it draws to values that it draws.
func fillIn(t *rapid.T, m protoreflect.Message) {
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		oneof := fd.ContainingOneof()
		if oneof != nil && m.WhichOneof(oneof) != nil || !rapid.Bool().Draw(t, string(fd.Name())) {
			continue
		}
		switch {
		case fd.IsList() && fd.Kind() == protoreflect.MessageKind:
			for range rapid.IntRange(1, 3).Draw(t, "length") {
				fillIn(t, m.Mutable(fd).List().AppendMutable().Message())
			}
		case fd.IsList():
			for range rapid.IntRange(1, 3).Draw(t, "length") {
				m.Mutable(fd).List().Append(drawValue(t, fd))
			}
		case fd.Kind() == protoreflect.MessageKind:
			fillIn(t, m.Mutable(fd).Message())
		default:
			m.Set(fd, drawValue(t, fd))
		}
	}
}

func drawValue(t *rapid.T, fd protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(fd.Name())
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOf(rapid.String().Draw(t, name))
	case protoreflect.BoolKind:
		return protoreflect.ValueOf(rapid.Bool().Draw(t, name))
	case protoreflect.BytesKind:
		return protoreflect.ValueOf(rapid.SliceOf(rapid.Byte()).Draw(t, name))
	case protoreflect.EnumKind:
		number := rapid.IntRange(0, fd.Enum().Values().Len()+1).Draw(t, name) // beyond those that are known, too
		return protoreflect.ValueOf(protoreflect.EnumNumber(number))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOf(rapid.Uint32().Draw(t, name))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOf(rapid.Uint64().Draw(t, name))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOf(rapid.Int32().Draw(t, name))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind:
		return protoreflect.ValueOf(rapid.Int64().Draw(t, name))
	default:
		t.Fatalf("no values for %s of kind %s", fd.FullName(), fd.Kind())
		return protoreflect.Value{}
	}
}

func BenchmarkJSON(b *testing.B) {
	placed := &eventv1.OrderPlaced{CustomerId: "c-1", Currency: "GBP", Country: "United Kingdom", TotalMicros: 1}
	for range 3 {
		placed.Lines = append(placed.Lines, &eventv1.OrderLine{Sku: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000})
	}
	ev := schematest.OrderEvent(placed)
	ev.OrderId = "6ded7494-c5dd-5049-b21a-015da9f30b72"
	ev.Meta = &eventv1.Meta{
		EventId: make([]byte, 16), Version: 1, OccurredAtMicros: 1_291_191_960_000_000, Cause: eventv1.Cause_CAUSE_COMMAND,
	}
	b.Run("AppendJSON", func(b *testing.B) {
		b.ReportAllocs()
		var text []byte
		for b.Loop() {
			text, _ = schema.AppendJSON(text[:0], ev)
		}
	})
	b.Run("protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = protojson.Marshal(ev)
		}
	})
}
