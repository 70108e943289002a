package inventory

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
)

func TestINV1Register(t *testing.T) {
	given(t).when(RegisterItem{Description: "Lantern"}).then(ItemRegistered{Description: "Lantern"})
	s := given(t, RegisterItem{Description: "Lantern"})
	s.when(RegisterItem{Description: "Lantern"}).then()
	s.when(RegisterItem{Description: "Red lantern"}).then(ItemRegistered{Description: "Red lantern"})
	s.when(RegisterItem{Description: strings.Repeat("x", limits.MaxDescriptionLength+1)}).refused(CodeInvalidDescription)
	if s.item.Description != "Red lantern" || s.item.Version != 2 {
		t.Fatalf("%+v", s.item)
	}
	given(t).when(RegisterItem{}).then(ItemRegistered{})
	given(t).when(RegisterItem{Description: strings.Repeat("ä", limits.MaxDescriptionLength)}).
		then(ItemRegistered{Description: strings.Repeat("ä", limits.MaxDescriptionLength)})
	long := given(t)
	long.item.SKU = strings.Repeat("ä", limits.MaxSKULength)
	long.when(RegisterItem{}).then(ItemRegistered{})
	long.item.SKU = strings.Repeat("x", limits.MaxSKULength+1)
	long.when(RegisterItem{}).refused(CodeInvalidSKU)
	odd := given(t)
	odd.item.SKU = "A\u200b"
	odd.when(RegisterItem{}).refused(CodeInvalidSKU)
	odd.item.Registered = true // before the rule
	odd.when(RegisterItem{Description: "retired"}).then(ItemRegistered{Description: "retired"})
}

func TestINV66Metadata(t *testing.T) {
	first, second := &metadata.Map{{Key: "erp.id", Value: "4711"}}, &metadata.Map{{Key: "category", Value: "lighting"}}
	none := new(metadata.Map)
	s := given(t, RegisterItem{Description: "Lantern", Metadata: first})
	s.when(RegisterItem{Description: "Lantern"}).then()
	s.when(RegisterItem{Description: "Lantern", Metadata: first}).then()
	s.when(RegisterItem{Description: "Red lantern", Metadata: first}).then(ItemRegistered{Description: "Red lantern"})
	s.when(RegisterItem{}).then(ItemRegistered{})
	if !slices.Equal(s.item.Metadata, *first) {
		t.Fatalf("%+v", s.item)
	}
	s.when(RegisterItem{Metadata: second}).then(ItemRegistered{Metadata: second})
	if !slices.Equal(s.item.Metadata, *second) {
		t.Fatalf("%+v", s.item)
	}
	s.when(RegisterItem{Metadata: none}).then(ItemRegistered{Metadata: none})
	s.when(RegisterItem{Metadata: none}).then()
	if len(s.item.Metadata) != 0 || s.item.Version != 5 {
		t.Fatalf("%+v", s.item)
	}
	given(t).when(RegisterItem{Metadata: none}).then(ItemRegistered{}) // it has none yet
	s.when(RegisterItem{Metadata: &metadata.Map{{Key: "a", Value: "x\n"}}}).refused(CodeInvalidMetadata)
	if p := s.err.(*Error).Pointer; p != "/metadata/a" {
		t.Errorf("the fault is at %s", p)
	}
}

func TestINV2StockNeedsARegisteredItem(t *testing.T) {
	for _, cmd := range []Command{
		ReceiveStock{"", 1, "", UnitCost{}}, AdjustStock{"", 1, ReasonOther, ""}, CountStock{"", 1, "", 0},
		SetSafetyStock{"", 1}, SetBackorderLimit{1},
	} {
		given(t).when(cmd).refused(CodeUnknownSKU)
	}
	given(t, RegisterItem{}).when(nil).refused(CodeUnknownCommand)
}

