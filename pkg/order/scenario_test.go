package order

import (
	"errors"
	"reflect"
	"testing"
)

// scenario is one order: given commands, when one more, then its events.
type scenario struct {
	t      *testing.T
	order  Order
	events []Event
	err    error
}

func given(t *testing.T, cmds ...Command) *scenario {
	t.Helper()
	s := &scenario{t: t, order: Order{ID: "o-1"}}
	for _, cmd := range cmds {
		if s.when(cmd); s.err != nil {
			t.Fatalf("given %+v: %v", cmd, s.err)
		}
	}
	return s
}

func (s *scenario) when(cmd Command) *scenario {
	s.t.Helper()
	if c, ok := cmd.(stockAnswers); ok {
		cmd = c(s.order)
	}
	s.events, s.err = Decide(s.order, cmd)
	for _, ev := range s.events {
		before := s.order
		s.order = Evolve(s.order, ev, Facts{EventID: ID{byte(s.order.Version + 1)}, OccurredAtMicros: 1_000})
		if problem := checkOrder(before, s.order); problem != "" {
			s.t.Fatalf("%T: %s", ev, problem)
		}
	}
	return s
}

// then expects exactly these events.
func (s *scenario) then(events ...Event) *scenario {
	s.t.Helper()
	if s.err != nil {
		s.t.Fatalf("refused: %v", s.err)
	}
	if got, want := append([]Event{}, s.events...), append([]Event{}, events...); !reflect.DeepEqual(got, want) {
		s.t.Fatalf("events\n got %+v\nwant %+v", got, want)
	}
	return s
}

// refused expects a refusal and no events.
func (s *scenario) refused(code string) *scenario {
	s.t.Helper()
	var refusal *Error
	if !errors.As(s.err, &refusal) || refusal.Code != code || len(s.events) > 0 {
		s.t.Fatalf("error %v and %d events, want %s", s.err, len(s.events), code)
	}
	return s
}

// at expects the statuses: lifecycle, payment, fulfilment.
func (s *scenario) at(lifecycle Lifecycle, payment, fulfilment string) *scenario {
	s.t.Helper()
	o := s.order
	if o.Lifecycle != lifecycle || o.PaymentStatus() != payment || o.FulfilmentStatus() != fulfilment {
		s.t.Fatalf("%s, %s, %s; want %s, %s, %s", o.Lifecycle, o.PaymentStatus(), o.FulfilmentStatus(), lifecycle, payment,
			fulfilment)
	}
	return s
}

// wants expects the reservation that the order wants, and whether the last event changed it.
func (s *scenario) wants(moved bool, wanted ...Wanted) *scenario {
	s.t.Helper()
	if got := s.order.Wanted(); !reflect.DeepEqual(got, wanted) {
		s.t.Fatalf("wants\n got %+v\nwant %+v", got, wanted)
	}
	if (s.order.ReservationVersion == s.order.Version) != moved || (moved && s.order.Settled) {
		s.t.Fatalf("version %d, reservation version %d, settled %v", s.order.Version, s.order.ReservationVersion,
			s.order.Settled)
	}
	return s
}

// checkOrder returns what is wrong with the state after an event, "" for nothing.
func checkOrder(before, after Order) string {
	if after.Version != before.Version+1 {
		return "the version has a gap"
	}
	for _, l := range after.Lines {
		if l.Backordered < 0 || l.Cancelled < 0 || l.Shipped < 0 || l.Delivered < 0 ||
			l.Backordered+l.Cancelled+l.Shipped > l.Quantity || l.Delivered > l.Shipped ||
			l.Returned > l.Delivered || l.Damaged > l.Returned || l.Damaged < 0 ||
			l.UndeliveredDamaged+l.Lost > l.Undelivered || min(l.UndeliveredDamaged, l.Lost, l.ShipAgain) < 0 ||
			l.ShipAgain > l.left() {
			return "the line ledger does not hold"
		}
	}
	if !deliveriesHold(after) {
		return "lines and shipments have other deliveries"
	}
	if !packedHolds(after) {
		return "a line is packed that has less to ship"
	}
	for _, r := range after.Returns {
		for _, l := range r.Lines {
			if l.Received < 0 || l.Received > l.Quantity {
				return "the ledger of a return does not hold"
			}
		}
	}
	if after.Amendment != nil &&
		(after.Lifecycle == Completed || after.offHold() != Reserved && after.offHold() != Confirmed) {
		return "an amendment of an order that takes none"
	}
	switch {
	case after.CapturedMicros < 0 || after.VoidedMicros < 0 || after.RefundDueMicros < 0 || after.RefundedMicros < 0:
		return "negative money"
	case after.CapturedMicros+after.VoidedMicros > after.AuthorizedMicros, after.paid() < 0:
		return "the money ledger does not hold"
	case after.paid() > after.kept():
		return "more is paid than is kept" // ORD-61
	case after.paid()+after.openAuthorization() > after.keptOf(after.TotalMicros):
		return "more is authorized than is kept"
	case before.Version > 0 && after.ReservationVersion != after.Version &&
		!reflect.DeepEqual(answerable(before.Wanted()), answerable(after.Wanted())):
		return "the wanted reservation changed and its version did not"
	}
	return ""
}

