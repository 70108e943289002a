package command

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// A new order gets an ID in the partition of its first SKU, the same from each replica, on a line of bulk too. Its
// fingerprint is that of its body alone, and another replica makes the same command of it.
func TestNewOrdersArePlacedWithTheirGoods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[!-~]{1,40}`).Draw(t, "key")
		sku := rapid.StringMatching(`[A-Za-z0-9]{1,20}`).Draw(t, "sku")
		partitions := rapid.Int32Range(1, 64).Draw(t, "partitions")
		opts := Options{PartitionsBySKU: func() int32 { return partitions }}
		body := []byte(fmt.Sprintf(`{"customer_id":"c","currency":"GBP","lines":[`+
			`{"sku":%q,"quantity":1,"unit_price":"1"},{"sku":"other","quantity":2,"unit_price":"1"}]}`, sku))
		cmd, err := Parse(Request{Type: PlaceOrder, Key: &key, Body: body, ReceivedAtMicros: 1}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := eventlog.PartitionFor(cmd.ID, partitions), eventlog.PartitionFor(sku, partitions); got != want {
			t.Errorf("%s is in partition %d, its first SKU in %d", cmd.ID, got, want)
		}
		if place := cmd.Order.(order.Place); place.OrderID != cmd.ID {
			t.Errorf("the command places %s, and is for %s", place.OrderID, cmd.ID)
		}
		line := []byte(fmt.Sprintf(`{"id":%q,"type":"place_order","body":%s}`, key, body))
		if _, again, err := ParseLine(line, 1, opts); err == nil && // %q does not write every key as JSON does
			(again.ID != cmd.ID || again.Fingerprint != cmd.Fingerprint) {
			t.Errorf("a line is for %s, a request for %s", again.ID, cmd.ID)
		}
		rebuilt, err := Rebuild(cmd.Type, cmd.ID, cmd.Key, cmd.Body, 1, Options{})
		if err != nil || rebuilt.ID != cmd.ID || rebuilt.Fingerprint != cmd.Fingerprint {
			t.Errorf("another replica makes %+v of %+v: %v", rebuilt, cmd, err)
		}
		another := Request{Type: PlaceOrder, Key: ptr(key + "."), Body: body, ReceivedAtMicros: 1}
		if other, err := Parse(another, opts); err != nil || other.ID == cmd.ID || other.Fingerprint != cmd.Fingerprint {
			t.Errorf("another key: %+v, %v", other, err)
		}
	})
}

func ptr[T any](v T) *T { return &v }

// Orders and past documents of a platform that places orders by their keys have the ID of the key, and the fingerprint
// that such orders always had.
func TestOthersHaveTheIDOfTheirKey(t *testing.T) {
	want := orderid.ByKey(orderid.DefaultTenant, "k")
	place := []byte(`{"customer_id":"c","currency":"GBP","lines":[{"sku":"A","quantity":1,"unit_price":"1"}]}`)
	document := []byte(`{"reference":"r","currency":"GBP","occurred_at":"2010-12-01T08:26:00Z",` +
		`"lines":[{"sku":"A","quantity":1,"unit_price":"1"}]}`)
	byKey := Options{PartitionsBySKU: func() int32 { return 0 }}
	withGoods := Options{PartitionsBySKU: func() int32 { return 12 }}
	for name, c := range map[string]struct {
		typ  string
		body []byte
		opts Options
	}{
		"an order, by default":      {PlaceOrder, place, Options{}},
		"an order, by its key":      {PlaceOrder, place, byKey},
		"a document, by default":    {ImportOrder, document, Options{}},
		"a document, by its key":    {ImportOrder, document, byKey},
		"a credit note, by its key": {ImportCreditNote, document, byKey},
	} {
		cmd, err := Parse(Request{Type: c.typ, Key: ptr("k"), Body: c.body, ReceivedAtMicros: 2e15}, c.opts)
		if err != nil || cmd.ID != want {
			t.Fatalf("%s: %+v, %v", name, cmd, err)
		}
		if f := Fingerprint(c.typ, "another", cmd.Order, nil, cmd.OccurredAtMicros); f == cmd.Fingerprint {
			t.Errorf("%s: the fingerprint leaves the ID out", name)
		}
	}
	// The rules refuse an order without lines, whatever its ID is.
	cmd, err := Parse(Request{Type: PlaceOrder, Key: ptr("k"), ReceivedAtMicros: 1,
		Body: []byte(`{"customer_id":"c","currency":"GBP","lines":[]}`)}, withGoods)
	if err == nil && cmd.ID != want {
		t.Errorf("an order without lines is %s", cmd.ID)
	}
}

// A past document has the ID of its kind and reference, whatever its key is: once more under another key it is the same
// request.
func TestADocumentHasTheIDOfItsReference(t *testing.T) {
	withGoods := Options{PartitionsBySKU: func() int32 { return 12 }}
	parse := func(typ, key, reference string) (id string, fingerprint [16]byte) {
		t.Helper()
		cmd, err := Parse(Request{Type: typ, Key: &key, ReceivedAtMicros: 2e15, Body: []byte(
			`{"reference":"` + reference + `","currency":"GBP","occurred_at":"2010-12-01T08:26:00Z",` +
				`"lines":[{"sku":"A","quantity":1,"unit_price":"1"}]}`)}, withGoods)
		if err != nil || cmd.Order.(order.ImportDocument).OrderID != cmd.ID {
			t.Fatalf("%+v, %v", cmd, err)
		}
		return cmd.ID, cmd.Fingerprint
	}
	id, fingerprint := parse(ImportOrder, "k", "536365")
	if want := "9815b427-b3d1-500f-8ff3-d8f863556e0b"; id != want {
		t.Errorf("%s, was %s: documents that were imported before are not recognised any more", id, want)
	}
	if again, same := parse(ImportOrder, "l", "536365"); again != id || same != fingerprint {
		t.Error("another key makes it another document")
	}
	if other, _ := parse(ImportOrder, "k", "536366"); other == id {
		t.Error("another reference is the same document")
	}
	if note, _ := parse(ImportCreditNote, "k", "536365"); note == id {
		t.Error("a credit note is the same document as an order")
	}
}
