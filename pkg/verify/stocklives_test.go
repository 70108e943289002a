package verify

import (
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	rules "github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/inventory/inventorytest"
)

// stockLife is an item that the rules decide on, with the reservations of its orders, and what verify makes of it.
type stockLife struct {
	checker      *checker
	item         rules.Item
	reservations map[string]rules.Reservation
	rule         map[string]*rules.AllocationRule // by order, for its whole life
	forget       func()
}

func newStockLife() *stockLife {
	return &stockLife{
		checker:      newChecker(eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1}, Options{}),
		forget:       func() {},
		item:         rules.Item{SKU: "S"},
		reservations: map[string]rules.Reservation{},
		rule:         map[string]*rules.AllocationRule{},
	}
}

type fatal interface{ Fatal(args ...any) }

// do decides a command, applies its events, and folds them. A refusal changes nothing.
func (l *stockLife) do(t fatal, cmd rules.Command) {
	id := ""
	if step, ok := cmd.(rules.SetReservation); ok {
		id = step.OrderID
	}
	events, err := rules.Decide(l.item, l.reservations[id], cmd)
	if err != nil {
		return
	}
	l.foldAll(t, events)
	l.foldAll(t, inventorytest.Shortfall(l.item, maps.Values(l.reservations)))
}

func (l *stockLife) foldAll(t fatal, events []rules.Event) {
	for _, ev := range events {
		l.fold(t, ev)
		if problem := l.problem(); problem != "" {
			t.Fatal(problem)
		}
	}
}

func (l *stockLife) fold(t fatal, ev rules.Event) {
	m := codec.Meta{EventID: [16]byte{1, byte(l.item.Version)}, Version: l.item.Version + 1, Generation: 1}
	value, _, err := codec.AppendInventory(nil, l.item.SKU, &m, ev)
	if err != nil {
		t.Fatal(err)
	}
	l.checker.foldStock(&eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicInventory},
		Offset:         int64(l.item.Version), Key: []byte(l.item.SKU), Value: value,
	})
	l.forget()
	step, _ := rules.StepOf(ev.Change)
	res := l.reservations[step.OrderID]
	if l.item, res = rules.Evolve(l.item, res, ev); step.OrderID != "" {
		l.reservations[step.OrderID] = res
	}
}

// problem is what verify finds; "" for nothing.
func (l *stockLife) problem() string {
	for _, inv := range l.checker.report.Invariants {
		if inv.Violations > 0 && inv.ID != Envelope { // it looks for headers
			return inv.ID + ": " + inv.Examples[0]
		}
	}
	return ""
}

// Events that the rules decide are no violation. The fold here shares no rule with them.
func TestNoLifeOfAnItemIsAViolation(t *testing.T) {
	forgetful := newForgetful(t)
	rapid.Check(t, func(t *rapid.T) {
		l := newStockLife()
		l.checker, l.forget = forgetful.checker(rapid.Bool().Draw(t, "records on disk?"))
		l.do(t, rules.RegisterItem{})
		l.do(t, rules.SetBackorderLimit{Limit: rapid.Int64Range(0, 40).Draw(t, "backorder limit")})
		for range rapid.IntRange(0, 60).Draw(t, "commands") {
			if rapid.Bool().Draw(t, "stock command?") {
				l.do(t, inventorytest.Command(t, l.item))
				continue
			}
			l.do(t, l.step(t))
		}
	})
}

// step draws a step as orders send them: with one rule for all of an order's life, and what ships or comes back is in
// stock or has shipped.
func (l *stockLife) step(t *rapid.T) rules.SetReservation {
	id := rapid.SampledFrom([]string{"o-1", "o-2", "o-3"}).Draw(t, "order")
	res := l.reservations[id]
	drawn := inventorytest.Step(t, id) // for its rule
	if rapid.IntRange(0, 19).Draw(t, "placed again?") == 0 {
		res = rules.Reservation{PlacedEventID: drawn.PlacedEventID}
	}
	if _, known := l.rule[id]; !known {
		l.rule[id] = drawn.Allocation
	}
	n := rapid.Int64Range(0, 12).Draw(t, "quantity")
	c := rules.SetReservation{
		OrderID: id, PlacedEventID: res.PlacedEventID, Version: res.Version + 1, Allocation: l.rule[id],
		Damaged: res.Damaged(), Refuse: drawn.Refuse,
	}
	c.Reserved, c.Committed, c.Fulfilled, c.Restocked = res.Sums()
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0, 1:
		c.Reserved += n
	case 2:
		c.Reserved, c.Committed = 0, c.Reserved+c.Committed
	case 3:
		n = max(0, min(n, c.Committed-res.Backordered))
		c.Committed, c.Fulfilled = c.Committed-n, c.Fulfilled+n
	case 4:
		c.Restocked += min(n, c.Fulfilled-c.Restocked-c.Damaged)
	case 5:
		c.Reserved, c.Committed = 0, max(0, c.Committed-n)
	}
	return c
}

