package stockledger

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/inventory/inventorytest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// shelf is an item that the rules decide on, with what orders have of it, and its events in a store.
type shelf struct {
	sku    string
	item   inventory.Item
	orders map[string]inventory.Reservation
	store  *Store
	next   *int64 // offset
}

// do carries out a command, and folds its events into the store.
func (s *shelf) do(t *rapid.T, cmd inventory.Command) {
	step, _ := cmd.(inventory.SetReservation)
	events, err := inventory.Decide(s.item, s.orders[step.OrderID], cmd)
	if err != nil {
		return
	}
	s.record(t, events)
	s.record(t, inventorytest.Shortfall(s.item, maps.Values(s.orders)))
}

func (s *shelf) record(t *rapid.T, events []inventory.Event) {
	for _, ev := range events {
		of, _ := inventory.StepOf(ev.Change)
		res := s.orders[of.OrderID]
		s.item, res = inventory.Evolve(s.item, res, ev)
		if of.OrderID != "" {
			s.orders[of.OrderID] = res
		}
		*s.next++
		value, _, err := codec.AppendInventory(nil, s.sku, &codec.Meta{
			EventID: [16]byte{1}, Version: s.item.Version, RecordedAtMicros: *s.next, OccurredAtMicros: *s.next,
		}, ev)
		if err != nil {
			t.Fatal(err)
		}
		rec := &eventlog.Record{TopicPartition: partition, Offset: *s.next, Value: value}
		if err := s.store.view.Fold(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.view.Flush(t.Context(), eventlog.Offsets{partition: *s.next + 1}); err != nil {
		t.Fatal(err)
	}
}

// allocations is what the reservations of some shelves have for an order.
func allocations(shelves []*shelf, orderID string) string {
	var items []ItemAllocation
	for _, s := range shelves {
		var at []Allocation
		for _, h := range s.orders[orderID].Locations {
			a := Allocation{h.Location, h.Reserved, h.Committed, h.Backordered, h.Fulfilled, h.Restocked, h.Damaged}
			if a != (Allocation{Location: h.Location}) {
				at = append(at, a)
			}
		}
		if len(at) > 0 {
			items = append(items, ItemAllocation{s.sku, at})
		}
	}
	return fmt.Sprintf("%+v", items)
}

// Over any history, the ledger has of each order what the rules have of it: now, at each position, and at each time.
func TestAllocationsAreThoseOfTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := newStore(t)
		defer store.Close()
		var next int64
		shelves := []*shelf{
			{"A", inventory.Item{}, map[string]inventory.Reservation{}, store, &next},
			{"A1", inventory.Item{}, map[string]inventory.Reservation{}, store, &next},
		}
		orders := []string{"o-1", "o-10"}
		for _, s := range shelves {
			s.do(t, inventory.RegisterItem{})
		}
		was := map[int64]map[string]string{} // by offset and order
		for range rapid.IntRange(1, 30).Draw(t, "commands") {
			s := rapid.SampledFrom(shelves).Draw(t, "shelf")
			var cmd inventory.Command = inventorytest.Step(t, rapid.SampledFrom(orders).Draw(t, "order"))
			if rapid.IntRange(0, 2).Draw(t, "stock?") == 0 {
				cmd = inventorytest.Command(t, s.item)
			}
			s.do(t, cmd)
			was[next] = map[string]string{}
			for _, id := range orders {
				was[next][id] = allocations(shelves, id)
			}
		}
		for _, last := range slices.Sorted(maps.Keys(was)) {
			for _, m := range []*asof.Moment{
				{Position: eventlog.PositionOf(eventlog.Offsets{partition: last + 1})}, {Micros: last},
				{Micros: last, Occurred: true}, {},
			} {
				if m.IsNow() && last != next {
					continue
				}
				for _, id := range orders {
					items, err := store.Allocations(t.Context(), id, m)
					if err != nil {
						t.Fatal(err)
					}
					if got := fmt.Sprintf("%+v", items); got != was[last][id] {
						t.Fatalf("%s at %+v has\n%s, want\n%s", id, m, got, was[last][id])
					}
				}
			}
		}
		if items, err := store.Allocations(t.Context(), "o", &asof.Moment{}); len(items) > 0 || err != nil {
			t.Fatalf("an order that stock has not seen has %v, %v", items, err)
		}
	})
}

// Every change with a step of an order has its reservation.
func TestEveryStepHasItsReservation(t *testing.T) {
	ev := &eventv1.InventoryEvent{}
	changes := ev.ProtoReflect().Descriptor().Oneofs().ByName("change").Fields()
	for i := range changes.Len() {
		field := changes.Get(i)
		change := ev.ProtoReflect().NewField(field)
		step := field.Message().Fields().ByName("step")
		if step != nil {
			set := change.Message().NewField(step)
			set.Message().Set(step.Message().Fields().ByName("order_id"), protoreflect.ValueOfString("o-1"))
			change.Message().Set(step, set)
		}
		ev.ProtoReflect().Set(field, change)
		if got := reservationOf(ev).GetOrderId(); (got == "o-1") != (step != nil) {
			t.Errorf("%s is of the order %q", field.Name(), got)
		}
	}
}
