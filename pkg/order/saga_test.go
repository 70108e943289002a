package order_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"

	"pgregory.net/rapid"
)

// shop is orders and items that talk in steps and answers, each of which may be lost, repeated or late.
type shop struct {
	orders       map[string]order.Order
	items        map[string]inventory.Item
	reservations map[[2]string]inventory.Reservation
	seq          byte
}

func newShop() *shop {
	return &shop{
		orders: map[string]order.Order{}, items: map[string]inventory.Item{},
		reservations: map[[2]string]inventory.Reservation{},
	}
}

func (s *shop) order(id string, cmd order.Command) error {
	o := s.orders[id]
	o.ID = id
	events, err := order.Decide(o, cmd)
	for _, ev := range events {
		s.seq++
		o = order.Evolve(o, ev, order.Facts{EventID: order.ID{s.seq, 1}})
	}
	if len(events) > 0 {
		s.orders[id] = o
	}
	return err
}

func (s *shop) stock(sku string, cmd inventory.Command) error {
	item := s.items[sku]
	item.SKU = sku
	var key [2]string
	if c, ok := cmd.(inventory.SetReservation); ok {
		key = [2]string{c.OrderID, sku}
	}
	events, err := inventory.Decide(item, s.reservations[key], cmd)
	for _, ev := range events {
		step, ok := inventory.StepOf(ev.Change)
		if !ok {
			item, _ = inventory.Evolve(item, inventory.Reservation{}, ev)
			continue
		}
		key := [2]string{step.OrderID, sku}
		item, s.reservations[key] = inventory.Evolve(item, s.reservations[key], ev)
	}
	s.items[sku] = item
	return err
}

// news is what stock would say of an order's backorders now.
func (s *shop) news(id string) (all []order.RecordBackorder) {
	o := s.orders[id]
	for _, w := range o.Wanted() {
		r := s.reservations[[2]string{id, w.SKU}]
		all = append(all, order.RecordBackorder{SKU: w.SKU, ReservationVersion: r.Version, Backordered: r.Backordered})
	}
	return all
}

// steps are what the order's shard would send to stock now.
func (s *shop) steps(id string) map[string]inventory.SetReservation {
	o, steps := s.orders[id], map[string]inventory.SetReservation{}
	for _, w := range o.Wanted() {
		steps[w.SKU] = inventory.SetReservation{
			OrderID: id, PlacedEventID: inventory.ID(o.PlacedEventID), Version: o.ReservationVersion,
			Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked, Damaged: w.Damaged, Imported: w.Imported,
		}
		if rule := o.Allocation; rule != nil {
			step := steps[w.SKU]
			step.Allocation = &inventory.AllocationRule{Policy: inventory.AllocationPolicy(rule.Policy), Locations: rule.Locations}
			steps[w.SKU] = step
		}
	}
	return steps
}

// answer is what stock would say of an order's newest step, if all SKUs have seen it.
func (s *shop) answer(id string) (order.RecordReservation, bool) {
	o := s.orders[id]
	c := order.RecordReservation{ReservationVersion: o.ReservationVersion}
	for _, w := range o.Wanted() {
		r := s.reservations[[2]string{id, w.SKU}]
		if r.Version != o.ReservationVersion {
			return c, false
		}
		h := order.Held{SKU: w.SKU, Backordered: r.Backordered, Damaged: r.Damaged()}
		h.Reserved, h.Committed, h.Fulfilled, h.Restocked = r.Sums()
		if r.Rejected != nil {
			h.Rejected, h.Available, h.RejectionReason = true, r.Rejected.Available, int32(r.Rejected.Reason)
		}
		c.Held = append(c.Held, h)
	}
	return c, true
}

