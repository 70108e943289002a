package verify

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	rules "github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Events that the rules decide are no violation. The fold here shares no rule with them, and agrees on every change of
// status and every amount.
func TestNoLifeOfAnOrderIsAViolation(t *testing.T) {
	forgetful := newForgetful(t)
	rapid.Check(t, func(t *rapid.T) {
		c, forget := forgetful.checker(rapid.Bool().Draw(t, "records on disk?"))
		o := rules.Order{ID: "o-1"}
		for range ordertest.Length(t) {
			cmd := ordertest.Command(t, o)
			events, _ := rules.Decide(o, cmd) // refusals write nothing
			for _, ev := range events {
				m := codec.Meta{EventID: [16]byte{byte(o.Version)}, Version: o.Version + 1, RecordedAtMicros: 60, Generation: 1}
				if o.Version == 0 {
					m.IdempotencyKey, m.Cause = "key", eventv1.Cause_CAUSE_COMMAND
				}
				value, _, err := codec.AppendOrder(nil, o.ID, &m, ev)
				if err != nil {
					t.Fatal(err)
				}
				c.foldOrder(&eventlog.Record{
					TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders}, Offset: int64(o.Version), Key: []byte(o.ID),
					Value: value,
				})
				forget()
				o = rules.Evolve(o, ev, rules.Facts{})
				for _, inv := range c.report.Invariants {
					if inv.Violations > 0 && inv.ID != Envelope { // it looks for headers
						t.Fatalf("%s, after %T: %v", inv.ID, cmd, inv.Examples)
					}
				}
			}
			if mine := c.orderOf(o.ID); mine != nil &&
				(mine.status != o.Lifecycle.String() || mine.paid() < 0 || mine.uncaptured() < 0) {
				t.Fatalf("%+v, the rules have %+v", mine, o)
			}
		}
	})
}
