package order_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/inventory/inventorytest"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"

	"pgregory.net/rapid"
)

// shop has orders and items, each SKU in a shard of its own, that exchange messages.
type shop struct {
	orders       map[string]order.Order
	items        map[string]inventory.Item
	reservations map[[2]string]inventory.Reservation
	// answered has stock's answers to each order's newest step, by SKU.
	answered map[string]map[string]order.Held
	// network has the messages that are not delivered yet. Each may be lost, repeated or late, or overtake others.
	network []message
	seq     byte
	// came and left are what moved of each SKU, computed from the events alone.
	came, left map[string]int64
	problem    string
}

// message is a step to stock, stock's answer to one, or its news of a backorder.
type message struct {
	order, sku string
	step       *inventory.SetReservation
	answer     *order.Held
	news       bool
	version    uint64
}

func newShop() *shop {
	return &shop{
		orders: map[string]order.Order{}, items: map[string]inventory.Item{},
		reservations: map[[2]string]inventory.Reservation{},
		answered:     map[string]map[string]order.Held{}, came: map[string]int64{}, left: map[string]int64{},
	}
}

// order gives a command to an order, and sends its step if that changed.
func (s *shop) order(id string, cmd order.Command) error {
	o := s.orders[id]
	o.ID = id
	events, err := order.Decide(o, cmd)
	s.write(o, events)
	return err
}

func (s *shop) write(o order.Order, events []order.Event) {
	before := o.ReservationVersion
	for _, ev := range events {
		s.seq++
		was := o
		o = order.Evolve(o, ev, order.Facts{EventID: order.ID{s.seq, 1}})
		if problem := order.CheckOrder(was, o); problem != "" {
			s.problem = fmt.Sprintf("%T: %s", ev, problem)
		}
		if end, ok := ev.(order.OrderCancelled); ok && end.Reason == order.ReconciliationReason {
			s.problem = fmt.Sprintf("%s is cancelled for stock that was never lost: %+v", o.ID, was) // ORD-9
		}
	}
	if len(events) > 0 {
		s.orders[o.ID] = o
	}
	if o.ReservationVersion != before {
		s.answered[o.ID] = map[string]order.Held{}
		s.send(o.ID)
	}
}

// send sends the order's newest step to all stock that has not answered it.
func (s *shop) send(id string) {
	o := s.orders[id]
	for _, w := range o.Wanted() {
		if _, has := s.answered[id][w.SKU]; has {
			continue
		}
		step := inventory.SetReservation{
			OrderID: id, PlacedEventID: inventory.ID(o.PlacedEventID), Version: o.ReservationVersion,
			Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked, Damaged: w.Damaged,
			Imported: w.Imported,
		}
		for _, at := range w.ReturnedAt {
			step.ReturnedAt = append(step.ReturnedAt, inventory.ReturnedAt(at))
		}
		if rule := o.Allocation; rule != nil {
			step.Allocation = &inventory.AllocationRule{Policy: inventory.AllocationPolicy(rule.Policy),
				Locations: rule.Locations}
		}
		s.network = append(s.network, message{order: id, sku: w.SKU, step: &step})
	}
}

// stock gives a command to an item, and sends news of the backorders that it filled.
func (s *shop) stock(sku string, cmd inventory.Command) error {
	item := s.items[sku]
	item.SKU = sku
	var key [2]string
	if c, ok := cmd.(inventory.SetReservation); ok {
		key = [2]string{c.OrderID, sku}
	}
	events, err := inventory.Decide(item, s.reservations[key], cmd)
	for _, ev := range events {
		before := item
		step, ok := inventory.StepOf(ev.Change)
		if !ok {
			item, _ = inventory.Evolve(item, inventory.Reservation{}, ev)
		} else {
			key := [2]string{step.OrderID, sku}
			item, s.reservations[key] = inventory.Evolve(item, s.reservations[key], ev)
		}
		s.account(before, item, ev)
		if filled, ok := ev.Change.(inventory.BackorderFilled); ok {
			s.network = append(s.network, message{order: filled.Step.OrderID, sku: sku, news: true})
		}
	}
	s.items[sku] = item
	return err
}

