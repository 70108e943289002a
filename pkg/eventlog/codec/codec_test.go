package codec

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	statev1 "github.com/holdfast/holdfast/schemas/gen/holdfast/state/v1"
)

func TestAppendKeepsWhatIsThere(t *testing.T) {
	m := sampleMeta()
	alone, _, err := AppendOrder(nil, "o-1", &m, order.OrderReserved{})
	if err != nil {
		t.Fatal(err)
	}
	both, _, err := AppendOrder([]byte("before"), "o-1", &m, order.OrderReserved{})
	if err != nil || string(both) != "before"+string(alone) {
		t.Fatalf("%q, %v", both, err)
	}
}

func TestAbsentIDsStayAbsent(t *testing.T) {
	m := Meta{EventID: [16]byte{1}, Version: 1}
	value, _, err := AppendOrder(nil, "o-1", &m, order.OrderReserved{})
	if err != nil {
		t.Fatal(err)
	}
	var e eventv1.OrderEvent
	if err := proto.Unmarshal(value, &e); err != nil || e.Meta.Fingerprint != nil || e.Meta.CausationId != nil {
		t.Fatalf("%v, %v", &e, err)
	}
	if _, got, _, err := DecodeOrder(value); err != nil || got != m {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestEventsOutsideTheSchemaAreErrors(t *testing.T) {
	m := sampleMeta()
	for _, ev := range []order.Event{nil, order.DocumentImported{Kind: order.KindOrder}} {
		if value, _, err := AppendOrder([]byte("x"), "o-1", &m, ev); !errors.Is(err, ErrIncomplete) || string(value) != "x" {
			t.Errorf("%q, %v", value, err)
		}
	}
	if value, _, err := AppendInventory([]byte("x"), "s", &m, inventory.Event{}); !errors.Is(err, ErrIncomplete) ||
		string(value) != "x" {
		t.Errorf("%q, %v", value, err)
	}
}

func TestDecodeOrderSaysWhatIsWrong(t *testing.T) {
	id, change := make([]byte, 16), &eventv1.OrderEvent_OrderReserved{OrderReserved: &eventv1.OrderReserved{}}
	for want, e := range map[string]*eventv1.OrderEvent{
		"meta: incomplete value: missing":           {Change: change},
		"meta.event_id: incomplete value: 0 bytes":  {Meta: &eventv1.Meta{}, Change: change},
		"meta.event_id: incomplete value: 15 bytes": {Meta: &eventv1.Meta{EventId: id[1:]}, Change: change},
		"meta.fingerprint: incomplete value: 2 bytes": {Meta: &eventv1.Meta{EventId: id, Fingerprint: id[:2]},
			Change: change},
		"meta.causation_id: incomplete value: 3 bytes": {Meta: &eventv1.Meta{EventId: id, CausationId: id[:3]},
			Change: change},
		"order event: incomplete value: no change, or one that": {Meta: &eventv1.Meta{EventId: id}},
	} {
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err = DecodeOrder(value); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, _, _, err := DecodeOrder([]byte{0xff}); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	future, err := proto.Marshal(&eventv1.OrderEvent{Meta: &eventv1.Meta{EventId: id}})
	if err != nil {
		t.Fatal(err)
	}
	future = protowire.AppendBytes(protowire.AppendTag(future, 111, protowire.BytesType), nil)
	if _, _, _, err := DecodeOrder(future); !errors.Is(err, ErrIncomplete) {
		t.Error(err)
	}
}

func TestDecodeInventorySaysWhatIsWrong(t *testing.T) {
	meta, total := &eventv1.Meta{EventId: make([]byte, 16)}, &eventv1.Level{}
	reserved := func(step *eventv1.ReservationStep) *eventv1.InventoryEvent_StockReserved {
		return &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{Step: step}}
	}
	for want, e := range map[string]*eventv1.InventoryEvent{
		"meta: incomplete value: missing":  {Total: total},
		"total: incomplete value: missing": {Meta: meta},
		"location: incomplete value: without its level": {Meta: meta, Total: total,
			Locations: []*eventv1.LocationLevel{{Location: "main"}}},
		"change: incomplete value: missing, or one that": {Meta: meta, Total: total},
		"step: incomplete value: missing":                {Meta: meta, Total: total, Change: reserved(nil)},
		"step.placed_event_id: incomplete value: 4 bytes": {Meta: meta, Total: total,
			Change: reserved(&eventv1.ReservationStep{PlacedEventId: make([]byte, 4)})},
		"step.placed_event_id: incomplete value: 0 bytes ": {Meta: meta, Total: total,
			Change: reserved(&eventv1.ReservationStep{})},
	} {
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err = DecodeInventory(value); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, _, _, err := DecodeInventory([]byte{0x0a}); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// An old checkpoint has no versions of on_hand. A count that began before it was written is refused.
func TestItemsWithoutVersionsOfOnHandTakeTheirOwn(t *testing.T) {
	level := &eventv1.Level{OnHand: 3, Available: 3}
	value, err := proto.Marshal(&statev1.Item{Sku: "s", Version: 7, Registered: true, Locations: []*eventv1.LocationLevel{
		{Location: "main", Level: level}, {Location: "north", Level: &eventv1.Level{}}}})
	if err != nil {
		t.Fatal(err)
	}
	item, err := DecodeItem(value)
	if err != nil || !slices.Equal(item.OnHandVersions, []uint64{7, 7}) {
		t.Fatalf("%+v, %v", item, err)
	}
	if _, err := inventory.Decide(item, inventory.Reservation{},
		inventory.CountStock{Counted: 3, CountedAtVersion: 6}); err == nil {
		t.Fatal("a count of an unknown state was taken")
	}
}

func TestStateSaysWhatIsWrong(t *testing.T) {
	noID, err := proto.Marshal(&statev1.Order{PlacedEventId: []byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeOrderState(noID); !errors.Is(err, ErrIncomplete) ||
		!strings.Contains(err.Error(), "order.placed_event_id") {
		t.Error(err)
	}
	if _, _, err := DecodeReservation(nil); !errors.Is(err, ErrIncomplete) {
		t.Error(err)
	}
	noLevel, err := proto.Marshal(&statev1.Item{Locations: []*eventv1.LocationLevel{{}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeItem(noLevel); !errors.Is(err, ErrIncomplete) {
		t.Error(err)
	}
	bad := []byte{0xff}
	_, itemErr := DecodeItem(bad)
	_, _, reservationErr := DecodeReservation(bad)
	_, orderErr := DecodeOrderState(bad)
	for _, err := range []error{itemErr, reservationErr, orderErr} {
		if !errors.Is(err, ErrMalformed) {
			t.Error(err)
		}
	}
}

// fill sets every field that it can reach to something that is not zero, so that a field which the codec forgets is
// noticed.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(*n+int64(i))%250 + 1)
		}
	case reflect.String:
		v.SetString("s" + strings.Repeat("x", int(*n%7)) + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64, reflect.Int32:
		v.SetInt(*n)
	case reflect.Uint64, reflect.Uint32:
		v.SetUint(uint64(*n))
	default:
		panic(v.Kind().String())
	}
}

func TestStateKeepsEveryField(t *testing.T) {
	var n int64
	var item, zeroItem inventory.Item
	fill(reflect.ValueOf(&item).Elem(), &n)
	var res, zeroRes inventory.Reservation
	fill(reflect.ValueOf(&res).Elem(), &n)
	var o, zeroOrder order.Order
	fill(reflect.ValueOf(&o).Elem(), &n)
	o.RequestedDocument.Kind = order.KindCreditNote // it says which document is stored
	for _, want := range []inventory.Item{item, zeroItem} {
		value, err := EncodeItem([]byte("x"), want)
		got, decodeErr := DecodeItem(value[1:])
		if err := errors.Join(err, decodeErr); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
		}
	}
	for _, want := range []inventory.Reservation{res, zeroRes} {
		value, err := EncodeReservation([]byte("x"), "sku", &want)
		sku, got, decodeErr := DecodeReservation(value[1:])
		if err := errors.Join(err, decodeErr); err != nil || sku != "sku" || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
		}
	}
	for _, want := range []order.Order{o, zeroOrder} {
		value, err := EncodeOrder([]byte("x"), &want)
		got, decodeErr := DecodeOrderState(value[1:])
		if err := errors.Join(err, decodeErr); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
		}
	}
}
