package inventory

import (
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func TestINV27ShipTransfer(t *testing.T) {
	given(t).when(ShipTransfer{"t", "", "north", 1, ""}).refused(CodeUnknownSKU)
	s := given(t, append(stock(10), want(1, 3, 0, 0))...)
	ship := func(id string, quantity int64) ShipTransfer { return ShipTransfer{id, "", "north", quantity, "van 2"} }
	s.when(ship("", 1)).refused(CodeInvalidTransferID)
	s.when(ship(strings.Repeat("x", limits.MaxTransferBytes+1), 1)).refused(CodeInvalidTransferID)
	s.when(ship("\xff", 1)).refused(CodeInvalidTransferID)
	s.when(ship("t", 0)).refused(CodeInvalidQuantity)
	s.when(ship("t", limits.MaxQuantity+1)).refused(CodeInvalidQuantity)
	s.when(ShipTransfer{"t", "", "north", 1, "\xff"}).refused(CodeInvalidReference)
	s.when(ShipTransfer{"t", " ", "north", 1, ""}).refusedAt(CodeInvalidLocation, "/from_location")
	s.when(ShipTransfer{"t", "", " north", 1, ""}).refusedAt(CodeInvalidLocation, "/to_location")
	s.when(ShipTransfer{"t", "", "main", 1, ""}).refused(CodeSameLocation)
	s.when(ship("t", 8)).refused(CodeInsufficientStock) // 3 are promised
	s.when(ShipTransfer{"t", "north", "", 1, ""}).refused(CodeInsufficientStock)

	s.when(ship("t-1", 4)).then(TransferShipped{"t-1", "main", "north", 4, "van 2"}).levels(6, 3, 3, 0)
	if l := s.item.at("north"); l != (Level{Incoming: 4}) {
		t.Fatalf("north has %+v", l)
	}
	s.when(ship("t-1", 1)).refused(CodeTransferExists)
	for k := range MaxTransfers - 1 {
		s.item.Transfers = append(s.item.Transfers, Transfer{strconv.Itoa(k), "main", "north", 1})
	}
	s.when(ship("t-2", 1)).refused(CodeTooManyTransfers)
}

func TestINV28ReceiveTransfer(t *testing.T) {
	s := given(t, append(stock(10), ShipTransfer{"t-1", "", "north", 5, ""}, ShipTransfer{"t-2", "", "north", 2, ""})...)
	s.when(ReceiveTransfer{"", 1, 0, 0, 0, ""}).refused(CodeInvalidTransferID)
	s.when(ReceiveTransfer{"t-1", -1, 2, 0, 0, ""}).refused(CodeInvalidQuantity)
	s.when(ReceiveTransfer{"t-1", limits.MaxQuantity + 1, 0, 0, 0, ""}).refused(CodeInvalidQuantity)
	s.when(ReceiveTransfer{"t-1", 1, -1, 0, 0, ""}).refused(CodeInvalidQuantity)
	s.when(ReceiveTransfer{"t-1", 1, limits.MaxQuantity + 1, 0, 0, ""}).refused(CodeInvalidQuantity)
	s.when(ReceiveTransfer{"t-1", 0, 0, 0, 0, ""}).refused(CodeInvalidQuantity)
	s.when(ReceiveTransfer{"t-1", 1, 0, -1, 0, ""}).refusedAt(CodeInvalidQuantity, "/damaged")
	s.when(ReceiveTransfer{"t-1", 1, 0, limits.MaxQuantity + 1, 0, ""}).refusedAt(CodeInvalidQuantity, "/damaged")
	s.when(ReceiveTransfer{"t-9", 1, 0, 0, 0, ""}).refused(CodeUnknownTransfer)
	s.when(ReceiveTransfer{"t-1", 5, 1, 0, 0, ""}).refused(CodeOverTransfer)
	s.when(ReceiveTransfer{"t-1", 2, 2, 2, 0, ""}).refused(CodeOverTransfer)

	before := s.item
	s.when(ReceiveTransfer{"t-1", 3, 0, 0, 0, ""}).then(TransferReceived{"t-1", "main", "north", 3, 0, 0, 0, ""}).
		levels(6, 6, 0, 0)
	if before.Transfers[0].Quantity != 5 || s.item.at("north") != (Level{OnHand: 3, Available: 3, Incoming: 4}) {
		t.Fatalf("before %+v, after %+v", before.Transfers, s.item)
	}
	s.when(ReceiveTransfer{"t-1", 1, 1, 0, 0, ""}).then(TransferReceived{"t-1", "main", "north", 1, 1, 0, 0, ""}).
		levels(7, 7, 0, 0)
	s.when(ReceiveTransfer{"t-1", 1, 0, 0, 0, ""}).refused(CodeUnknownTransfer)
	s.when(ReceiveTransfer{"t-2", 0, 2, 0, 0, ""}).then(TransferReceived{"t-2", "main", "north", 0, 2, 0, 0, ""}).
		levels(7, 7, 0, 0)
	if len(s.item.Transfers) != 0 || s.item.Total().Incoming != 0 {
		t.Fatalf("%+v", s.item)
	}
	unknown := Event{Change: TransferReceived{TransferID: "t-9", Quantity: 1}}
	if item, _ := Evolve(s.item, Reservation{}, unknown); len(item.Transfers) != 0 {
		t.Fatalf("%+v", item.Transfers)
	}
}

// Some of a transfer arrives for sale, some damaged and some is missing, in one command.
func TestINV28DamagedArrivals(t *testing.T) {
	s := given(t, append(stock(10), SetBackorderLimit{5}, ShipTransfer{"t", "", "north", 6, ""}, want(1, 7, 0, 0))...)
	s.when(ReceiveTransfer{"t", 1, 1, 2, 0, ""}).then(TransferReceived{"t", "main", "north", 1, 1, 2, 0, ""},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 1, Backordered: 2, Reserved: at("north", 1)})
	if l := s.item.at("north"); l != (Level{OnHand: 3, Reserved: 1, Damaged: 2, Incoming: 2}) {
		t.Fatalf("north has %+v", l)
	}
	s.when(ReceiveTransfer{"t", 0, 0, 2, 0, ""}).then(TransferReceived{"t", "main", "north", 0, 0, 2, 0, ""})
	if l := s.item.at("north"); l.Damaged != 4 || l.Incoming != 0 || len(s.item.Transfers) != 0 {
		t.Fatalf("north has %+v", l)
	}
}