// account adds up what moved, and checks that nothing is oversold.
func (s *shop) account(before, after inventory.Item, ev inventory.Event) {
	sku := after.SKU
	switch c := ev.Change.(type) {
	case inventory.StockReceived:
		s.came[sku] += c.Quantity
	case inventory.StockAdjusted:
		s.came[sku] += c.Delta
	case inventory.StockCounted:
		s.came[sku] += c.Delta
	case inventory.StockRestocked:
		s.came[sku] += c.Quantity
	case inventory.TransferReceived:
		s.came[sku] += c.Quantity + c.Damaged + c.Rejected
	case inventory.TransferShipped:
		s.left[sku] += c.Quantity
	case inventory.StockFulfilled:
		s.left[sku] += c.Quantity
	case inventory.StockReserved:
		if before.Sellable()-after.Sellable() != c.Quantity {
			s.problem = fmt.Sprintf("%s: reserved %d of what is not there: %+v", sku, c.Quantity, after)
		}
	case inventory.StockBackordered:
		var waits int64
		for _, b := range after.Backorders {
			waits += b.Quantity
		}
		if waits > after.BackorderLimit {
			s.problem = fmt.Sprintf("%s: orders wait for %d, the limit is %d", sku, waits, after.BackorderLimit)
		}
	}
}

// deliver delivers a message, and may deliver it again later.
func (s *shop) deliver(k int, again bool) error {
	m := s.network[k]
	if !again {
		s.network = slices.Delete(s.network, k, k+1)
	}
	switch {
	case m.step != nil:
		return s.deliverStep(m)
	case m.news:
		r := s.reservations[[2]string{m.order, m.sku}]
		return s.order(m.order, order.RecordBackorder{SKU: m.sku, ReservationVersion: r.Version, Backordered: r.Backordered})
	}
	return s.deliverAnswer(m)
}

// deliverStep answers with the reservation after the step, under the version of the newest step that stock has seen.
func (s *shop) deliverStep(m message) error {
	if err := s.stock(m.sku, *m.step); err != nil {
		return err
	}
	r := s.reservations[[2]string{m.order, m.sku}]
	h := order.Held{SKU: m.sku, Backordered: r.Backordered, Damaged: r.Damaged()}
	h.Reserved, h.Committed, h.Fulfilled, h.Restocked = r.Sums()
	if r.Rejected != nil {
		h.Rejected, h.Available, h.RejectionReason = true, r.Rejected.Available, int32(r.Rejected.Reason)
	}
	s.network = append(s.network, message{order: m.order, sku: m.sku, answer: &h, version: r.Version})
	return nil
}

// deliverAnswer tells the order once all stock has answered its newest step, or one has rejected it.
func (s *shop) deliverAnswer(m message) error {
	o := s.orders[m.order]
	if m.version != o.ReservationVersion || o.Settled {
		return nil // late
	}
	s.answered[m.order][m.sku] = *m.answer
	all := true
	for _, w := range o.Wanted() {
		_, has := s.answered[m.order][w.SKU]
		all = all && has
	}
	if !all && (!m.answer.Rejected || !o.Undecided() || o.Kind != order.KindOrder) {
		return nil
	}
	c := order.RecordReservation{ReservationVersion: m.version}
	for _, h := range s.answered[m.order] {
		c.Held = append(c.Held, h)
	}
	if err := s.order(m.order, c); err != nil {
		return err
	}
	if o := s.orders[m.order]; all && o.Undecided() && o.ReservationVersion == m.version {
		return fmt.Errorf("%s has all answers and no outcome: %+v", m.order, c)
	}
	return nil
}

