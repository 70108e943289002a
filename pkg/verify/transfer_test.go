package verify_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// between appends an event after which main and north have the given levels.
func (s *story) between(main, north *eventv1.Level, ev *eventv1.InventoryEvent) {
	both := func() []*eventv1.LocationLevel {
		return []*eventv1.LocationLevel{{Location: "main", Level: main}, {Location: "north", Level: north}}
	}
	total := &eventv1.Level{
		OnHand: main.OnHand + north.OnHand, Available: main.Available + north.Available,
		Committed: main.Committed + north.Committed,
		Incoming:  main.Incoming + north.Incoming, Damaged: north.Damaged, QualityControl: main.QualityControl,
	}
	s.appendStock(total, ev)
	ev.Locations = both()
	s.rows[0].Locations = both()
}

func shipTransfer(s *story, main, north *eventv1.Level, quantity int64) {
	s.between(main, north, schematest.StockEvent(&eventv1.TransferShipped{
		TransferId: "t", FromLocation: "main", ToLocation: "north", Quantity: quantity}))
}

func receiveTransfer(s *story, north *eventv1.Level, id string, quantity, missing, damaged int64) {
	s.between(level(4, 3, 0, 1), north, schematest.StockEvent(&eventv1.TransferReceived{
		TransferId: id, FromLocation: "main", ToLocation: "north", Quantity: quantity, Missing: missing, Damaged: damaged}))
}

// rejectTransfer rejects units, which go back to main. There they are in quality control.
func rejectTransfer(s *story, main *eventv1.Level, rejected int64, reason string) {
	main.QualityControl = main.OnHand - main.Available - main.Committed
	s.between(main, &eventv1.Level{Incoming: 5 - rejected}, schematest.StockEvent(&eventv1.TransferReceived{
		TransferId: "t", FromLocation: "main", ToLocation: "north", Rejected: rejected, Reason: reason,
	}))
}

func cancelTransfer(s *story, main, north *eventv1.Level, quantity int64) {
	s.between(main, north, schematest.StockEvent(&eventv1.TransferCancelled{
		TransferId: "t", FromLocation: "main", ToLocation: "north", Quantity: quantity}))
}

// shipFive ships five of the nine to the north.
func shipFive(s *story) { shipTransfer(s, level(4, 3, 0, 1), &eventv1.Level{Incoming: 5}, 5) }

func TestTransfersAreFollowed(t *testing.T) {
	for _, c := range []struct {
		name, want string
		plant      func(*story)
	}{
		{"on its way", "", shipFive},
		{"arrived in parts", "", func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 3, Available: 3, Incoming: 2}, "t", 3, 0, 0)
			receiveTransfer(s, level(4, 4, 0, 0), "t", 1, 1, 0)
		}},
		{"arrived damaged", "", func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 3, Available: 1, Damaged: 2, Incoming: 1}, "t", 1, 1, 2)
		}},
		{"arrived damaged, and for sale", verify.Conserved, func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 3, Available: 3, Incoming: 2}, "t", 1, 0, 2)
		}},
		{"more damaged than left", verify.Conserved, func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 6, Available: 3, Damaged: 3, Incoming: -1}, "t", 3, 0, 3)
		}},
		{"less than nothing damaged", verify.Conserved, func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 1, Available: 2, Damaged: -1, Incoming: 4}, "t", 2, 0, -1)
		}},
		{"rejected", "", func(s *story) { shipFive(s); rejectTransfer(s, level(6, 3, 0, 1), 2, "torn") }},
		{
			"rejected without a reason", verify.Transitions,
			func(s *story) { shipFive(s); rejectTransfer(s, level(6, 3, 0, 1), 2, "") },
		},
		{
			"rejected, and nowhere", verify.Conserved,
			func(s *story) { shipFive(s); rejectTransfer(s, level(4, 3, 0, 1), 2, "torn") },
		},
		{"more sent than there was", verify.Oversold, func(s *story) {
			shipTransfer(s, &eventv1.Level{Available: -1, Committed: 1}, &eventv1.Level{Incoming: 9}, 9)
		}},
		{"nothing sent", verify.Conserved, func(s *story) { shipTransfer(s, level(9, 8, 0, 1), &eventv1.Level{}, 0) }},
		{"sent twice", verify.Conserved, func(s *story) {
			shipFive(s)
			shipTransfer(s, level(3, 2, 0, 1), &eventv1.Level{Incoming: 6}, 1)
		}},
		{"arrived without having left", verify.Conserved, func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 1, Available: 1, Incoming: 4}, "u", 1, 0, 0)
		}},
		{"cancelled", "", func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 3, Available: 3, Incoming: 2}, "t", 3, 0, 0)
			cancelTransfer(s, level(6, 5, 0, 1), level(3, 3, 0, 0), 2)
		}},
		{"more cancelled than has not arrived", verify.Conserved, func(s *story) {
			shipFive(s)
			cancelTransfer(s, level(10, 9, 0, 1), &eventv1.Level{Incoming: -1}, 6)
		}},
		{"cancelled without having left", verify.Conserved, func(s *story) {
			cancelTransfer(s, level(10, 9, 0, 1), &eventv1.Level{Incoming: -1}, 1)
		}},
		{"more arrived than left", verify.Conserved, func(s *story) {
			shipFive(s)
			receiveTransfer(s, &eventv1.Level{OnHand: 6, Available: 6, Incoming: -1}, "t", 6, 0, 0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthy()
			c.plant(s)
			report := s.verify(t, "")
			for _, inv := range report.Invariants {
				if len(inv.Examples) > 0 {
					t.Log(inv.ID, inv.Examples)
				}
			}
			if got := violated(report); c.want == "" && !report.Clean() || c.want != "" && !got[c.want] {
				t.Fatalf("violated are %v, want %q", got, c.want)
			}
		})
	}
}