// What is on its way cannot be reserved. What arrives fills backorders (INV-26).
func TestINV28ArrivalsFillBackorders(t *testing.T) {
	s := given(t, append(stock(4), SetBackorderLimit{5}, ShipTransfer{"t", "", "north", 4, ""}, want(1, 3, 0, 0))...)
	s.levels(0, -3, 3, 0)
	s.when(ReceiveTransfer{"t", 2, 0, 0, 0, ""}).then(TransferReceived{"t", "main", "north", 2, 0, 0, 0, ""},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 2, Backordered: 1, Reserved: at("north", 2)})
	s.levels(2, -1, 3, 0)
}

func TestINV9TransfersStayWithinBounds(t *testing.T) {
	s := given(t, stock(10)...)
	s.item.Locations = append(s.item.Locations, LocationLevel{"north", Level{Incoming: MaxLevel}})
	s.when(ShipTransfer{"t", "", "north", 1, ""}).refused(CodeQuantityOverflow)
}

// What the destination rejects is in quality control where it came from, and not for sale.
func TestINV28RejectedArrivals(t *testing.T) {
	s := given(t, append(stock(10), ShipTransfer{"t", "", "north", 6, ""})...)
	reject := func(rejected int64, reason string) ReceiveTransfer {
		return ReceiveTransfer{TransferID: "t", Rejected: rejected, Reason: reason}
	}
	s.when(reject(1, "")).refusedAt(CodeInvalidReason, "/reason")
	s.when(reject(1, "\xff")).refusedAt(CodeInvalidReason, "/reason")
	s.when(reject(-1, "torn")).refusedAt(CodeInvalidQuantity, "/rejected")
	s.when(reject(7, "torn")).refused(CodeOverTransfer)
	s.when(ReceiveTransfer{TransferID: "t", Quantity: 1, Reason: "torn"}).refusedAt(CodeInvalidReason, "/reason")
	s.when(ReceiveTransfer{"t", 2, 1, 0, 2, "torn"}).then(TransferReceived{"t", "main", "north", 2, 1, 0, 2, "torn"})
	if main, north := s.item.at("main"), s.item.at("north"); main != (Level{OnHand: 6, Available: 4, QualityControl: 2}) ||
		north != (Level{OnHand: 2, Available: 2, Incoming: 1}) {
		t.Fatalf("main has %+v, north %+v", main, north)
	}
	s.when(reject(1, "torn")).levels(9, 6, 0, 0)
	s.when(MoveStock{"main", StateQualityControl, StateAvailable, 3, ""}).levels(9, 9, 0, 0)
	if len(s.item.Transfers) != 0 {
		t.Fatalf("%+v", s.item.Transfers)
	}
}

func TestINV68CancelTransfer(t *testing.T) {
	s := given(t, append(stock(5), ShipTransfer{"t", "", "north", 5, ""}, ReceiveTransfer{"t", 2, 0, 0, 0, ""},
		SetBackorderLimit{9}, want(1, 4, 0, 0))...) // 2 are at north, 2 are waited for
	s.when(CancelTransfer{"", ""}).refused(CodeInvalidTransferID)
	s.when(CancelTransfer{"u", ""}).refused(CodeUnknownTransfer)
	s.when(CancelTransfer{"t", "\xff"}).refused(CodeInvalidReason)
	s.when(CancelTransfer{"t", "no van"}).then(TransferCancelled{"t", "main", "north", 3, "no van"},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 2}).levels(5, 1, 4, 0)
	if s.item.Total().Incoming != 0 || len(s.item.Transfers) != 0 {
		t.Fatalf("%+v", s.item)
	}
	s.when(CancelTransfer{"t", ""}).refused(CodeUnknownTransfer)
	s.when(ReceiveTransfer{"t", 1, 0, 0, 0, ""}).refused(CodeUnknownTransfer)
	given(t).when(CancelTransfer{"t", ""}).refused(CodeUnknownSKU)
}
