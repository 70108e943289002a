package inventory

import (
	"strings"
	"testing"
)

// What a client sees as the item's version stays where it is while orders are refused or let go of nothing.
func TestTheVersionThatClientsSee(t *testing.T) {
	s := given(t, stock(5)...)
	expect := func(events, visible uint64) {
		t.Helper()
		if s.item.Version != events || s.item.VisibleVersion != visible {
			t.Fatalf("%d events, of which clients see %d; want %d and %d",
				s.item.Version, s.item.VisibleVersion, events, visible)
		}
	}
	expect(2, 2)
	s.when(want(1, 9, 0, 0)).then(ReservationRejected{stepOf(1), 9, 5, InsufficientStock})
	expect(3, 2)
	refuse := want(2, 3, 0, 0)
	refuse.Refuse = true
	s.when(refuse).then(ReservationRejected{stepOf(2), 3, 5, OtherLine})
	expect(4, 2)
	s.when(want(3, 0, 0, 0)).then(ReservationReleased{Step: stepOf(3)})
	expect(5, 2)
	s.when(want(4, 2, 0, 0)).then(StockReserved{stepOf(4), 2, at("main", 2), false})
	expect(6, 6)
	s.when(want(5, 0, 0, 0)).then(ReservationReleased{Step: stepOf(5), Quantity: 2, FromReserved: at("main", 2)})
	expect(7, 7)
	s.when(RegisterItem{Description: "White hanging heart"}).then() // nothing is different
	expect(7, 7)
	s.when(CountStock{"", 5, "", 0}).then(StockCounted{"main", 5, 0, "", 0})
	expect(8, 8)
}

// A log of before INV-64 has refusals of items that were not registered. Clients see the item from its registration on.
func TestRefusalsBeforeTheRegistrationAreNotSeen(t *testing.T) {
	item, res := Item{SKU: "s"}, Reservation{}
	for version := range uint64(2) {
		item, res = Evolve(item, res, Event{Change: ReservationRejected{stepOf(version + 1), 1, 0, UnknownSKU}})
	}
	if item.Version != 2 || item.VisibleVersion != 0 {
		t.Fatalf("version %d, clients see %d", item.Version, item.VisibleVersion)
	}
	item, _ = Evolve(item, Reservation{}, Event{Change: ItemRegistered{Description: "heart"}})
	if item.Version != 3 || item.VisibleVersion != 3 {
		t.Fatalf("version %d, clients see %d", item.Version, item.VisibleVersion)
	}
}

// A count may name the version that clients see, and is refused with it where it names one that is still to come.
func TestACountNamesTheVersionThatClientsSee(t *testing.T) {
	s := given(t, append(stock(5), want(1, 9, 0, 0))...)
	began := s.item.VisibleVersion
	s.when(CountStock{"", 5, "", s.item.Version + 1}).refusedAt(CodeInvalidCountedAt, "/counted_at_version")
	if !strings.HasSuffix(s.err.Error(), "it is at 2") {
		t.Error(s.err)
	}
	s.when(CountStock{"", 4, "", began}).then(StockCounted{"main", 4, -1, "", began})
}
