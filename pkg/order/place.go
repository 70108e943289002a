package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/money"
)

// Place asks for an order.
//
//	ORD-1   Place and ImportDocument need an order that does not exist yet: already_placed.
//	ORD-2   There are 1 to 2,000 lines (invalid_lines), each with a SKU (invalid_sku), 1 to 1e9 units
//	        (invalid_quantity) and a price of 0 or more (invalid_price). Several lines may have one SKU.
//	ORD-3   The currency is one of ISO 4217 (unknown_currency). Texts have limits (invalid_…). Terms are prepaid, which
//	        is the default, or on account (invalid_terms). An order on account has no payment deadline.
//	ORD-4   The subtotal is exact (amount_overflow). The total is the subtotal rounded once to the currency's minor unit,
//	        half to even. A total that the client expects is equal to it: total_mismatch.
//	ORD-68  Metadata has at most 50 entries of at most 8 KiB together, keys and values. A key is 1 to 40 of the
//	        characters a-z, A-Z, 0-9, _, . and -, and stands there once; a value is 1 to 500 characters, without
//	        control characters (invalid_metadata).
type Place struct {
	OrderID              string
	CustomerID, Currency string
	Country, Reference   string
	Lines                []PlaceLine
	// Terms are Prepaid by default.
	Terms PaymentTerms
	// PaymentDeadlineMicros is set by the writer for prepaid orders: received time plus the configured payment window.
	PaymentDeadlineMicros int64
	AtMicros              int64
	// TotalMicros is what the client expects to pay; nil: not checked.
	TotalMicros *int64
	// Allocation says where the goods come from; nil: from any location, in the order of their first use.
	Allocation *AllocationRule
	Metadata   metadata.Map
}

// PlaceLine is a line as it was ordered.
type PlaceLine struct {
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
}

// PaymentTerms are a closed set; values equal those of the event schema.
type PaymentTerms int32

// The terms.
const (
	Prepaid   PaymentTerms = 1
	OnAccount PaymentTerms = 2
)

// OrderPlaced says that the order exists, and stock is asked for it.
type OrderPlaced struct {
	CustomerID, Currency        string
	Lines                       []PlaceLine
	SubtotalMicros, TotalMicros int64
	Terms                       PaymentTerms
	PaymentDeadlineMicros       int64
	Country, Reference          string
	Allocation                  *AllocationRule
	Metadata                    metadata.Map
}

func (c Place) decide(o *Order) ([]Event, error) {
	if o.Lifecycle != None {
		return nil, o.refuseHere(CodeAlreadyPlaced, "the order exists")
	}
	if err := (heading{c.OrderID, c.CustomerID, c.Country, c.Reference}).check(); err != nil {
		return nil, err
	}
	subtotal, total, err := priceLines(c.Lines, c.Currency)
	if err != nil {
		return nil, err
	}
	if c.TotalMicros != nil && *c.TotalMicros != total {
		return nil, refuse(CodeTotalMismatch, "/total", "the lines add up to another total")
	}
	if c.Allocation != nil {
		if err := c.Allocation.Check(); err != nil {
			return nil, err
		}
	}
	if at, fault := c.Metadata.Fault("/metadata"); fault != "" {
		return nil, refuse(CodeInvalidMetadata, at, fault)
	}
	switch c.Terms {
	case 0:
		c.Terms = Prepaid
	case Prepaid:
	case OnAccount:
		c.PaymentDeadlineMicros = 0
	default:
		return nil, refuse(CodeInvalidTerms, "/payment_terms", "terms are prepaid or on account")
	}
	return []Event{OrderPlaced{
		CustomerID: c.CustomerID, Currency: c.Currency, Lines: slices.Clone(c.Lines),
		SubtotalMicros: subtotal, TotalMicros: total,
		Terms: c.Terms, PaymentDeadlineMicros: c.PaymentDeadlineMicros,
		Country: c.Country, Reference: c.Reference, Allocation: c.Allocation, Metadata: c.Metadata,
	}}, nil
}

func (e OrderPlaced) evolve(o *Order, f Facts) {
	o.Kind, o.Lifecycle = KindOrder, Placed
	o.CustomerID, o.Currency, o.Country, o.Reference = e.CustomerID, e.Currency, e.Country, e.Reference
	o.SubtotalMicros, o.TotalMicros = e.SubtotalMicros, e.TotalMicros
	o.Terms, o.PaymentDeadlineMicros = e.Terms, e.PaymentDeadlineMicros
	o.PlacedEventID, o.OccurredAtMicros = f.EventID, f.OccurredAtMicros
	o.Allocation = e.Allocation
	o.Lines = make([]Line, len(e.Lines))
	for i, l := range e.Lines {
		o.Lines[i] = Line{SKU: l.SKU, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
	}
	o.reservationChanged()
}

// heading is what an order and a past document have in common besides lines.
type heading struct{ orderID, customerID, country, reference string }

func (h heading) check() error {
	if len(h.orderID) > limits.MaxOrderIDBytes || !plain(h.orderID) {
		return refuse(CodeInvalidOrderID, "/order_id", "at most 128 bytes of text without control characters or outer spaces")
	}
	if err := checkText("customer_id", h.customerID, limits.MaxCustomerIDLength); err != nil {
		return err
	}
	if err := checkText("country", h.country, limits.MaxCountryLength); err != nil {
		return err
	}
	return checkText("reference", h.reference, limits.MaxReferenceLength)
}

// priceLines checks lines and adds them up (ORD-2 to ORD-4).
func priceLines(lines []PlaceLine, currency string) (subtotalMicros, totalMicros int64, err error) {
	if len(lines) < 1 || len(lines) > limits.MaxLines {
		return 0, 0, refuse(CodeInvalidLines, "/lines", "an order has 1 to 2000 lines")
	}
	if _, ok := money.Lookup(currency); !ok { // before any line
		return 0, 0, unknownCurrency()
	}
	for i := range lines {
		line := &lines[i]
		switch {
		case !validSKU(line.SKU):
			return 0, 0, invalidSKU(i)
		case line.Quantity < 1 || line.Quantity > limits.MaxQuantity:
			return 0, 0, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is "+limits.Quantities(1))
		case line.UnitPriceMicros < 0:
			return 0, 0, refuse(CodeInvalidPrice, linePointer(i, "unit_price"), "a price is not negative")
		}
		amount, err := money.Multiply(line.UnitPriceMicros, line.Quantity)
		if err == nil {
			subtotalMicros, err = money.Add(subtotalMicros, amount)
		}
		if err != nil {
			return 0, 0, refuse(CodeAmountOverflow, linePointer(i, "unit_price"), "the amount is too large")
		}
	}
	if totalMicros, err = roundTotal(subtotalMicros, currency); err != nil {
		return 0, 0, err
	}
	return subtotalMicros, totalMicros, nil
}