func TestINV3Locations(t *testing.T) {
	s := given(t, RegisterItem{})
	s.when(ReceiveStock{"", 1, "r", UnitCost{}}).then(StockReceived{"main", 1, "r", 0, UnitCost{}})
	s.when(ReceiveStock{"north", 1, "", UnitCost{}}).then(StockReceived{"north", 1, "", 0, UnitCost{}})
	for _, location := range []string{" north", "a\nb", "a\x7f", "\xff", strings.Repeat("x", limits.MaxLocationLength+1)} {
		s.when(ReceiveStock{location, 1, "", UnitCost{}}).refused(CodeInvalidLocation)
		s.when(SetSafetyStock{location, 0}).refused(CodeInvalidLocation)
	}
	s.when(ReceiveStock{"", 1, strings.Repeat("x", limits.MaxReferenceLength+1), UnitCost{}}).refused(CodeInvalidReference)
	s.when(ReceiveStock{"", 1, "PO 7\ufeff", UnitCost{}}).refused(CodeInvalidReference)
	s.when(ReceiveStock{"north\u200b", 1, "", UnitCost{}}).refused(CodeInvalidLocation)
	s.when(ReceiveStock{"Main", 1, "", UnitCost{}}).refused(CodeInvalidLocation)        // there is main
	s.item.Locations = append(s.item.Locations, LocationLevel{Location: "north\u200b"}) // before the rule
	s.when(ReceiveStock{"north\u200b", 1, "", UnitCost{}}).then(StockReceived{"north\u200b", 1, "", 0, UnitCost{}})
	s.item.Locations = make([]LocationLevel, MaxLocations)
	s.item.Locations[7].Location = "seven"
	s.when(ReceiveStock{"one more", 1, "", UnitCost{}}).refused(CodeTooManyLocations)
	s.when(ReceiveStock{"seven", 1, "", UnitCost{}}).then(StockReceived{"seven", 1, "", 0, UnitCost{}})

	// Where characters have several bytes, names come to their limit before locations do.
	clefs := strings.Repeat("\U0001d11e", limits.MaxLocationLength)
	s.item.Locations = make([]LocationLevel, MaxLocationNamesBytes/len(clefs)-1)
	for k := range s.item.Locations {
		s.item.Locations[k].Location = clefs
	}
	s.item.Locations[0].Location = "one"
	last := strings.Replace(clefs, "\U0001d11e", "\U0001d122", 1)
	s.when(ReceiveStock{last, 1, "", UnitCost{}}).then(StockReceived{last, 1, "", 0, UnitCost{}})
	s.when(ReceiveStock{strings.Repeat("\U0001d121", limits.MaxLocationLength), 1, "", UnitCost{}}).
		refused(CodeTooManyLocations)
}

func TestINV4Receive(t *testing.T) {
	s := given(t, RegisterItem{})
	s.when(ReceiveStock{"", 0, "", UnitCost{}}).refused(CodeInvalidQuantity)
	s.when(ReceiveStock{"", limits.MaxQuantity + 1, "", UnitCost{}}).refused(CodeInvalidQuantity)
	s.when(ReceiveStock{"", limits.MaxQuantity, "", UnitCost{}}).
		then(StockReceived{"main", limits.MaxQuantity, "", 0, UnitCost{}})
	s.levels(limits.MaxQuantity, limits.MaxQuantity, 0, 0)
}

func TestINV5Adjust(t *testing.T) {
	s := given(t, stock(10)...)
	s.when(AdjustStock{"", 0, ReasonOther, ""}).refused(CodeInvalidDelta)
	s.when(AdjustStock{"", -limits.MaxQuantity - 1, ReasonOther, ""}).refused(CodeInvalidDelta)
	s.when(AdjustStock{"", 1, 0, ""}).refused(CodeInvalidReason)
	s.when(AdjustStock{"", 1, ReasonOther + 1, ""}).refused(CodeInvalidReason)
	s.when(AdjustStock{"", -11, ReasonShrinkage, ""}).refused(CodeNegativeOnHand)
	s.when(AdjustStock{"elsewhere", -1, ReasonShrinkage, ""}).refused(CodeNegativeOnHand)
	s.when(want(1, 8, 0, 0))
	s.when(AdjustStock{"", -5, ReasonDamaged, "box 4"}).then(StockAdjusted{"main", -5, ReasonDamaged, "box 4"},
		ReservationFellShort{Step: stepOf(1), Location: "main", Quantity: 3, Backordered: 3})
	s.levels(5, -3, 8, 0)
}

func TestINV6Count(t *testing.T) {
	s := given(t, append(stock(10), want(1, 4, 0, 0))...)
	s.when(CountStock{"", -1, "", 0}).refused(CodeInvalidQuantity)
	s.when(CountStock{"", limits.MaxQuantity + 1, "", 0}).refused(CodeInvalidQuantity)
	s.when(CountStock{"", 7, "c1", 0}).then(StockCounted{"main", 7, -3, "c1", 0}).levels(7, 3, 4, 0)
	s.when(CountStock{"", 7, "c2", 0}).then(StockCounted{"main", 7, 0, "c2", 0}).levels(7, 3, 4, 0)
	s.when(CountStock{"", 1, "", 0}).then(StockCounted{"main", 1, -6, "", 0},
		ReservationFellShort{Step: stepOf(1), Location: "main", Quantity: 3, Backordered: 3}).levels(1, -3, 4, 0)
}

