package verify_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// shelves is the healthy story with its SKU at three locations: 8 units are available in main, 3 in north, 5 in south,
// and 2 may be backordered. Order o-2 has an allocation rule.
type shelves struct {
	*story
	levels []*eventv1.LocationLevel
	rule   *eventv1.AllocationRule
	placed []byte
}

const (
	single = eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION
	fewest = eventv1.AllocationPolicy_ALLOCATION_POLICY_FEWEST_LOCATIONS
	split  = eventv1.AllocationPolicy_ALLOCATION_POLICY_SPLIT
)

func threeLocations(policy eventv1.AllocationPolicy, listed ...string) *shelves {
	s := &shelves{story: healthy(), rule: &eventv1.AllocationRule{Policy: policy, Locations: listed}}
	s.levels = []*eventv1.LocationLevel{
		{Location: "main", Level: level(9, 8, 0, 1)}, {Location: "north", Level: level(3, 3, 0, 0)},
	}
	s.event(schematest.StockEvent(&eventv1.StockReceived{Location: "north", Quantity: 3}), "north")
	s.levels = append(s.levels, &eventv1.LocationLevel{Location: "south", Level: level(5, 5, 0, 0)})
	s.event(schematest.StockEvent(&eventv1.StockReceived{Location: "south", Quantity: 5}), "south")
	s.event(schematest.StockEvent(&eventv1.BackorderLimitSet{Limit: 2}))
	return s
}

// event appends a stock event that states the levels as they are now; changed are the locations that it states.
func (s *shelves) event(ev *eventv1.InventoryEvent, changed ...string) {
	total := &eventv1.Level{}
	var locations, all []*eventv1.LocationLevel
	for _, l := range s.levels {
		total.OnHand += l.Level.OnHand
		total.Available += l.Level.Available
		total.Reserved += l.Level.Reserved
		total.Committed += l.Level.Committed
		all = append(all, proto.CloneOf(l))
		for _, name := range changed {
			if name == l.Location {
				locations = append(locations, proto.CloneOf(l))
			}
		}
	}
	s.appendStock(total, ev)
	ev.Locations, s.rows[0].Locations, s.rows[0].BackorderLimit = locations, all, 2
}

// order places o-2, which is then reserved.
func (s *shelves) order(quantity int64, backordered int64) {
	ev := s.addOrder("o-2", 1, "k-2", schematest.OrderEvent(&eventv1.OrderPlacedV2{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: quantity}},
		PaymentTerms: eventv1.PaymentTerms_PAYMENT_TERMS_PREPAID, Allocation: s.rule}))
	s.placed = ev.Meta.EventId
	if backordered > 0 {
		s.addOrder("o-2", 2, "", schematest.OrderEvent(&eventv1.OrderBackordered{
			Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: backordered}}}))
		return
	}
	s.addOrder("o-2", 2, "", schematest.OrderEvent(&eventv1.OrderReserved{}))
}

func (s *shelves) step(version uint64) *eventv1.ReservationStep {
	return &eventv1.ReservationStep{OrderId: "o-2", PlacedEventId: s.placed, Version: version, Allocation: s.rule}
}

// reserve reserves quantities at main, north and south for o-2.
func (s *shelves) reserve(version uint64, quantities ...int64) {
	var allocations []*eventv1.Allocation
	var changed []string
	var sum, short int64
	for i, q := range quantities {
		if q == 0 {
			continue
		}
		l := s.levels[i]
		short += max(0, q-l.Level.Available)
		l.Level.Available -= q
		l.Level.Reserved += q
		a := &eventv1.Allocation{Location: l.Location, Quantity: q}
		if l.Level.Available < 0 { // backordered: the first
			allocations = append([]*eventv1.Allocation{a}, allocations...)
		} else {
			allocations = append(allocations, a)
		}
		changed = append(changed, l.Location)
		sum += q
	}
	if version == 1 {
		s.order(sum, short)
	}
	if short > 0 {
		s.event(schematest.StockEvent(&eventv1.StockBackordered{
			Step: s.step(version), Quantity: sum, Backordered: short, Allocations: allocations}), changed...)
		return
	}
	s.event(schematest.StockEvent(&eventv1.StockReserved{
		Step: s.step(version), Quantity: sum, Allocations: allocations}), changed...)
}

