package codec

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/inventory/inventorytest"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
)

// What decodes can be encoded again, and then decodes to the same. No input makes a decoder panic.

func FuzzDecodeOrder(f *testing.F) {
	m := sampleMeta()
	for _, ev := range orderSamples {
		value, _, err := AppendOrder(nil, "o-1", &m, ev)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		id, m, ev, err := DecodeOrder(value)
		if err != nil {
			return
		}
		again, _, err := AppendOrder(nil, id, &m, ev)
		if err != nil {
			t.Fatal(err)
		}
		id2, m2, ev2, err := DecodeOrder(again)
		if err != nil || id2 != id || m2 != m || !reflect.DeepEqual(ev2, ev) {
			t.Fatalf("%v: %s %+v %+v, then %s %+v %+v", err, id, m, ev, id2, m2, ev2)
		}
	})
}

func FuzzDecodeInventory(f *testing.F) {
	m := sampleMeta()
	for _, change := range inventorySamples {
		value, _, err := AppendInventory(nil, "85123A", &m, sampleEvent(change))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		sku, m, ev, err := DecodeInventory(value)
		if err != nil {
			return
		}
		again, _, err := AppendInventory(nil, sku, &m, ev)
		if err != nil {
			t.Fatal(err)
		}
		sku2, m2, ev2, err := DecodeInventory(again)
		if err != nil || sku2 != sku || m2 != m || !reflect.DeepEqual(ev2, ev) {
			t.Fatalf("%v: %s %+v %+v, then %s %+v %+v", err, sku, m, ev, sku2, m2, ev2)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	item, err := EncodeItem(nil, inventory.Item{SKU: "s", Version: 3, Registered: true, Locations: sampleLocations})
	if err != nil {
		f.Fatal(err)
	}
	res, err := EncodeReservation(nil, "s",
		&inventory.Reservation{OrderID: "o", Version: 2,
			Locations: []inventory.ReservationAt{{Location: "main", Reserved: 2}}})
	if err != nil {
		f.Fatal(err)
	}
	o, err := EncodeOrder(nil, &order.Order{ID: "o", Version: 2, Lines: []order.Line{{SKU: "s", Quantity: 1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(item)
	f.Add(res)
	f.Add(o)
	f.Fuzz(func(t *testing.T, value []byte) {
		if item, err := DecodeItem(value); err == nil {
			again, err := EncodeItem(nil, item)
			got, decodeErr := DecodeItem(again)
			if err != nil || decodeErr != nil || !reflect.DeepEqual(withoutEmpty(got), withoutEmpty(item)) {
				t.Fatalf("%v %v: %+v, then %+v", err, decodeErr, item, got)
			}
		}
		if sku, res, err := DecodeReservation(value); err == nil {
			again, err := EncodeReservation(nil, sku, &res)
			_, got, decodeErr := DecodeReservation(again)
			if err != nil || decodeErr != nil || !reflect.DeepEqual(got, res) {
				t.Fatalf("%v %v: %+v, then %+v", err, decodeErr, res, got)
			}
		}
		if o, err := DecodeOrderState(value); err == nil {
			again, err := EncodeOrder(nil, &o)
			got, decodeErr := DecodeOrderState(again)
			if err != nil || decodeErr != nil || !reflect.DeepEqual(got, o) {
				t.Fatalf("%v %v: %+v, then %+v", err, decodeErr, o, got)
			}
		}
	})
}

// Whatever the rules decide goes through the log unchanged, and so does the state that it leaves.
func TestDecisionsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		item, reservations := inventory.Item{SKU: "s", Registered: true}, map[string]inventory.Reservation{}
		for range rapid.IntRange(1, 20).Draw(t, "length") {
			id, cmd := "", inventorytest.Command(t, item)
			if rapid.Bool().Draw(t, "an order's step") {
				id = rapid.SampledFrom([]string{"o-1", "o-2"}).Draw(t, "order")
				step := inventorytest.Step(t, id)
				step.Version = rapid.Uint64().Draw(t, "any version")
				cmd = step
			}
			res := reservations[id]
			events, _ := inventory.Decide(item, res, cmd) // refusals write nothing
			for _, ev := range events {
				m := Meta{EventID: [16]byte{rapid.Byte().Draw(t, "id")}, Version: item.Version + 1}
				if name := rapid.String().Draw(t, "principal"); name != "" {
					m.Principal = Principal{Name: name, Verified: rapid.Bool().Draw(t, "verified")}
				}
				value, _, err := AppendInventory(nil, item.SKU, &m, ev)
				if err != nil {
					t.Fatal(err)
				}
				sku, gotMeta, got, err := DecodeInventory(value)
				if err != nil || sku != item.SKU || gotMeta != m || !reflect.DeepEqual(got, ev) {
					t.Fatalf("%v\n got %+v\nwant %+v", err, got, ev)
				}
				item, res = inventory.Evolve(item, res, got)
			}
			reservations[id] = res
			value, err := EncodeItem(nil, item)
			got, decodeErr := DecodeItem(value)
			if err != nil || decodeErr != nil || !reflect.DeepEqual(withoutEmpty(got), withoutEmpty(item)) {
				t.Fatalf("%v %v: %+v, then %+v", err, decodeErr, item, got)
			}
		}
	})
}

// The same for orders, along whole lives.
func TestOrderDecisionsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := order.Order{ID: "o-1"}
		for range ordertest.Length(t) {
			events, _ := order.Decide(o, ordertest.Command(t, o)) // refusals write nothing
			for _, ev := range events {
				m := Meta{EventID: [16]byte{rapid.Byte().Draw(t, "id")}, Version: o.Version + 1}
				if name := rapid.String().Draw(t, "principal"); name != "" {
					m.Principal = Principal{Name: name, Verified: rapid.Bool().Draw(t, "verified")}
				}
				value, _, err := AppendOrder(nil, o.ID, &m, ev)
				if err != nil {
					t.Fatal(err)
				}
				id, gotMeta, got, err := DecodeOrder(value)
				if err != nil || id != o.ID || gotMeta != m || !reflect.DeepEqual(got, ev) {
					t.Fatalf("%v\n got %+v\nwant %+v", err, got, ev)
				}
				o = order.Evolve(o, got, order.Facts{EventID: m.EventID})
			}
			value, err := EncodeOrder(nil, &o)
			got, decodeErr := DecodeOrderState(value)
			if len(o.Fulfilments) == 0 {
				o.Fulfilments = nil // as withoutEmpty does for items
			}
			if err != nil || decodeErr != nil || !reflect.DeepEqual(got, o) {
				t.Fatalf("%v %v:\n got %+v\nwant %+v", err, decodeErr, got, o)
			}
		}
	})
}

