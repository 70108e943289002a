package orderview

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// folded is an order of two lines of A and one of B, after further events.
func folded(t *testing.T, events ...*eventv1.OrderEvent) *Order {
	t.Helper()
	return foldedAt(t, 0, events...)
}

// foldedAt is folded, with so many microseconds from one event to the next.
func foldedAt(t *testing.T, microsApart int64, events ...*eventv1.OrderEvent) *Order {
	t.Helper()
	placed := schematest.OrderEvent(&eventv1.OrderPlacedV2{
		Currency: "GBP", SubtotalMicros: 10_000_000, TotalMicros: 10_000_000,
		Lines: []*eventv1.OrderLine{
			{Sku: "A", Quantity: 2, UnitPriceMicros: 1_000_000}, {Sku: "B", Quantity: 1, UnitPriceMicros: 5_000_000},
			{Sku: "A", Quantity: 3, UnitPriceMicros: 1_000_000},
		}})
	all := append([]*eventv1.OrderEvent{placed}, events...)
	for i, ev := range all {
		ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{Version: uint64(i + 1), OccurredAtMicros: int64(i) * microsApart}
	}
	body, _, err := render(12, all)
	if err != nil {
		t.Fatal(err)
	}
	o := &Order{}
	if err := json.Unmarshal(body, o); err != nil {
		t.Fatal(err)
	}
	return o
}

func quantity(sku string, n int64) []*eventv1.LineQuantity {
	return []*eventv1.LineQuantity{{Sku: sku, Quantity: n}}
}

func TestBackordersOfTheLastLinesFillLast(t *testing.T) {
	o := folded(t,
		schematest.OrderEvent(&eventv1.OrderBackordered{Backordered: quantity("A", 4)}),
		schematest.OrderEvent(&eventv1.OrderBackorderFilled{Filled: quantity("A", 2)}))
	if o.Lines[0].Backordered != 0 || o.Lines[2].Backordered != 2 || o.Status != "reserved" ||
		o.Timeline[2].Lines[0].Quantity != 2 {
		t.Fatalf("%+v", o)
	}
}

// Whatever a client may keep with an order is shown as it came.
func TestMetadataIsShownAsItCame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kept := rapid.MapOfN(rapid.StringMatching(`[a-zA-Z0-9_.-]{1,40}`),
			rapid.StringN(1, limits.MaxMetadataValueLength/10, -1), 0, 20).Draw(t, "metadata")
		m := metadata.Of(kept)
		if _, fault := m.Fault("/metadata"); fault != "" {
			t.Skip("beyond the limits")
		}
		placed := order.OrderPlaced{Currency: "GBP", Metadata: m}
		value, _, err := codec.AppendOrder(nil, "o-1", &codec.Meta{Version: 1}, placed)
		ev := &eventv1.OrderEvent{}
		if err != nil || schema.ReadOrder(value, ev) != nil {
			t.Fatal(err)
		}
		body, _, err := render(12, []*eventv1.OrderEvent{ev})
		var shown struct{ Metadata map[string]string }
		if err != nil || json.Unmarshal(body, &shown) != nil || !maps.Equal(shown.Metadata, kept) {
			t.Fatalf("%v is shown as %s, %v", kept, body, err)
		}
	})
}

// Events of before there were principals, and those that no client asked for, name nobody.
func TestTheTimelineSaysWhoAsked(t *testing.T) {
	placed := schematest.OrderEvent(&eventv1.OrderPlacedV2{Currency: "GBP"})
	placed.Meta = &eventv1.Meta{Version: 1, Principal: &eventv1.Principal{Name: "zoë"}}
	held := schematest.OrderEvent(&eventv1.OrderHeld{})
	held.Meta = &eventv1.Meta{Version: 2, Principal: &eventv1.Principal{Name: "bob", Verified: true}}
	resumed := schematest.OrderEvent(&eventv1.OrderResumed{})
	resumed.Meta = &eventv1.Meta{Version: 3}
	body, _, err := render(12, []*eventv1.OrderEvent{placed, held, resumed})
	var o struct{ Timeline []map[string]json.RawMessage }
	if err != nil || json.Unmarshal(body, &o) != nil || len(o.Timeline) != 3 {
		t.Fatalf("%v %s", err, body)
	}
	for i, want := range []string{`{"name":"zoë","verified":false}`, `{"name":"bob","verified":true}`, ""} {
		if got := string(o.Timeline[i]["principal"]); got != want {
			t.Errorf("entry %d names %s, want %s", i, got, want)
		}
	}
}

func TestACreditNoteHasNothingToFulfil(t *testing.T) {
	body, _, err := render(12, []*eventv1.OrderEvent{
		{OrderId: "c-1", Meta: &eventv1.Meta{Version: 1}, Change: &eventv1.OrderEvent_CreditNoteImportedV2{
			CreditNoteImportedV2: &eventv1.CreditNoteImportedV2{
				Currency: "GBP",
				Lines:    []*eventv1.OrderLine{{Sku: "A", Quantity: 1}},
			}}},
	})
	var o map[string]any
	if err != nil || json.Unmarshal(body, &o) != nil || o["fulfilment_status"] != nil || o["status"] != "completed" {
		t.Fatalf("%v %s", err, body)
	}
}

// A past document is placed until stock has answered. One that was refused may come again with other lines
// and metadata.
func TestADocumentThatWaitsForStock(t *testing.T) {
	lines := func(skus ...string) (lines []*eventv1.OrderLine) {
		for _, sku := range skus {
			lines = append(lines, &eventv1.OrderLine{Sku: sku, Quantity: 2, UnitPriceMicros: 1_000_000})
		}
		return lines
	}
	note := &eventv1.CreditNoteImportedV2{Currency: "GBP", CustomerId: "other", Lines: lines("A"),
		Metadata: []*eventv1.MetadataEntry{{Key: "erp.id", Value: "2"}}}
	first := &eventv1.OrderImportedV2{Currency: "GBP", CustomerId: "c", Lines: lines("A", "B"),
		Metadata: []*eventv1.MetadataEntry{{Key: "channel", Value: "web"}, {Key: "erp.id", Value: "1"}}}
	events := []*eventv1.OrderEvent{
		schematest.OrderEvent(&eventv1.ImportRequestedV2{Document: &eventv1.ImportRequestedV2_Order{Order: first}}),
		schematest.OrderEvent(&eventv1.OrderRejected{Short: []*eventv1.ShortLine{{Sku: "B", Requested: 2}}}),
		schematest.OrderEvent(&eventv1.ImportRequestedV2{Document: &eventv1.ImportRequestedV2_CreditNote{CreditNote: note}}),
		schematest.OrderEvent(note),
	}
	for i, want := range []string{
		"placed imported_order c 2 0 map[channel:web erp.id:1]", "rejected imported_order c 2 1 map[channel:web erp.id:1]",
		"placed credit_note other 1 0 map[erp.id:2]", "completed credit_note other 1 0 map[erp.id:2]",
	} {
		for k, ev := range events[:i+1] {
			ev.OrderId, ev.Meta = "d", &eventv1.Meta{Version: uint64(k + 1)}
		}
		body, _, err := render(12, events[:i+1])
		var o Order
		if err == nil {
			err = json.Unmarshal(body, &o)
		}
		got := fmt.Sprint(o.Status, " ", o.Kind, " ", o.CustomerID, " ", len(o.Lines), " ", len(o.Short), " ", o.Metadata)
		if err != nil || got != want {
			t.Errorf("after event %d: %v, got %s, want %s", i+1, err, got, want)
		}
	}
}