// answerable is what stock answers for: without what it is only told.
func answerable(wanted []Wanted) []Wanted {
	for i := range wanted {
		wanted[i].ShipAgain = 0
	}
	return wanted
}

// packedHolds: of each line, what is being packed is at most what is left to ship.
func packedHolds(o Order) bool {
	for line, n := range o.packing() {
		if n > o.Lines[line-1].left() {
			return false
		}
	}
	return true
}

// deliveriesHold: what has arrived of shipments is what lines have delivered, and at most what was shipped.
func deliveriesHold(o Order) bool {
	arrived := map[int32]int64{}
	for _, f := range o.Fulfilments {
		if f.Delivered && (f.Pending || len(f.Arrived) > 0) {
			return false
		}
		under := map[int32]int64{}
		for _, l := range f.undelivered() {
			under[l.line] = l.left
		}
		for _, l := range f.Lines {
			if !f.Delivered {
				l.Quantity -= under[l.Line]
			}
			arrived[l.Line] += l.Quantity
		}
		for _, l := range f.Arrived {
			if l.Quantity < 1 || arrived[l.Line] < l.Quantity {
				return false
			}
		}
	}
	for i, l := range o.Lines {
		arrived[int32(i)+1] -= l.Delivered
	}
	for _, n := range arrived {
		if n != 0 {
			return false
		}
	}
	return true
}

// stockAnswers makes a RecordReservation from the order's own step.
type stockAnswers func(Order) RecordReservation

func (s stockAnswers) decide(o *Order) ([]Event, error) { return s(*o).decide(o) }

// granted is the answers of stock that has all that the order wants.
func granted(o Order) RecordReservation {
	c := RecordReservation{ReservationVersion: o.ReservationVersion}
	for _, w := range o.Wanted() {
		c.Answers = append(c.Answers, StockAnswer{
			SKU: w.SKU, Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked,
			Damaged: w.Damaged,
		})
	}
	return c
}

// backordered is the answers of stock that has backordered some of SKU a.
func backordered(quantity int64) stockAnswers {
	return func(o Order) RecordReservation {
		c := granted(o)
		c.Answers[0].Backordered = quantity
		return c
	}
}

// twoSKUs is an order of a (2 + 1) and b (4) for 12.345 EUR.
func twoSKUs(terms PaymentTerms) Place {
	return Place{
		OrderID: "o-1", CustomerID: "c-1", Currency: "EUR", Terms: terms, PaymentDeadlineMicros: 5_000,
		Lines: []PlaceLine{{"a", 2, 1_115_000, nil}, {"b", 4, 2_000_000, nil}, {"a", 1, 2_115_000, nil}},
	}
}

const twoSKUsTotal = 12_340_000

func line(sku string, quantity int64) []LineQuantity { return []LineQuantity{{sku, quantity, 0}} }

// numbered is line as events have it, of the first lines of twoSKUs: a is 1, b is 2.
func numbered(sku string, quantity int64) []LineQuantity {
	return []LineQuantity{{sku, quantity, int32(sku[0]-'a') + 1}}
}

func confirmed() []Command { return []Command{twoSKUs(OnAccount), stockAnswers(granted)} }

func paid() []Command {
	return []Command{twoSKUs(Prepaid), stockAnswers(granted), authorize(twoSKUsTotal, "p", 0)}
}

// authorize is a payment without an ID of the provider.
func authorize(amountMicros int64, reference string, deadlineMicros int64) AuthorizePayment {
	return AuthorizePayment{AmountMicros: amountMicros, Reference: reference, DeadlineMicros: deadlineMicros}
}

func start(reference string, deadlineMicros int64) StartPayment {
	return StartPayment{Reference: reference, DeadlineMicros: deadlineMicros}
}

func started(reference string, deadlineMicros int64) PaymentStarted {
	return PaymentStarted{Reference: reference, PaymentDeadlineMicros: deadlineMicros}
}

// identified is a payment without a provider's name whose ID became known.
func identified(action PaymentAction, reference string, amountMicros int64, id string) PaymentIdentified {
	return PaymentIdentified{Payment{
		Action: action, Reference: reference, AmountMicros: amountMicros, ProviderEventID: id,
	}}
}

func fail(reference, reason string) FailPayment {
	return FailPayment{Reference: reference, Reason: reason}
}
