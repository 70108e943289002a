package inventory

import (
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
)

func TestINV23Expect(t *testing.T) {
	s := given(t, stock(10)...)
	s.when(ExpectStock{"", -1, ""}).refused(CodeInvalidQuantity)
	s.when(ExpectStock{"", limits.MaxQuantity + 1, ""}).refused(CodeInvalidQuantity)
	s.when(ExpectStock{"", 1, "\xff"}).refused(CodeInvalidReference)
	s.when(ExpectStock{"", 0, "PO-1"}).then()
	s.when(ExpectStock{"", 7, "PO-1"}).then(StockExpected{"main", 7, 7, "PO-1"})
	s.when(ExpectStock{"", 7, "PO-1"}).then()
	s.when(ExpectStock{"", 5, "PO-1"}).then(StockExpected{"main", 5, -2, "PO-1"})
	s.when(ExpectStock{"north", 4, "PO-1"}).then(StockExpected{"north", 4, 4, "PO-1"})
	s.levels(10, 10, 0, 0)
	if s.item.Total().Incoming != 9 || len(s.item.Expected) != 2 {
		t.Fatalf("%+v", s.item)
	}
	s.when(ExpectStock{"", 0, "PO-1"}).then(StockExpected{"main", 0, -5, "PO-1"})
	if s.item.Total().Incoming != 4 || len(s.item.Expected) != 1 {
		t.Fatalf("%+v", s.item)
	}
	for k := range MaxDeliveries - 1 {
		s.item.Expected = append(s.item.Expected, Delivery{"main", strconv.Itoa(k), 1})
	}
	s.when(ExpectStock{"", 1, "one more"}).refused(CodeTooManyDeliveries)
	s.when(ExpectStock{"north", 3, "PO-1"}).then(StockExpected{"north", 3, -1, "PO-1"})

	// Where characters have several bytes, references come to their limit before deliveries do.
	s = given(t, RegisterItem{})
	clefs := strings.Repeat("\U0001d11e", limits.MaxReferenceLength)
	for range MaxDeliveryReferencesBytes / len(clefs) {
		s.item.Expected = append(s.item.Expected, Delivery{"north", clefs, 1})
	}
	s.when(ExpectStock{"", 1, clefs}).refused(CodeTooManyDeliveries)
	s.when(ExpectStock{"", 1, ""}).then(StockExpected{"main", 1, 1, ""})
}

func TestINV24ReceiptOfWhatWasExpected(t *testing.T) {
	s := given(t, append(stock(1), ExpectStock{"", 5, "PO-1"})...)
	s.when(ReceiveStock{"", 2, "PO-2", UnitCost{}}).then(StockReceived{"main", 2, "PO-2", 0, UnitCost{}})
	s.when(ReceiveStock{"north", 2, "PO-1", UnitCost{}}).then(StockReceived{"north", 2, "PO-1", 0, UnitCost{}})
	s.when(ReceiveStock{"", 3, "PO-1", UnitCost{}}).then(StockReceived{"main", 3, "PO-1", 3, UnitCost{}})
	if s.item.Total().Incoming != 2 {
		t.Fatalf("%+v", s.item.Total())
	}
	before := s.item
	s.when(ReceiveStock{"", 4, "PO-1", UnitCost{}}).then(StockReceived{"main", 4, "PO-1", 2, UnitCost{}})
	if s.item.Total().Incoming != 0 || len(s.item.Expected) != 0 || before.Expected[0].Quantity != 2 {
		t.Fatalf("%+v, before %+v", s.item, before.Expected)
	}
	s.levels(12, 12, 0, 0)
}

func TestINV65UnitCost(t *testing.T) {
	cost := func(micros int64, currency string) ReceiveStock {
		return ReceiveStock{"", 2, "PO-1", UnitCost{micros, currency}}
	}
	s := given(t, stock(1)...)
	s.when(cost(1_250_000, "")).refused(CodeUnknownCurrency)
	s.when(cost(1_250_000, "gbp")).refused(CodeUnknownCurrency)
	s.when(cost(-1, "GBP")).refused(CodeInvalidCost)
	s.when(cost(limits.MaxAmount*money.MicrosPerUnit+1, "GBP")).refused(CodeInvalidCost)
	s.when(cost(limits.MaxAmount*money.MicrosPerUnit, "GBP")).then(
		StockReceived{"main", 2, "PO-1", 0, UnitCost{limits.MaxAmount * money.MicrosPerUnit, "GBP"}})
	s.when(cost(0, "JPY")).then(StockReceived{"main", 2, "PO-1", 0, UnitCost{0, "JPY"}}).levels(5, 5, 0, 0)
}