// waiting is an item of which 1 unit was at main and 1 at south. o-0 and o-1 have these. Then o-3 came, with a rule,
// and behind it o-2, which waits at main.
func waiting(t *testing.T, rule *rules.AllocationRule) *stockLife {
	l := newStockLife()
	for _, cmd := range []rules.Command{
		rules.RegisterItem{}, rules.ReceiveStock{Quantity: 1}, rules.ReceiveStock{Location: "south", Quantity: 1},
		rules.SetBackorderLimit{Limit: 100}, rules.SetReservation{OrderID: "o-0", Version: 1, Reserved: 1},
		rules.SetReservation{OrderID: "o-1", Version: 1, Reserved: 1},
		rules.SetReservation{OrderID: "o-3", Version: 1, Reserved: 1, Allocation: rule},
		rules.SetReservation{OrderID: "o-2", Version: 1, Reserved: 1},
	} {
		l.do(t, cmd)
	}
	return l
}

// An order that waits for one location is passed over by what comes to another one, for an order that may have it.
func TestAnOrderThatWaitsForOneLocationIsPassedOver(t *testing.T) {
	l := waiting(t, &rules.AllocationRule{Policy: rules.SingleLocation})
	l.do(t, rules.ReceiveStock{Location: "north", Quantity: 2})
	if b := l.item.Backorders; len(b) != 1 || b[0].OrderID != "o-3" {
		t.Errorf("these wait: %+v", b)
	}
}

// Nobody else is passed over.
func TestWhatFillsAnOrderOutOfItsTurnIsAViolation(t *testing.T) {
	for name, c := range map[string]struct {
		rule rules.AllocationRule // of o-3, which came first
		come rules.ReceiveStock
		fill rules.BackorderFilled // of o-2
		then []rules.LocationLevel
	}{
		"with goods of the location that it waits at": {
			rules.AllocationRule{Policy: rules.SingleLocation}, rules.ReceiveStock{Location: "main", Quantity: 1},
			rules.BackorderFilled{Location: "main", Quantity: 1}, nil,
		},
		"with goods that it could have from another location": {
			rules.AllocationRule{Policy: rules.Split, Locations: []string{"south"}},
			rules.ReceiveStock{Location: "north", Quantity: 1},
			rules.BackorderFilled{Location: "main", Quantity: 1, Reserved: []rules.Allocation{{Location: "north", Quantity: 1}}},
			[]rules.LocationLevel{
				{Location: "main", Level: rules.Level{OnHand: 1, Reserved: 1}},
				{Location: "north", Level: rules.Level{OnHand: 1, Reserved: 1}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := waiting(t, &c.rule)
			events, err := rules.Decide(l.item, rules.Reservation{}, c.come)
			if err != nil || len(events) != 2 {
				t.Fatalf("%+v %v", events, err)
			}
			c.fill.Step = rules.Step{OrderID: "o-2", Version: 1}
			l.fold(t, events[0])
			l.fold(t, rules.Event{Change: c.fill, Locations: c.then, Total: events[1].Total})
			if got := l.problem(); !strings.Contains(got, "order o-2 was filled while o-3 waits since before") {
				t.Errorf("verify says %q", got)
			}
		})
	}
}

// Logs from before INV-64 have rejections, and releases of nothing, of SKUs that nobody had registered.
func TestOldRejectionsOfUnknownSKUsAreNoViolation(t *testing.T) {
	l := newStockLife()
	step := func(version uint64) rules.Step { return rules.Step{OrderID: "o-1", Version: version} }
	l.fold(t, rules.Event{Change: rules.ReservationRejected{Step: step(1), Quantity: 3, Reason: rules.UnknownSKU}})
	l.fold(t, rules.Event{Change: rules.ReservationReleased{Step: step(2)}})
	for _, cmd := range []rules.Command{
		rules.SetReservation{OrderID: "o-1", Version: 3}, // nothing is written any more
		rules.RegisterItem{}, rules.ReceiveStock{Quantity: 5},
		rules.SetReservation{OrderID: "o-1", Version: 2, Reserved: 3}, // late
		rules.SetReservation{OrderID: "o-2", Version: 1, Reserved: 3},
	} {
		l.do(t, cmd)
	}
	if problem := l.problem(); problem != "" || l.item.Version != 5 || l.item.Total().Reserved != 3 {
		t.Errorf("%s, %+v", problem, l.item)
	}
}