// settle sends every step until stock has answered all of them.
func (s *shop) settle(id string) error {
	for range 5 {
		if o := s.orders[id]; o.Version == 0 || o.Settled {
			return nil
		}
		for sku, step := range s.steps(id) {
			if err := s.stock(sku, step); err != nil {
				return err
			}
		}
		answer, all := s.answer(id)
		if !all {
			return fmt.Errorf("%s: stock did not take the step", id)
		}
		if err := s.order(id, answer); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s does not settle", id)
}

func drawOrderCommand(t *rapid.T, o order.Order) order.Command {
	some := []order.LineQuantity{{
		SKU: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "sku"), Quantity: rapid.Int64Range(1, 2).Draw(t, "some"),
	}}
	// What has come further gets there more often: otherwise few orders ever come back.
	if len(o.Fulfilments) > 0 && rapid.Bool().Draw(t, "further") {
		return drawLaterCommand(t, o, some)
	}
	switch rapid.IntRange(0, 19).Draw(t, "command") {
	case 15, 16, 17, 18, 19:
		return drawAmendment(t, o)
	case 0, 1, 2:
		c := order.Place{Currency: "EUR", Terms: order.PaymentTerms(rapid.Int32Range(1, 2).Draw(t, "terms")), PaymentDeadlineMicros: 9}
		for _, sku := range []string{"c", "a", "b", "a"}[rapid.IntRange(0, 3).Draw(t, "first"):] {
			c.Lines = append(c.Lines, order.PlaceLine{SKU: sku, Quantity: rapid.Int64Range(1, 6).Draw(t, "quantity"), UnitPriceMicros: 1_000_000})
		}
		if policy := rapid.Int32Range(0, 3).Draw(t, "policy"); policy > 0 {
			c.Allocation = &order.AllocationRule{Policy: order.AllocationPolicy(policy), Locations: []string{"north"}}
		}
		return c
	case 3, 4, 5:
		return order.AuthorizePayment{AmountMicros: o.TotalMicros}
	case 6:
		return order.Cancel{}
	case 7:
		return order.Expire{AtMicros: 9}
	case 8, 9:
		return order.Ship{FulfilmentID: fmt.Sprint("f", o.Version)}
	case 10:
		return order.CancelLines{Lines: some}
	case 11:
		return order.Hold{}
	case 12:
		return order.Resume{}
	}
	return order.Ship{FulfilmentID: fmt.Sprint("f", o.Version), Lines: some}
}

// drawAmendment takes some lines up, down or off, and adds one for what the order has not.
func drawAmendment(t *rapid.T, o order.Order) order.Command {
	c, price := order.Amend{}, int64(1_000_000)
	has := map[string]bool{}
	for i, l := range o.Lines {
		if has[l.SKU] = true; rapid.Bool().Draw(t, "line") {
			c.Lines = append(c.Lines, order.AmendLine{SKU: l.SKU, Line: int32(i) + 1, Quantity: rapid.Int64Range(0, 9).Draw(t, "to")})
		}
	}
	for _, sku := range []string{"a", "b", "c"} {
		if !has[sku] && rapid.Bool().Draw(t, "new") {
			c.Lines = append(c.Lines, order.AmendLine{SKU: sku, Quantity: rapid.Int64Range(1, 9).Draw(t, "of it"), UnitPriceMicros: &price})
		}
	}
	return c
}

// drawLaterCommand is one on an order of which something has shipped.
func drawLaterCommand(t *rapid.T, o order.Order, some []order.LineQuantity) order.Command {
	switch rapid.IntRange(0, 3).Draw(t, "later") {
	case 0:
		return order.Deliver{FulfilmentID: rapid.SampledFrom(o.Fulfilments).Draw(t, "fulfilment").ID}
	case 1:
		return order.Deliver{FulfilmentID: rapid.SampledFrom(o.Fulfilments).Draw(t, "fulfilment").ID, Lines: some}
	case 2:
		return order.RequestReturn{ReturnID: "r"}
	}
	condition := order.Condition(rapid.Int32Range(1, 2).Draw(t, "condition"))
	return order.ReceiveReturn{ReturnID: "r", Lines: []order.ReturnedLine{{SKU: some[0].SKU, Quantity: some[0].Quantity, Condition: condition}}}
}

