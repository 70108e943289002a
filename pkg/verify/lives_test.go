package verify

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	rules "github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// orderLife is an order by the rules, and by the fold here.
type orderLife struct {
	c      *checker
	forget func()
	o      rules.Order
}

// do decides a command, and has both fold its events. Refusals write nothing.
func (l *orderLife) do(t fatal, cmd rules.Command) {
	events, _ := rules.Decide(l.o, cmd)
	for _, ev := range events {
		m := codec.Meta{EventID: [16]byte{byte(l.o.Version)}, Version: l.o.Version + 1, RecordedAtMicros: 60, Generation: 1}
		if l.o.Version == 0 {
			m.IdempotencyKey, m.Cause = "key", eventv1.Cause_CAUSE_COMMAND
		}
		value, _, err := codec.AppendOrder(nil, l.o.ID, &m, ev)
		if err != nil {
			t.Fatal(err)
		}
		l.c.foldOrder(&eventlog.Record{
			TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders}, Offset: int64(l.o.Version),
			Key: []byte(l.o.ID), Value: value,
		})
		l.forget()
		l.o = rules.Evolve(l.o, ev, rules.Facts{})
		for _, inv := range l.c.report.Invariants {
			if inv.Violations > 0 && inv.ID != Envelope { // it looks for headers
				t.Fatal(inv.ID, fmt.Sprintf("after %T:", cmd), inv.Examples)
			}
		}
	}
}

// Events that the rules decide are no violation. The fold here shares no rule with them, and agrees on every change of
// status and every amount, and on what waits for stock.
func TestNoLifeOfAnOrderIsAViolation(t *testing.T) {
	forgetful := newForgetful(t)
	rapid.Check(t, func(t *rapid.T) {
		l := orderLife{o: rules.Order{ID: "o-1"}}
		l.c, l.forget = forgetful.checker(rapid.Bool().Draw(t, "records on disk?"))
		for range ordertest.Length(t) {
			l.do(t, ordertest.Command(t, l.o))
			mine := l.c.orderOf(l.o.ID)
			if mine == nil {
				continue
			}
			if mine.status != l.o.Lifecycle.String() || mine.paid() < 0 || mine.uncaptured() < 0 {
				t.Fatalf("%+v, the rules have %+v", mine, l.o)
			}
			lives := mine.status == "reserved" || mine.status == "confirmed" || mine.status == "on_hold"
			for i := range mine.lines {
				if sku := mine.lines[i].sku; lives && mine.lines[i].backordered != l.o.Backordered(sku) {
					t.Fatalf("%+v, the rules have %+v", mine.lines[i], l.o)
				}
			}
		}
	})
}

// A line of which nothing waits is cancelled, and another one of the SKU waits on until stock has answered.
func TestALineOfWhichNothingWaitsIsCancelled(t *testing.T) {
	l := orderLife{o: rules.Order{ID: "o-1"}}
	l.c, l.forget = newForgetful(t).checker(false)
	l.do(t, rules.Place{OrderID: "o-1", CustomerID: "c", Currency: "EUR", Terms: rules.OnAccount,
		Lines: []rules.PlaceLine{{SKU: "a", Quantity: 1}, {SKU: "a", Quantity: 2}}})
	l.do(t, rules.RecordReservation{ReservationVersion: 1,
		Answers: []rules.StockAnswer{{SKU: "a", Reserved: 3, Backordered: 1}}})
	l.do(t, rules.CancelLines{Lines: []rules.LineQuantity{{SKU: "a", Quantity: 1, Line: 1}}})
	l.do(t, rules.RecordReservation{ReservationVersion: l.o.ReservationVersion,
		Answers: []rules.StockAnswer{{SKU: "a", Committed: 2}}})
	if waits := l.c.orderOf("o-1").lines[0].backordered; waits != 0 || l.o.Backordered("a") != 0 {
		t.Errorf("%d wait, by the rules %d", waits, l.o.Backordered("a"))
	}
}