// deliverAll sends what is not answered, and delivers every message, until there are no more.
func (s *shop) deliverAll() error {
	for range 20 {
		for id := range s.orders {
			if o := s.orders[id]; !o.Settled {
				s.send(id)
			}
		}
		if len(s.network) == 0 {
			return nil
		}
		for len(s.network) > 0 {
			if err := s.deliver(0, false); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("it does not settle: %+v", s.orders)
}

var (
	orderIDs = []string{"o-1", "o-2", "o-3"}
	allSKUs  = []string{"a", "b", "c", "d"}
)

// happen draws one thing that happens: a client's command on an order or on stock, or something to a message.
func (s *shop) happen(t *rapid.T) error {
	id := ordertest.One(t, orderIDs)
	what := ordertest.One(t,
		[]string{"order", "order", "order", "import", "stock", "message", "message", "message", "message", "repeated", "lost",
			"resent", "resent"})
	k := 0
	if n := len(s.network); n > 0 {
		k = rapid.IntRange(0, n-1).Draw(t, "message")
	}
	switch {
	case what == "order":
		_ = s.order(id, ordertest.Client(t, s.orders[id])) // refusals write nothing
	case what == "import":
		if o := s.orders[id]; o.Version == 0 || o.RefusedDocument() {
			_ = s.order(id, ordertest.Document(t))
		}
	case what == "stock":
		sku := ordertest.One(t, allSKUs)
		_ = s.stock(sku, inventorytest.Command(t, s.items[sku]))
	case what == "resent":
		if o := s.orders[id]; o.Version > 0 && !o.Settled {
			s.send(id)
		}
	case len(s.network) == 0:
	case what == "lost":
		s.network = slices.Delete(s.network, k, k+1)
	default:
		return s.deliver(k, what == "repeated")
	}
	return nil
}

// Lost, repeated, late and reordered messages only delay, whatever clients do meanwhile: in the end every order has
// reserved exactly what it wants, each unit that was ordered has one outcome, and nothing was sold twice.
func TestOrdersAndStockAgreeInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newShop()
		for _, sku := range allSKUs[:3] { // nobody has registered the last one yet
			receipt := inventory.ReceiveStock{Quantity: rapid.Int64Range(1, 20).Draw(t, "stock")}
			limit := inventory.SetBackorderLimit{Limit: rapid.SampledFrom([]int64{0, 0, 9}).Draw(t, "limit")}
			if s.stock(sku, inventory.RegisterItem{}) != nil || s.stock(sku, receipt) != nil || s.stock(sku, limit) != nil {
				t.Fatal("stock refused")
			}
		}
		for range 4 * ordertest.Length(t) {
			if err := s.happen(t); err != nil || s.problem != "" {
				t.Fatal(err, s.problem)
			}
		}
		if err := s.deliverAll(); err != nil || s.problem != "" {
			t.Fatal(err, s.problem)
		}
		for _, id := range orderIDs {
			s.tell(t, id)
			checkOutcomes(t, s.orders[id])
			s.checkReservations(t, id)
		}
		s.checkStock(t)
	})
}

// tell delivers news of filled backorders, also those that were lost: the item's shard asks until the order knows.
func (s *shop) tell(t *rapid.T, id string) {
	o := s.orders[id]
	for _, w := range o.Wanted() {
		r := s.reservations[[2]string{id, w.SKU}]
		filled := order.RecordBackorder{SKU: w.SKU, ReservationVersion: r.Version, Backordered: r.Backordered}
		if err := s.order(id, filled); err != nil {
			t.Fatal(err)
		}
		if o := s.orders[id]; o.Backordered(w.SKU) != r.Backordered {
			t.Fatalf("%s says that %d of %s are backordered, stock %d", id, o.Backordered(w.SKU), w.SKU, r.Backordered)
		}
	}
}

// checkOutcomes: each unit was cancelled, has shipped, or is still to ship, the last only of orders that have not
// ended. What came back had been delivered, and what was delivered had shipped.
func checkOutcomes(t *rapid.T, o order.Order) {
	for i, l := range o.Lines {
		open := l.Quantity - l.Cancelled - l.Shipped
		if o.Kind == order.KindCreditNote {
			open = 0
		}
		ended := o.Lifecycle == order.Completed || o.Lifecycle == order.Cancelled
		if open < 0 || min(l.Cancelled, l.Shipped, l.Delivered, l.Returned) < 0 || ended && open > 0 ||
			l.Delivered > l.Shipped || l.Returned > l.Delivered {
			t.Fatalf("line %d of an order that is %s has no outcome, or several: %+v", i+1, o.Lifecycle, l)
		}
		if o.Kind != order.KindOrder && o.Lifecycle != order.Completed && o.Lifecycle != order.Rejected {
			t.Fatalf("a past document is %s", o.Lifecycle)
		}
		if unplaced := o.Lifecycle == order.Rejected || o.Lifecycle == order.Expired; unplaced && l.Shipped > 0 {
			t.Fatalf("line %d of an order that is %s has shipped: %+v", i+1, o.Lifecycle, l)
		}
	}
}

