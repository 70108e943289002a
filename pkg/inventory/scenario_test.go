package inventory

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
)

// scenario is one item with the reservations of some orders: given commands, when one more, then its events. Every
// event is checked against the invariants.
type scenario struct {
	t            *testing.T
	item         Item
	reservations map[string]Reservation
	events       []Event
	err          error
}

func given(t *testing.T, cmds ...Command) *scenario {
	t.Helper()
	s := &scenario{t: t, item: Item{SKU: "85123A"}, reservations: map[string]Reservation{}}
	for _, cmd := range cmds {
		if s.when(cmd); s.err != nil {
			t.Fatalf("given %+v: %v", cmd, s.err)
		}
	}
	return s
}

func (s *scenario) when(cmd Command) *scenario {
	s.t.Helper()
	var orderID string
	if c, ok := cmd.(SetReservation); ok {
		orderID = c.OrderID
	}
	s.events, s.err = Decide(s.item, s.reservations[orderID], cmd)
	s.evolveAll(s.events)
	if s.item.FallsShort() {
		short := DecideShortfall(s.item, s.promised)
		s.evolveAll(short)
		s.events = append(s.events, short...)
	}
	return s
}

func (s *scenario) evolveAll(events []Event) {
	s.t.Helper()
	for _, ev := range events {
		before := s.item
		s.evolve(ev)
		if problem := checkEvent(before, s.item, ev); problem != "" {
			s.t.Fatalf("%T: %s", ev.Change, problem)
		}
	}
}

// promised are the open reservations, the one that was promised last first.
func (s *scenario) promised(yield func(Reservation) bool) {
	open := slices.DeleteFunc(slices.Collect(maps.Values(s.reservations)), func(r Reservation) bool { return !r.Open() })
	slices.SortFunc(open, func(a, b Reservation) int { return cmp.Compare(b.PromisedVersion, a.PromisedVersion) })
	for _, r := range open {
		if !yield(r) {
			return
		}
	}
}

// evolve applies an event to the item, and to the reservation that it is about.
func (s *scenario) evolve(ev Event) {
	step, ok := StepOf(ev.Change)
	if !ok {
		s.item, _ = Evolve(s.item, Reservation{}, ev)
		return
	}
	s.item, s.reservations[step.OrderID] = Evolve(s.item, s.reservations[step.OrderID], ev)
}

// then expects exactly these changes.
func (s *scenario) then(changes ...Change) *scenario {
	s.t.Helper()
	if s.err != nil {
		s.t.Fatalf("refused: %v", s.err)
	}
	got := make([]Change, 0, len(s.events))
	for _, ev := range s.events {
		got = append(got, ev.Change)
	}
	if want := append([]Change{}, changes...); !reflect.DeepEqual(got, want) {
		s.t.Fatalf("changes\n got %+v\nwant %+v", got, want)
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

// refusedAt expects a refusal that points at a field.
func (s *scenario) refusedAt(code, pointer string) *scenario {
	s.t.Helper()
	var refusal *Error
	if s.refused(code); !errors.As(s.err, &refusal) || refusal.Pointer != pointer {
		s.t.Fatalf("%+v, want it at %s", s.err, pointer)
	}
	return s
}

// levels expects on_hand, available, reserved and committed in total.
func (s *scenario) levels(onHand, available, reserved, committed int64) *scenario {
	s.t.Helper()
	total := s.item.Total()
	got := [4]int64{total.OnHand, total.Available, total.Reserved, total.Committed}
	if want := [4]int64{onHand, available, reserved, committed}; got != want {
		s.t.Fatalf("on_hand, available, reserved, committed = %v, want %v", got, want)
	}
	return s
}

// has expects what an order's reservation has.
func (s *scenario) has(orderID string, reserved, committed, fulfilled, restocked int64) *scenario {
	s.t.Helper()
	var got [4]int64
	got[0], got[1], got[2], got[3] = s.reservations[orderID].Sums()
	if want := [4]int64{reserved, committed, fulfilled, restocked}; got != want {
		s.t.Fatalf("%s has %v, want %v", orderID, got, want)
	}
	return s
}

// checkEvent returns what is wrong with an event and the state after it; "" for nothing.
func checkEvent(before, after Item, ev Event) string {
	if after.Version != before.Version+1 {
		return "the version has a gap"
	}
	for _, l := range append([]LocationLevel{{"total", ev.Total}}, after.Locations...) {
		v := l.Level
		if v.OnHand != v.Available+v.Reserved+v.Committed+v.SafetyStock+v.Damaged+v.QualityControl {
			return "on_hand does not add up at " + l.Location
		}
		if v.Reserved < 0 || v.Committed < 0 || v.SafetyStock < 0 || v.Damaged < 0 || v.QualityControl < 0 || v.Incoming < 0 {
			return "a negative quantity at " + l.Location
		}
	}
	if ev.Total != after.Total() {
		return "the total is not the sum of the locations"
	}
	for _, l := range ev.Locations {
		if after.at(l.Location) != l.Level {
			return "the event's level is not the state's at " + l.Location
		}
	}
	unchanged := 0
	for _, l := range after.Locations {
		if before.at(l.Location) == l.Level {
			unchanged++
		}
	}
	if unchanged+len(ev.Locations) < len(after.Locations) {
		return "a location changed that the event does not carry"
	}
	return ""
}

var placed = ID{1}

// want is a step of order o-1.
func want(version uint64, reserved, committed, fulfilled int64) SetReservation {
	return SetReservation{
		OrderID: "o-1", PlacedEventID: placed, Version: version,
		Reserved: reserved, Committed: committed, Fulfilled: fulfilled,
	}
}

func stepOf(version uint64) Step { return Step{"o-1", placed, version, nil} }

func stock(quantity int64) []Command {
	return []Command{RegisterItem{Description: "White hanging heart"}, ReceiveStock{"", quantity, "", UnitCost{}}}
}

func at(location string, quantity int64) []Allocation { return []Allocation{{location, quantity}} }