func TestINV63CountsOfAnotherState(t *testing.T) {
	s := given(t, append(stock(10), ReceiveStock{"north", 5, "", UnitCost{}})...) // version 3
	began := s.item.Version
	count := func(location string, at uint64) CountStock { return CountStock{location, 9, "c", at} }
	s.when(count("", began+1)).refusedAt(CodeInvalidCountedAt, "/counted_at_version")

	// Reservations, safety stock and other locations do not matter.
	for _, cmd := range []Command{
		want(1, 3, 0, 0), SetSafetyStock{"", 2}, MoveStock{"", StateAvailable, StateDamaged, 1, ""},
		ReceiveStock{"north", 1, "", UnitCost{}}, ExpectStock{"", 4, ""}, SetBackorderLimit{3},
	} {
		s.when(cmd)
	}
	given(t).like(s).when(count("", began)).then(StockCounted{"main", 9, -1, "c", began})
	s.when(count("north", began)).refusedAt(CodeCountOutdated, "/counted_at_version")
	s.when(count("south", began)).then(StockCounted{"south", 9, 9, "c", began})
	s.when(count("south", began)).refused(CodeCountOutdated)

	// Goods that leave, arrive or are counted do, even when on_hand is as before.
	for name, cmds := range map[string][]Command{
		"shipped":     {want(2, 0, 0, 3)},
		"transferred": {ShipTransfer{"t", "", "north", 1, ""}},
		"counted":     {CountStock{"", 11, "", 0}},
		"back again":  {AdjustStock{"", -1, ReasonOther, ""}, AdjustStock{"", 1, ReasonOther, ""}},
	} {
		moved := given(t).like(s)
		for _, cmd := range cmds {
			moved.when(cmd)
		}
		refusal, ok := moved.when(count("", began)).err.(*Error)
		if !ok || refusal.Code != CodeCountOutdated || *refusal.OnHand != moved.item.at("main").OnHand {
			t.Errorf("%s: %+v", name, moved.err)
		}
		now, there := moved.item.Version, moved.item.at("main").OnHand
		moved.when(count("", now)).then(StockCounted{"main", 9, 9 - there, "c", now})
	}
}

// like starts from another scenario's state.
func (s *scenario) like(other *scenario) *scenario {
	s.item = other.item
	for id, r := range other.reservations {
		s.reservations[id] = r
	}
	return s
}

func TestINV7SafetyStock(t *testing.T) {
	s := given(t, stock(10)...)
	s.when(SetSafetyStock{"", -1}).refused(CodeInvalidQuantity)
	s.when(SetSafetyStock{"", limits.MaxQuantity + 1}).refused(CodeInvalidQuantity)
	s.when(SetSafetyStock{"", 4}).then(SafetyStockSet{"main", 4, 4, 0}).levels(10, 6, 0, 0)
	s.when(SetSafetyStock{"", 4}).then()
	s.when(SetSafetyStock{"", 10}).then(SafetyStockSet{"main", 10, 6, 0}).levels(10, 0, 0, 0)
	s.when(SetSafetyStock{"", 3}).then(SafetyStockSet{"main", 3, -7, 0}).levels(10, 7, 0, 0)
	s.when(want(1, 8, 0, 0)).then(ReservationRejected{stepOf(1), 8, 7, InsufficientStock})
}

func TestINV8BackorderLimit(t *testing.T) {
	s := given(t, RegisterItem{})
	s.when(SetBackorderLimit{-1}).refused(CodeInvalidQuantity)
	s.when(SetBackorderLimit{MaxBackorderLimit + 1}).refused(CodeInvalidQuantity)
	s.when(SetBackorderLimit{5}).then(BackorderLimitSet{5})
	s.when(SetBackorderLimit{5}).then()
	if s.item.BackorderLimit != 5 {
		t.Fatalf("limit %d", s.item.BackorderLimit)
	}
}

func TestINV9Overflow(t *testing.T) {
	s := given(t, RegisterItem{})
	s.item.Locations = []LocationLevel{{"main", Level{OnHand: MaxLevel, Available: MaxLevel}}}
	s.when(ReceiveStock{"", 1, "", UnitCost{}}).refused(CodeQuantityOverflow)
	s.when(ReceiveStock{"north", 1, "", UnitCost{}}).refused(CodeQuantityOverflow)
	s.when(AdjustStock{"", 1, ReasonOther, ""}).refused(CodeQuantityOverflow)
	c := want(1, 0, 0, 0)
	c.Restocked = 1
	s.when(c).refused(CodeQuantityOverflow)
	s.item.Locations = append(s.item.Locations,
		LocationLevel{"a", Level{OnHand: MaxLevel, Available: MaxLevel}},
		LocationLevel{"b", Level{OnHand: -MaxLevel, Available: -MaxLevel}})
	if s.item.Sellable() != MaxLevel || s.item.backorderable() != 0 {
		t.Fatalf("sellable %d, backorderable %d", s.item.Sellable(), s.item.backorderable())
	}
}

func TestSellableClampsEachLocation(t *testing.T) {
	item := Item{Locations: []LocationLevel{
		{"a", Level{OnHand: 5, Available: 5}}, {"b", Level{OnHand: -3, Available: -3}}, {"c", Level{OnHand: 2, Available: 2}},
	}}
	if item.Sellable() != 7 || item.Total().Available != 4 {
		t.Fatalf("sellable %d, total %d", item.Sellable(), item.Total().Available)
	}
}

func TestEvolveChangesNeitherArgument(t *testing.T) {
	s := given(t, append(stock(10), want(1, 5, 0, 0))...)
	item, res := s.item, s.reservations["o-1"]
	level, held := item.Locations[0], res.Locations[0]
	s.when(want(2, 1, 2, 1)).when(ReceiveStock{"", 3, "", UnitCost{}})
	if item.Locations[0] != level || res.Locations[0] != held {
		t.Fatal("Evolve changed its argument")
	}
}
