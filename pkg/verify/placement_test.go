package verify_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// placement is an order under a key, as a log may have it.
type placement struct {
	id, key, sku string
	document     bool
}

// What an ID says of how an order was placed must be so; one key places one order, and a key that a client has used for
// two requests is counted by itself.
func TestOrdersArePlacedWithTheirGoods(t *testing.T) {
	const partitions = 4
	skus := make([]string, partitions) // by partition
	for i := range 100 {
		sku := fmt.Sprint("sku-", i)
		skus[eventlog.PartitionFor(sku, partitions)] = sku
	}
	bySKU := func(key, sku string) string { return orderid.BySKU(orderid.DefaultTenant, key, sku, partitions) }
	byKey := orderid.ByKey(orderid.DefaultTenant, "k")
	byReference := func(reference string) string {
		return orderid.ByReference(orderid.DefaultTenant, orderid.ImportedOrder, reference)
	}
	second := func(id string) string { // the second ID of a prefix in the same partition
		prefix, found := orderid.KeyOf(id), 0
		for n := 0; ; n++ {
			other := prefix + fmt.Sprintf("%04x", n)
			if eventlog.PartitionFor(other, partitions) == eventlog.PartitionFor(id, partitions) {
				if found++; found == 2 {
					return other
				}
			}
		}
	}
	order := func(key string, partition int) placement {
		return placement{bySKU(key, skus[partition]), key, skus[partition], false}
	}
	for name, c := range map[string]struct {
		placed     []placement
		violated   string
		reusedKeys int64
	}{
		"with their goods":     {[]placement{order("k", 0), order("l", 3)}, "", 0},
		"by their keys":        {[]placement{{byKey, "k", skus[0], false}, {"o-1", "l", skus[1], false}}, "", 0},
		"in another partition": {[]placement{{bySKU("k", skus[0]), "k", skus[1], false}}, verify.Versions, 0},
		"under another key":    {[]placement{{bySKU("k", skus[0]), "l", skus[0], false}}, verify.OneKey, 0},
		"under another number": {[]placement{{second(bySKU("k", skus[0])), "k", skus[0], false}}, verify.OneKey, 0},
		"a document":           {[]placement{{bySKU("k", skus[0]), "k", skus[0], true}}, verify.OneKey, 0},
		"two bodies":           {[]placement{order("k", 0), order("k", 1)}, "", 1},
		"three bodies":         {[]placement{order("k", 0), order("k", 1), order("k", 2)}, "", 2},
		"order and document":   {[]placement{order("k", 0), {byKey, "k", skus[1], true}}, "", 1},
		"both derivations":     {[]placement{order("k", 0), {byKey, "k", skus[1], false}}, verify.OneKey, 0},
		"by its reference":     {[]placement{{byReference("r"), "k", skus[1], true}}, "", 0},
		"another's reference":  {[]placement{{byReference("s"), "k", skus[1], true}}, verify.OneKey, 0},
		"two documents":        {[]placement{{byKey, "k", skus[1], true}, {byReference("r"), "k", skus[1], true}}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &story{}
			for _, p := range c.placed {
				lines := []*eventv1.OrderLine{{Sku: p.sku, Quantity: 1, UnitPriceMicros: 1_000_000}, {Sku: "other", Quantity: 1}}
				ev := schematest.OrderEvent(&eventv1.OrderPlacedV2{
					CustomerId: "c", Currency: "GBP", Lines: lines, SubtotalMicros: 1_000_000, TotalMicros: 1_000_000,
					PaymentTerms: eventv1.PaymentTerms_PAYMENT_TERMS_PREPAID,
				})
				if p.document {
					ev = schematest.OrderEvent(&eventv1.OrderImported{
						Currency: "GBP", Lines: lines, SubtotalMicros: 1_000_000, TotalMicros: 1_000_000, Reference: "r",
					})
				}
				s.addOrder(p.id, 1, p.key, ev)
			}
			log := logtest.New(t, eventlog.Layout{PartitionCount: partitions, ShardCount: 1})
			if err := log.Client.Produce(log.Ctx, s.records(t, log.Layout)); err != nil {
				t.Fatal(err)
			}
			report, err := verify.Run(log.Ctx, log.Client, verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{verify.OneKey, verify.Versions} {
				if violated(report)[id] != (id == c.violated) {
					t.Errorf("%s is violated: %t", id, violated(report)[id])
				}
			}
			if report.ReusedKeys != c.reusedKeys || int64(len(report.ReusedKeyExamples)) != c.reusedKeys {
				t.Errorf("%d reused keys: %q", report.ReusedKeys, report.ReusedKeyExamples)
			}
		})
	}
}
