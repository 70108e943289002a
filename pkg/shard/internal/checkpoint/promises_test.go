package checkpoint

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
)

// Open reservations come in the order of their promises, the newest first, whether they are saved, have changed since,
// or both. Those that have ended do not come. Whoever has enough gets no more.
func TestPromised(t *testing.T) {
	s := openTemp(t)
	it, err := s.Item("A")
	if err != nil {
		t.Fatal(err)
	}
	step := func(order int, cmd inventory.Command, version uint64) {
		t.Helper()
		id := fmt.Sprintf("o-%d", order)
		r, err := s.Reservations(id)
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := cmd.(inventory.SetReservation); ok {
			c.OrderID, c.PlacedEventID, c.Version = id, inventory.ID{1}, version
			cmd = c
		}
		evs, err := inventory.Decide(*it, r.Of("A").Reservation, cmd)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range evs {
			res := r
			if _, ofOrder := inventory.StepOf(ev.Change); !ofOrder {
				res = nil
			}
			if err := s.ApplyStock(it, res, &codec.Meta{}, ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	promised := func(enough int) (ids []string) {
		t.Helper()
		var err error
		for res := range s.Promised("A", &err) {
			if ids = append(ids, res.OrderID); len(ids) == enough {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	step(0, inventory.RegisterItem{}, 0)
	step(0, inventory.ReceiveStock{Quantity: 99}, 0)
	for order := range 4 {
		step(order, inventory.SetReservation{Reserved: 2}, 1)
	}
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	step(4, inventory.SetReservation{Reserved: 2}, 1)  // not saved
	step(2, inventory.SetReservation{Committed: 2}, 2) // changed since
	step(1, inventory.SetReservation{}, 2)             // ended since
	want := []string{"o-4", "o-3", "o-2", "o-0"}
	for _, when := range []string{"changed", "saved"} {
		if got := promised(99); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
		for enough := 1; enough <= len(want); enough++ {
			if got := promised(enough); !slices.Equal(got, want[:enough]) {
				t.Errorf("%s: the first %d are %v", when, enough, got)
			}
		}
		if err := s.Save(); err != nil {
			t.Fatal(err)
		}
	}
}
