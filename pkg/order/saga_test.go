package order_test

import (
	"errors"
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
	answered map[string]map[string]order.StockAnswer
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
	answer     *order.StockAnswer
	news       *order.RecordBackorder
	version    uint64
}

func newShop() *shop {
	return &shop{
		orders: map[string]order.Order{}, items: map[string]inventory.Item{},
		reservations: map[[2]string]inventory.Reservation{},
		answered:     map[string]map[string]order.StockAnswer{}, came: map[string]int64{}, left: map[string]int64{},
	}
}

// order gives a command to an order, and sends its step if that changed.
func (s *shop) order(id string, cmd order.Command) error {
	o := s.orders[id]
	o.ID = id
	events, err := order.Decide(o, cmd)
	if err == nil && len(events) > 0 {
		if _, ships := events[0].(order.LinesShipped); ships {
			return s.ship(id, cmd)
		}
	}
	s.write(o, events)
	return err
}

// ship decides a command that ships goods once stock has seen the order's newest step and has told its backorders, as
// shards do (ADR 34).
func (s *shop) ship(id string, cmd order.Command) error {
	for _, w := range s.orders[id].Wanted() {
		s.send(id, w.SKU)
		step := s.network[len(s.network)-1].step
		s.network = s.network[:len(s.network)-1]
		if err := s.stock(w.SKU, *step); err != nil {
			return err
		}
		if err := s.order(id, newsOf(w.SKU, s.reservations[[2]string{id, w.SKU}])); err != nil {
			return err
		}
	}
	o := s.orders[id]
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
		s.answered[o.ID] = map[string]order.StockAnswer{}
		s.send(o.ID)
	}
}

// send sends the order's newest step to all stock that has not answered it, or to that of one SKU.
func (s *shop) send(id string, only ...string) {
	o := s.orders[id]
	for _, w := range o.Wanted() {
		if _, has := s.answered[id][w.SKU]; has && len(only) == 0 || len(only) > 0 && only[0] != w.SKU {
			continue
		}
		step := inventory.SetReservation{
			OrderID: id, PlacedEventID: inventory.ID(o.PlacedEventID), Version: o.ReservationVersion,
			Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked, Damaged: w.Damaged,
			Imported: w.Imported, ShipAgain: w.ShipAgain,
		}
		for _, at := range w.ReturnedAt {
			step.ReturnedAt = append(step.ReturnedAt, inventory.ReturnedAt(at))
		}
		for _, r := range w.Reversed {
			step.Reversed = append(step.Reversed, inventory.Reversed(r))
		}
		if rule := o.Allocation; rule != nil {
			step.Allocation = &inventory.AllocationRule{Policy: inventory.AllocationPolicy(rule.Policy),
				Locations: rule.Locations}
		}
		s.network = append(s.network, message{order: id, sku: w.SKU, step: &step})
	}
}

// stock gives a command to an item, decides who loses what it then lacks, and sends news of backorders that this filled
// or made.
func (s *shop) stock(sku string, cmd inventory.Command) error {
	item := s.items[sku]
	item.SKU = sku
	var key [2]string
	if c, ok := cmd.(inventory.SetReservation); ok {
		key = [2]string{c.OrderID, sku}
	}
	events, err := inventory.Decide(item, s.reservations[key], cmd)
	item = s.evolve(item, events)
	item = s.evolve(item, inventorytest.Shortfall(item, func(yield func(inventory.Reservation) bool) {
		for key, r := range s.reservations {
			if key[1] == sku && !yield(r) {
				return
			}
		}
	}))
	s.items[sku] = item
	return err
}

// evolve applies stock's events.
func (s *shop) evolve(item inventory.Item, events []inventory.Event) inventory.Item {
	sku := item.SKU
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
		switch ev.Change.(type) {
		case inventory.BackorderFilled, inventory.ReservationFellShort:
			news := newsOf(sku, s.reservations[[2]string{step.OrderID, sku}])
			s.network = append(s.network, message{order: step.OrderID, sku: sku, news: &news})
		}
	}
	return item
}