// checkReservations: stock has reserved for an order what it wants, where its rule allows it.
func (s *shop) checkReservations(t *rapid.T, id string) {
	for _, w := range s.orders[id].Wanted() {
		res := s.reservations[[2]string{id, w.SKU}]
		r, c, f, back := res.Sums()
		if r != w.Reserved || c != w.Committed || f != w.Fulfilled || back != w.Restocked || res.Damaged() != w.Damaged {
			t.Fatalf("%s holds %+v of %+v", id, res, w)
		}
		for _, at := range w.ReturnedAt {
			k := slices.IndexFunc(res.Held, func(h inventory.HeldAt) bool { return h.Location == at.Location })
			if k < 0 || res.Held[k].Restocked < at.Restocked || res.Held[k].Damaged < at.Damaged {
				t.Fatalf("%s of %s has come back to %+v, not to %+v", w.SKU, id, res.Held, at)
			}
		}
		if rule := s.orders[id].Allocation; rule != nil && rule.Policy == order.SingleLocation && locations(res) > 1 {
			t.Fatalf("%s has %s at several locations: %+v", id, w.SKU, res)
		}
	}
}

// checkStock: nothing is reserved for an order that does not exist, item levels are those of the reservations, and
// on_hand is what came and has not left.
func (s *shop) checkStock(t *rapid.T) {
	promised := map[string]int64{}
	for key, res := range s.reservations {
		r, c, _, _ := res.Sums()
		promised[key[1]] += r + c
		wanted := slices.ContainsFunc(s.orders[key[0]].Wanted(), func(w order.Wanted) bool { return w.SKU == key[1] })
		if r+c > 0 && !wanted {
			t.Fatalf("%s is reserved for %s, which does not know of it: %+v", key[1], key[0], res)
		}
	}
	for sku, item := range s.items {
		total := item.Total()
		if total.OnHand != s.came[sku]-s.left[sku] || total.Reserved+total.Committed != promised[sku] {
			t.Fatalf("%s: %+v, of which %d came, %d left, and %d are promised", sku, total, s.came[sku], s.left[sku],
				promised[sku])
		}
	}
}

// locations counts the locations where an order has, or had, units.
func locations(r inventory.Reservation) (n int) {
	for _, h := range r.Held {
		if h.Reserved+h.Committed+h.Fulfilled > 0 {
			n++
		}
	}
	return n
}

// BenchmarkThreeLineOrder decides and evolves a whole order: placed, three reservations, outcome,
// confirmed, three commits, settled.
func BenchmarkThreeLineOrder(b *testing.B) {
	s := newShop()
	place := order.Place{Currency: "EUR", Terms: order.OnAccount}
	for _, sku := range []string{"a", "b", "c"} {
		if s.stock(sku, inventory.RegisterItem{}) != nil || s.stock(sku, inventory.ReceiveStock{Quantity: 1e9}) != nil {
			b.Fatal("stock refused")
		}
		place.Lines = append(place.Lines, order.PlaceLine{SKU: sku, Quantity: 1, UnitPriceMicros: 1_500_000})
	}
	b.ReportAllocs()
	for b.Loop() {
		clear(s.orders)
		clear(s.reservations)
		clear(s.answered)
		if err := s.order("o-1", place); err != nil {
			b.Fatal(err)
		}
		if err := s.deliverAll(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecidePlaced is the order's own part of it: place, three answers, confirmed.
func BenchmarkDecidePlaced(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		decidePlaced(b)
	}
}

// An order of three lines allocates little: garbage collection is what limits the write path.
func TestAThreeLineOrderAllocatesLittle(t *testing.T) {
	if allocations := testing.AllocsPerRun(100, func() { decidePlaced(t) }); allocations >= 15 {
		t.Errorf("%.0f allocations for an order of three lines", allocations)
	}
}

func decidePlaced(tb testing.TB) {
	place := order.Place{Currency: "EUR", Terms: order.OnAccount, Lines: []order.PlaceLine{
		{SKU: "a", Quantity: 1, UnitPriceMicros: 1_500_000}, {SKU: "b", Quantity: 1, UnitPriceMicros: 1_500_000},
		{SKU: "c", Quantity: 1, UnitPriceMicros: 1_500_000},
	}}
	answers := order.RecordReservation{ReservationVersion: 1, Held: []order.Held{
		{SKU: "a", Reserved: 1}, {SKU: "b", Reserved: 1}, {SKU: "c", Reserved: 1},
	}}
	var o order.Order
	for _, cmd := range [...]order.Command{place, answers} {
		events, err := order.Decide(o, cmd)
		if err != nil || len(events) == 0 {
			tb.Fatal(err)
		}
		for _, ev := range events {
			o = order.Evolve(o, ev, order.Facts{})
		}
	}
}