func BenchmarkAppendReserved(b *testing.B) {
	m, ev := sampleMeta(), sampleEvent(inventorySamples["stock_reserved"])
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		value, _, err := AppendInventory(buf[:0], "85123A", &m, ev)
		if err != nil {
			b.Fatal(err)
		}
		buf = value
	}
}

func BenchmarkAppendPlaced(b *testing.B) {
	m, ev := sampleMeta(), orderSamples["order_placed"]
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		value, _, err := AppendOrder(buf[:0], "o-1", &m, ev)
		if err != nil {
			b.Fatal(err)
		}
		buf = value
	}
	if !bytes.Contains(buf, []byte("85123A")) {
		b.Fatal("no SKU in the value")
	}
}

// A principal costs no allocation either.
func BenchmarkAppendPrincipal(b *testing.B) {
	m := sampleMeta()
	m.Principal.Name = "alice@shop.example"
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		value, _, err := AppendOrder(buf[:0], "o-1", &m, order.OrderReserved{})
		if err != nil {
			b.Fatal(err)
		}
		buf = value
	}
}

func BenchmarkDecodeReserved(b *testing.B) {
	m := sampleMeta()
	value, _, err := AppendInventory(nil, "85123A", &m, sampleEvent(inventorySamples["stock_reserved"]))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := DecodeInventory(value); err != nil {
			b.Fatal(err)
		}
	}
}

// withoutEmpty makes empty lists nil: the codec does not distinguish them.
func withoutEmpty(i inventory.Item) inventory.Item {
	if len(i.Expected) == 0 {
		i.Expected = nil
	}
	if len(i.Backorders) == 0 {
		i.Backorders = nil
	}
	if len(i.Transfers) == 0 {
		i.Transfers = nil
	}
	return i
}

func BenchmarkDecodePlaced(b *testing.B) {
	m := sampleMeta()
	value, _, err := AppendOrder(nil, "o-1", &m, orderSamples["order_placed"])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := DecodeOrder(value); err != nil {
			b.Fatal(err)
		}
	}
}
