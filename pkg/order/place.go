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
//	ORD-3   The currency is one of ISO 4217 (unknown_currency). Texts have limits (invalid_…), and customer, country and
//	        reference can name something (limits.NameFault). Terms are prepaid, which is the default, or on account
//	        (invalid_terms). An order on account has no payment deadline.
//	ORD-4   The subtotal, what the goods cost by their prices, is exact (amount_overflow). The total is the subtotal
//	        without discounts, with charges, and with taxes unless they are included, rounded half to even to the
//	        currency's minor unit: all of it once, or each line and charge where the order says so (invalid_rounding).
//	        Sums that the client expects are equal to those of the order: total_mismatch, with the difference.
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
	// Pricing is nil where only the lines cost something.
	Pricing *Pricing
	// DefaultRounding is set by the writer, for orders that do not say how they are rounded; 0: by order.
	DefaultRounding Rounding
	// Sums are what the client expects.
	Sums Sums
	// Allocation says where the goods come from; nil: from any location, in the order of their first use.
	Allocation *AllocationRule
	Metadata   metadata.Map
}

// PlaceLine is a line as it was ordered.
type PlaceLine struct {
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
	// Details are nil for a line without discounts, taxes and metadata.
	Details *LineDetails
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
	Pricing                     *Pricing
}

func (c Place) decide(o *Order) ([]Event, error) {
	if o.Lifecycle != None {
		return nil, o.refuseHere(CodeAlreadyPlaced, "the order exists")
	}
	if err := (heading{c.OrderID, c.CustomerID, c.Country, c.Reference}).check(); err != nil {
		return nil, err
	}
	if err := checkLines(c.Lines, c.Currency); err != nil {
		return nil, err
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
	placed := OrderPlaced{
		CustomerID: c.CustomerID, Currency: c.Currency, Lines: slices.Clone(c.Lines),
		Pricing: c.Pricing.orDefault(c.DefaultRounding),
		Terms:   c.Terms, PaymentDeadlineMicros: c.PaymentDeadlineMicros,
		Country: c.Country, Reference: c.Reference, Allocation: c.Allocation, Metadata: c.Metadata,
	}
	if err := placed.total(&c.Sums); err != nil {
		return nil, err
	}
	return []Event{placed}, nil
}

// total checks what the order costs, and adds it up.
func (e *OrderPlaced) total(want *Sums) error {
	if err := e.price(); err != nil {
		return err
	}
	if err := e.addUp(); err != nil {
		return err
	}
	return e.checkSums(want)
}

// addUp sets the subtotal and the total. Most orders cost the prices of their lines, and need no state for it.
func (e *OrderPlaced) addUp() (err error) {
	plain := e.Pricing == nil
	e.SubtotalMicros = 0
	for i := range e.Lines {
		e.SubtotalMicros += e.Lines[i].Quantity * e.Lines[i].UnitPriceMicros // checkLines has checked it
		plain = plain && e.Lines[i].Details == nil
	}
	if plain {
		e.TotalMicros, err = roundTotal(e.SubtotalMicros, e.Currency)
		return err
	}
	var o Order
	o.setPricing(e)
	e.SubtotalMicros, e.TotalMicros, err = o.reprice()
	return err
}

func (e OrderPlaced) evolve(o *Order, f Facts) {
	o.Kind, o.Lifecycle = KindOrder, Placed
	o.CustomerID, o.Currency, o.Country, o.Reference = e.CustomerID, e.Currency, e.Country, e.Reference
	o.SubtotalMicros, o.TotalMicros = e.SubtotalMicros, e.TotalMicros
	o.Terms, o.PaymentDeadlineMicros = e.Terms, e.PaymentDeadlineMicros
	o.PlacedEventID, o.OccurredAtMicros = f.EventID, f.OccurredAtMicros
	o.Allocation = e.Allocation
	o.setPricing(&e)
	o.reservationChanged()
}

// setPricing sets the lines and what the order costs besides.
func (o *Order) setPricing(e *OrderPlaced) {
	o.Currency = e.Currency
	o.Lines = make([]Line, len(e.Lines))
	for i := range e.Lines {
		l := &e.Lines[i]
		o.Lines[i] = Line{
			SKU: l.SKU, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			DiscountMicros: l.Details.DiscountMicros(), TaxMicros: l.Details.TaxMicros(),
		}
	}
	o.Charges, o.TaxesIncluded, o.RoundByLine = nil, false, false
	if p := e.Pricing; p != nil {
		o.TaxesIncluded, o.RoundByLine = p.TaxesIncluded, p.Rounding == RoundByLine
		for i := range p.Charges {
			o.Charges = append(o.Charges, ChargeLeft{
				AmountMicros: p.Charges[i].AmountMicros, TaxMicros: taxesOf(p.Charges[i].Taxes),
			})
		}
	}
}

// heading is what an order and a past document have in common besides lines.
type heading struct{ orderID, customerID, country, reference string }

func (h heading) check() error {
	if len(h.orderID) > limits.MaxOrderIDBytes || !plain(h.orderID) {
		return refuse(CodeInvalidOrderID, "/order_id", "at most 128 bytes of text without control characters or outer spaces")
	}
	if err := checkName("customer_id", h.customerID, limits.MaxCustomerIDLength); err != nil {
		return err
	}
	if err := checkName("country", h.country, limits.MaxCountryLength); err != nil {
		return err
	}
	return checkName("reference", h.reference, limits.MaxReferenceLength)
}

// checkLines checks lines (ORD-2, ORD-3).
func checkLines(lines []PlaceLine, currency string) error {
	if len(lines) < 1 || len(lines) > limits.MaxLines {
		return refuse(CodeInvalidLines, "/lines", "an order has 1 to 2000 lines")
	}
	if _, ok := money.Lookup(currency); !ok { // before any line
		return unknownCurrency()
	}
	var subtotal int64
	for i := range lines {
		line := &lines[i]
		switch {
		case !validSKU(line.SKU):
			return invalidSKU(i)
		case line.Quantity < 1 || line.Quantity > limits.MaxQuantity:
			return refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is "+limits.Quantities(1))
		case line.UnitPriceMicros < 0:
			return refuse(CodeInvalidPrice, linePointer(i, "unit_price"), "a price is not negative")
		}
		amount, err := money.Multiply(line.UnitPriceMicros, line.Quantity)
		if err == nil {
			subtotal, err = money.Add(subtotal, amount)
		}
		if err != nil {
			return refuse(CodeAmountOverflow, linePointer(i, "unit_price"), "the amount is too large")
		}
	}
	return nil
}