// Lost, repeated, late and reordered steps change nothing but time: in the end every order that stock
// has answered holds exactly what it wants, and nothing was sold twice.
func TestOrdersAndStockAgreeInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newShop()
		received := map[string]int64{}
		for _, sku := range []string{"a", "b", "c"} {
			received[sku] = rapid.Int64Range(1, 20).Draw(t, "stock")
			limit := inventory.SetBackorderLimit{Limit: rapid.SampledFrom([]int64{0, 0, 9}).Draw(t, "limit")}
			if s.stock(sku, inventory.RegisterItem{}) != nil || s.stock(sku, inventory.ReceiveStock{Quantity: received[sku]}) != nil ||
				s.stock(sku, limit) != nil {
				t.Fatal("stock refused")
			}
		}
		ids := []string{"o-1", "o-2", "o-3"}
		var late []map[string]inventory.SetReservation
		var rumours []order.RecordBackorder // of the order in the same place
		var about []string
		for range rapid.IntRange(60, 120).Draw(t, "length") {
			id := rapid.SampledFrom(ids).Draw(t, "order")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 4: // goods come, which fills backorders; the news of it comes late, or never
				sku := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "sku")
				more := inventory.ReceiveStock{
					Location: rapid.SampledFrom([]string{"", "north"}).Draw(t, "location"), Quantity: rapid.Int64Range(1, 5).Draw(t, "more"),
				}
				if err := s.stock(sku, more); err != nil {
					t.Fatal(err)
				}
				received[sku] += more.Quantity
				for range s.news(id) {
					about = append(about, id)
				}
				rumours = append(rumours, s.news(id)...)
			case 5:
				if len(rumours) > 0 {
					k := rapid.IntRange(0, len(rumours)-1).Draw(t, "rumour")
					if err := s.order(about[k], rumours[k]); err != nil {
						t.Fatal(err)
					}
				}
			case 0:
				_ = s.order(id, drawOrderCommand(t, s.orders[id])) // refusals write nothing
				late = append(late, s.steps(id))
			case 1: // some step of the past, to some of its SKUs
				if len(late) > 0 {
					for sku, step := range rapid.SampledFrom(late).Draw(t, "late") {
						if err := s.stock(sku, step); err != nil {
							t.Fatal(err)
						}
						if sku == "a" {
							break
						}
					}
				}
			default:
				if err := s.settle(id); err != nil {
					t.Fatal(err)
				}
			}
		}
		left, damaged := map[string]int64{}, map[string]int64{}
		for _, id := range ids {
			if err := s.settle(id); err != nil {
				t.Fatal(err)
			}
			for _, news := range s.news(id) {
				if err := s.order(id, news); err != nil {
					t.Fatal(err)
				}
				if o := s.orders[id]; o.Backordered(news.SKU) != news.Backordered {
					t.Fatalf("%s says that %d of %s are backordered, stock %d", id, o.Backordered(news.SKU), news.SKU, news.Backordered)
				}
			}
			for _, w := range s.orders[id].Wanted() {
				held := s.reservations[[2]string{id, w.SKU}]
				r, c, f, back := held.Sums()
				if r != w.Reserved || c != w.Committed || f != w.Fulfilled || back != w.Restocked || held.Damaged() != w.Damaged {
					t.Fatalf("%s holds %+v of %+v", id, held, w)
				}
				if rule := s.orders[id].Allocation; rule != nil && rule.Policy == order.SingleLocation && locations(held) > 1 {
					t.Fatalf("%s has %s at several locations: %+v", id, w.SKU, held)
				}
				left[w.SKU] += f - back - held.Damaged()
				damaged[w.SKU] += held.Damaged()
			}
		}
		for key, held := range s.reservations {
			wanted := slices.ContainsFunc(s.orders[key[0]].Wanted(), func(w order.Wanted) bool { return w.SKU == key[1] })
			if r, c, _, _ := held.Sums(); r+c > 0 && !wanted {
				t.Fatalf("%s is held for %s, which does not know of it: %+v", key[1], key[0], held)
			}
		}
		for sku, item := range s.items {
			total := item.Total()
			if total.Available < -item.BackorderLimit || total.OnHand != received[sku]-left[sku] || total.Damaged != damaged[sku] {
				t.Fatalf("%s: %+v, received %d, of which %d have left, and %d came back damaged", sku, total, received[sku], left[sku], damaged[sku])
			}
		}
	})
}

// locations counts those that an order has, or had, units at.
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
		if err := s.order("o-1", place); err != nil {
			b.Fatal(err)
		}
		if err := s.settle("o-1"); err != nil {
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

// A three-line order stays cheap: garbage is what the write path has least room for.
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
