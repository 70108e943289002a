package verify_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// lifeOf draws what happens to an order, by the rules.
func lifeOf(seed int) []*eventlog.Record {
	id := fmt.Sprint("o-", seed)
	return rapid.Custom(func(t *rapid.T) (recs []*eventlog.Record) {
		o := order.Order{ID: id}
		for range ordertest.Length(t) {
			cmd := ordertest.Command(t, o)
			if place, ok := cmd.(order.Place); ok {
				place.OrderID = id
				cmd = place
			}
			events, _ := order.Decide(o, cmd)
			for _, ev := range events {
				m := codec.Meta{
					EventID: [16]byte{byte(seed), byte(seed >> 8), byte(o.Version)}, Version: o.Version + 1,
					OccurredAtMicros: int64(o.Version) * 1e6, RecordedAtMicros: 60, Generation: 1,
					Cause: eventv1.Cause_CAUSE_COMMAND,
				}
				value, _, err := codec.AppendOrder(nil, id, &m, ev)
				if err != nil {
					t.Fatal(err)
				}
				recs = append(recs, &eventlog.Record{
					TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders}, Key: []byte(id), Value: value,
				})
				o = order.Evolve(o, ev, order.Facts{})
			}
		}
		return recs
	}).Example(seed)
}

// Whatever happens to orders with discounts, charges and taxes, their mirror is what verify makes of the log.
func TestTheMirrorOfManyLivesIsAsVerifyKnowsIt(t *testing.T) {
	ctx, client, conn, _ := mirrored(t, func(eventlog.Layout) (recs []*eventlog.Record) {
		for seed := range 150 {
			recs = append(recs, lifeOf(seed)...)
		}
		return recs
	})
	found, err := verify.CompareMirror(ctx, client, conn)
	if err != nil || found.Violations != 0 || found.Checked == 0 {
		t.Errorf("%+v, %v", found, err)
	}
	execute(t, ctx, conn, "ALTER TABLE sales DELETE WHERE kind = 'discount' AND reason = 'returned'")
	if found, err = verify.CompareMirror(ctx, client, conn); err != nil || found.Violations == 0 {
		t.Errorf("discounts that came back are missing: %+v, %v", found, err)
	}
}