func newsOf(sku string, r inventory.Reservation) order.RecordBackorder {
	return order.RecordBackorder{
		SKU: sku, ReservationVersion: r.Version, Backordered: r.Backordered, StockVersion: r.BackorderVersion,
	}
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
	case inventory.TransferCancelled:
		s.came[sku] += c.Quantity
	case inventory.TransferShipped:
		s.left[sku] += c.Quantity
	case inventory.StockFulfilled:
		s.left[sku] += c.Quantity
	case inventory.StockReserved:
		if !c.ShipsAgain && before.Sellable()-after.Sellable() != c.Quantity {
			s.problem = fmt.Sprintf("%s: reserved %d of what is not there: %+v", sku, c.Quantity, after)
		}
	case inventory.StockBackordered:
		var waits int64
		for _, b := range after.Backorders {
			waits += b.Quantity
		}
		if waits > after.BackorderLimit && !c.ShipsAgain {
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
	case m.news != nil:
		return s.order(m.order, *m.news)
	}
	return s.deliverAnswer(m)
}

// deliverStep answers with the reservation after the step, under the version of the newest step that stock has seen. An
// item that is not registered remembers none.
func (s *shop) deliverStep(m message) error {
	err := s.stock(m.sku, *m.step)
	if refused, ok := errors.AsType[*inventory.Error](err); ok && refused.Code == inventory.CodeUnknownSKU {
		h := order.StockAnswer{SKU: m.sku, Rejected: true, RejectionReason: order.ReasonUnknownSKU}
		s.network = append(s.network, message{order: m.order, sku: m.sku, answer: &h, version: m.step.Version})
		return nil
	}
	if err != nil {
		return err
	}
	r := s.reservations[[2]string{m.order, m.sku}]
	h := order.StockAnswer{SKU: m.sku, Backordered: r.Backordered, BackorderVersion: r.BackorderVersion,
		Damaged: r.Damaged()}
	h.Reserved, h.Committed, h.Fulfilled, h.Restocked = r.Sums()
	if r.Rejected != nil {
		h.Rejected, h.Available, h.RejectionReason = true, r.Rejected.Available, int32(r.Rejected.Reason)
	}
	version := max(r.Version, m.step.Version)
	s.network = append(s.network, message{order: m.order, sku: m.sku, answer: &h, version: version})
	return nil
}

// deliverAnswer tells the order once all stock has answered its newest step, or one has rejected it.
func (s *shop) deliverAnswer(m message) error {
	o := s.orders[m.order]
	if m.version != o.ReservationVersion || o.Settled {
		s.takeBack(m)
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
		c.Answers = append(c.Answers, h)
	}
	if err := s.order(m.order, c); err != nil {
		return err
	}
	if o := s.orders[m.order]; all && o.Undecided() && o.ReservationVersion == m.version {
		return fmt.Errorf("%s has all answers and no outcome: %+v", m.order, c)
	}
	return nil
}

// takeBack sends the order's newest step again if a late answer shows that stock has more than the order wants: the
// item was registered between a step and its repeat.
func (s *shop) takeBack(m message) {
	o := s.orders[m.order]
	if m.version >= o.ReservationVersion {
		return
	}
	for _, w := range o.Wanted() {
		if w.SKU == m.sku && m.answer.Reserved+m.answer.Committed > w.Reserved+w.Committed {
			s.send(m.order, m.sku)
		}
	}
}

// sweep asks the orders about everything that stock has reserved, as each shard does every few minutes.
func (s *shop) sweep() {
	for key, res := range s.reservations {
		h := order.StockAnswer{SKU: key[1]}
		h.Reserved, h.Committed, _, _ = res.Sums()
		s.takeBack(message{order: key[0], sku: key[1], answer: &h, version: res.Version})
	}
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
			s.sweep()
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
		if !s.items[sku].Registered {
			return errors.Join(s.stock(sku, inventory.RegisterItem{}), s.stock(sku, inventory.ReceiveStock{Quantity: 9}))
		}
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
		for _, sku := range allSKUs[:2] { // nobody has registered the others yet
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

// tell delivers news of backorders, also those that were lost: the item's shard asks until the order knows.
func (s *shop) tell(t *rapid.T, id string) {
	o := s.orders[id]
	for _, w := range o.Wanted() {
		r := s.reservations[[2]string{id, w.SKU}]
		if err := s.order(id, newsOf(w.SKU, r)); err != nil {
			t.Fatal(err)
		}
		if o := s.orders[id]; o.Backordered(w.SKU) != r.Backordered {
			t.Fatalf("%s says that %d of %s are backordered, stock %d", id, o.Backordered(w.SKU), w.SKU, r.Backordered)
		}
	}
}