func (s *shelves) refuse(quantity, available int64) {
	s.placed = s.orders[0].Meta.EventId
	s.event(schematest.StockEvent(&eventv1.ReservationRejected{
		Step: s.step(1), Quantity: quantity, Available: available,
		Reason: eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK}))
}

func TestAllocationsAreHeldToTheirRule(t *testing.T) {
	for _, c := range []struct {
		name, want string
		story      *shelves
		plant      func(*shelves)
	}{
		{"one location", "", threeLocations(single, "south"), func(s *shelves) { s.reserve(1, 0, 0, 5) }},
		{"one location, backordered", "", threeLocations(single), func(s *shelves) { s.reserve(1, 10, 0, 0) }},
		{
			"two locations instead of one", verify.Agreement, threeLocations(single), func(s *shelves) { s.reserve(1, 3, 2, 0) },
		},
		{
			"backordered where there is less", verify.Agreement, threeLocations(single),
			func(s *shelves) { s.reserve(1, 0, 0, 7) },
		},
		{
			"more from another location", verify.Agreement, threeLocations(single),
			func(s *shelves) { s.reserve(1, 2, 0, 0); s.reserve(2, 0, 1, 0) },
		},
		{"more from the same location", "", threeLocations(single), func(s *shelves) {
			s.reserve(1, 2, 0, 0)
			s.reserve(2, 1, 0, 0)
			s.orders[5].Change.(*eventv1.OrderEvent_OrderPlacedV2).OrderPlacedV2.Lines[0].Quantity = 3
		}},
		{"refused with what one location has", "", threeLocations(single), func(s *shelves) { s.refuse(11, 10) }},
		{"refused, and one location has it", verify.Refused, threeLocations(single), func(s *shelves) { s.refuse(9, 10) }},
		{"refused with what all have", verify.Refused, threeLocations(single), func(s *shelves) { s.refuse(19, 18) }},
		{"as few as there can be", "", threeLocations(fewest, "north"), func(s *shelves) { s.reserve(1, 7, 3, 0) }},
		{"all there is, and more", "", threeLocations(fewest, "north"), func(s *shelves) { s.reserve(1, 8, 4, 5) }},
		{"more locations than need be", verify.Agreement, threeLocations(fewest), func(s *shelves) { s.reserve(1, 5, 3, 0) }},
		{
			"backordered with stock on the shelf", verify.Agreement, threeLocations(fewest),
			func(s *shelves) { s.reserve(1, 9, 3, 0) },
		},
		{"in order", "", threeLocations(split, "north", "nowhere"), func(s *shelves) { s.reserve(1, 6, 3, 0) }},
		{"out of order", verify.Agreement, threeLocations(split, "north"), func(s *shelves) { s.reserve(1, 7, 2, 0) }},
		{"another rule than the order's", verify.Agreement, threeLocations(split, "north"), func(s *shelves) {
			s.reserve(1, 0, 3, 0)
			s.orders[5].Change.(*eventv1.OrderEvent_OrderPlacedV2).OrderPlacedV2.Allocation = nil
		}},
		{"filled from another location than the one", verify.Agreement, threeLocations(single), func(s *shelves) {
			s.reserve(1, 9, 0, 0)
			s.levels[0].Level.Available, s.levels[0].Level.Reserved = 0, 8
			s.levels[1].Level.Available, s.levels[1].Level.Reserved = 2, 1
			s.event(schematest.StockEvent(&eventv1.BackorderFilled{
				Step: s.step(1), Location: "main", Quantity: 1,
				Reserved: []*eventv1.Allocation{{Location: "north", Quantity: 1}},
			}), "main", "north")
			s.addOrder("o-2", 3, "", schematest.OrderEvent(&eventv1.OrderBackorderFilled{
				Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.plant(c.story)
			report := c.story.verify(t, "")
			got := violated(report)
			if c.want == "" && report.Clean() || c.want != "" && len(got) == 1 && got[c.want] {
				return
			}
			for _, inv := range report.Invariants {
				if len(inv.Examples) > 0 {
					t.Log(inv.ID, inv.Examples)
				}
			}
			t.Fatalf("violated are %v, want %q alone", got, c.want)
		})
	}
}
