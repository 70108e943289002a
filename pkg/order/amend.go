package order

import (
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
)

// MaxAmendments bounds how often an order can be amended.
const MaxAmendments = 1_000

// Amend changes quantities and prices of lines, or adds lines.
//
//	ORD-50  The order is reserved or confirmed, and not on hold: the reason for the hold may be a reason against
//	        reserving more stock. There is one amendment at a time (amendment_pending), and at most 1,000
//	        (too_many_amendments).
//	ORD-51  It names lines by SKU; where the order has several of one, also by their place (unknown_line). A SKU that the
//	        order has no line of is a new line, of 1 unit or more. Each line is named once, and there are at most 2,000
//	        in all (invalid_lines).
//	ORD-52  Quantities are absolute, 0 to 1e9 (invalid_quantity). A line of 0 is removed and keeps its place. A new line
//	        needs a price. Another line keeps its own price if none is given, and must keep it once some of the line has
//	        shipped or was cancelled (invalid_price). Lines that do not change are ignored; if none is left, nothing is
//	        written.
//	ORD-53  No line falls below what has shipped and was cancelled of it, and is being packed (over_amendment).
//	        Something is left to ship (nothing_would_be_left).
//	ORD-54  The total is that of the lines without what was cancelled, as ORD-4 makes it. What is authorized beyond it is
//	        voided, and what is captured beyond it is due for refund. OrderConfirmed follows when that pays the order.
//	ORD-74  Discounts and taxes of a line are told as they shall be, for the units that are not cancelled
//	        (invalid_discount, invalid_tax). Where they are not told, units that are taken off take their shares with
//	        them, as ORD-73 says; a line that grows, or gets another price, and that has some, needs them told. A line
//	        of no units has none. Charges are given back as the command tells (ORD-73).
//	ORD-55  The total does not rise once money has gone back or is due to (already_refunded). Where that happens while
//	        stock is asked, its answer declines the amendment.
type Amend struct {
	Lines  []AmendLine
	Reason string
	// Charges are what of charges is given back.
	Charges []ChargeCredit
	// DeadlineMicros is how long the order then waits for its payment, if it costs more than is covered, and stock need
	// not be asked.
	DeadlineMicros int64
}

// AmendLine is a line as it should be. Quantity is absolute, and includes what was cancelled and shipped of it.
type AmendLine struct {
	SKU string
	// Line is its place in the order, from 1. It may be 0 where the order has one line of the SKU, or none: then the line
	// is new.
	Line     int32
	Quantity int64
	// UnitPriceMicros is nil where the line keeps its price.
	UnitPriceMicros *int64
	// DiscountMicros and TaxMicros are those of the units that are not cancelled; nil: as ORD-74 says.
	DiscountMicros, TaxMicros *int64
}

// AmendmentRequested says that stock is asked for what the lines add.
type AmendmentRequested struct {
	Lines   []AmendedLine
	Reason  string
	Charges []ChargeCredit
}

// Amendment is one that stock has not answered.
type Amendment struct {
	// Version is the order's version at which it was requested.
	Version uint64
	Lines   []AmendedLine
	Charges []ChargeCredit
}

// AmendedLine is a line before and after. Both quantities include what was cancelled and shipped.
type AmendedLine struct {
	// Line is its place in the order, from 1. New lines come after those that the order has.
	Line                                  int32
	SKU                                   string
	Quantity, UnitPriceMicros             int64
	FormerQuantity, FormerUnitPriceMicros int64
	DiscountMicros, FormerDiscountMicros  int64
	TaxMicros, FormerTaxMicros            int64
}

// changes reports whether the line will be another.
func (l *AmendedLine) changes() bool {
	return l.Quantity != l.FormerQuantity || l.UnitPriceMicros != l.FormerUnitPriceMicros ||
		l.DiscountMicros != l.FormerDiscountMicros || l.TaxMicros != l.FormerTaxMicros
}

func (c Amend) decide(o *Order) ([]Event, error) {
	switch {
	case o.Kind != KindOrder || o.Lifecycle != Reserved && o.Lifecycle != Confirmed:
		return nil, o.illegal("amend_order")
	case o.Amendment != nil:
		return nil, o.amendmentPending()
	case o.ShipsAgain():
		return nil, o.refuseHere(CodeAmendmentPending, "stock has not answered yet for goods that ship again")
	case o.Amendments >= MaxAmendments:
		return nil, o.refuseHere(CodeTooManyAmendments, "an order is amended at most 1000 times")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	lines, err := o.amendedLines(c.Lines, len(c.Charges))
	if err != nil {
		return nil, err
	}
	credits, err := o.credits(c.Charges)
	if err != nil || len(lines)+len(credits) == 0 {
		return nil, err
	}
	requested := AmendmentRequested{Lines: lines, Reason: c.Reason, Charges: credits}
	if err := o.checkAmended(requested); err != nil {
		return nil, err
	}
	if len(growth(lines)) > 0 {
		return []Event{requested}, nil
	}
	amended, err := o.amended(lines, credits, nil, c.DeadlineMicros)
	return append([]Event{requested}, amended...), err
}

func (o *Order) amendmentPending() *Error {
	return o.refuseHere(CodeAmendmentPending, "stock has not answered an amendment of the order yet")
}

// amendedLines finds the lines that change (ORD-51, ORD-52), without those that stay as they are.
func (o *Order) amendedLines(asked []AmendLine, charges int) ([]AmendedLine, error) {
	if len(asked)+charges < 1 || len(asked) > limits.MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "an amendment names 1 to 2000 lines")
	}
	next := int32(len(o.Lines))
	var lines []AmendedLine
	named := make(map[int32]bool, len(asked))
	added := make(map[string]bool)
	for i, a := range asked {
		switch {
		case !validSKU(a.SKU):
			return nil, invalidSKU(i)
		case a.Quantity < 0 || a.Quantity > limits.MaxQuantity:
			return nil, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is "+limits.Quantities(0))
		}
		at, err := o.lineNamed(i, a)
		if err != nil {
			return nil, err
		}
		l := AmendedLine{Line: at, SKU: a.SKU, Quantity: a.Quantity}
		if at > 0 {
			old := &o.Lines[at-1]
			l.FormerQuantity, l.FormerUnitPriceMicros, l.UnitPriceMicros = old.Quantity, old.UnitPriceMicros, old.UnitPriceMicros
			l.FormerDiscountMicros, l.FormerTaxMicros = old.DiscountMicros, old.TaxMicros
		} else {
			next++
			l.Line = next
		}
		if named[l.Line] || added[a.SKU] {
			return nil, refuse(CodeInvalidLines, linePointer(i, "sku"), "an amendment names a line once")
		}
		named[l.Line], added[a.SKU] = true, at == 0
		if err := o.priceAmended(i, a, at, &l); err != nil {
			return nil, err
		}
		if err := o.amendShares(i, a, &l); err != nil {
			return nil, err
		}
		if l.changes() {
			lines = append(lines, l)
		}
	}
	if int(next)+len(o.SKUsToRelease) > limits.MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines",
			"an order has at most 2000 lines, those that were taken off or declined included")
	}
	return lines, nil
}

// lineNamed is the place of the line that an amendment names, from 1; 0 for a new one (ORD-51).
func (o *Order) lineNamed(i int, a AmendLine) (int32, error) {
	if a.Line != 0 {
		if !o.hasLine(a.Line, a.SKU) {
			return 0, unknownLine(i)
		}
		return a.Line, nil
	}
	at := int32(0)
	for k := range o.Lines {
		if o.Lines[k].SKU != a.SKU {
			continue
		}
		if at != 0 {
			return 0, refuse(CodeUnknownLine, linePointer(i, "line"),
				"the order has several lines of this SKU: name one by its place, from 1")
		}
		at = int32(k) + 1
	}
	return at, nil
}

// priceAmended applies ORD-52.
func (o *Order) priceAmended(i int, a AmendLine, at int32, l *AmendedLine) error {
	switch {
	case a.UnitPriceMicros == nil && at == 0:
		return refuse(CodeInvalidPrice, linePointer(i, "unit_price"), "a new line needs a price")
	case a.UnitPriceMicros == nil:
		return nil
	case *a.UnitPriceMicros < 0:
		return refuse(CodeInvalidPrice, linePointer(i, "unit_price"), "a price is not negative")
	case at > 0 && *a.UnitPriceMicros != l.UnitPriceMicros && o.Lines[at-1].Shipped+o.Lines[at-1].Cancelled > 0:
		return refuse(CodeInvalidPrice, linePointer(i, "unit_price"),
			"part of the line has shipped or was cancelled at its price")
	case at == 0 && a.Quantity == 0:
		return refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a new line has 1 unit or more")
	}
	l.UnitPriceMicros = *a.UnitPriceMicros
	return nil
}

// amendShares applies ORD-74.
func (o *Order) amendShares(i int, a AmendLine, l *AmendedLine) error {
	more := l.Quantity > l.FormerQuantity || l.UnitPriceMicros != l.FormerUnitPriceMicros
	l.DiscountMicros, l.TaxMicros = l.FormerDiscountMicros, l.FormerTaxMicros
	var old Line
	if int(l.Line) <= len(o.Lines) {
		old = o.Lines[l.Line-1]
	}
	if fewer := min(l.FormerQuantity-l.Quantity, old.kept()); fewer > 0 {
		discount, tax := old.shares(fewer)
		l.DiscountMicros -= discount
		l.TaxMicros -= tax
	}
	switch {
	case a.DiscountMicros != nil:
		l.DiscountMicros = *a.DiscountMicros
	case more && l.FormerDiscountMicros > 0:
		return refuse(CodeInvalidDiscount, linePointer(i, "discount"),
			"the line has a discount: say what it is with more units, or at another price")
	}
	switch {
	case a.TaxMicros != nil:
		l.TaxMicros = *a.TaxMicros
	case more && l.FormerTaxMicros > 0:
		return refuse(CodeInvalidTax, linePointer(i, "tax"),
			"the line has a tax: say what it is with more units, or at another price")
	}
	price, err := money.Multiply(l.UnitPriceMicros, l.Quantity-old.Cancelled)
	switch {
	case err != nil:
		return refuse(CodeAmountOverflow, linePointer(i, "quantity"), "the amount is too large")
	case price < 0: // fewer than what was cancelled: refused later
	case l.DiscountMicros > price:
		return refuse(CodeInvalidDiscount, linePointer(i, "discount"), "a discount is at most the price of the line")
	case o.TaxesIncluded && l.TaxMicros > price-l.DiscountMicros:
		return refuse(CodeInvalidTax, linePointer(i, "tax"), "a tax that is included is at most what the line costs")
	}
	old.Quantity, old.DiscountMicros, old.TaxMicros = l.Quantity, l.DiscountMicros, l.TaxMicros
	switch discount, tax := old.sharesFit(); {
	case !discount:
		return refuse(CodeInvalidDiscount, linePointer(i, "discount"), sharesRule)
	case !tax:
		return refuse(CodeInvalidTax, linePointer(i, "tax"), sharesRule)
	}
	return nil
}

const sharesRule = "it is not negative, not less than what of it came back, and 0 for a line of no units"

// sharesFit reports whether a line has at least the discounts and taxes that came back, and no more than these where
// the customer keeps nothing of it.
func (l *Line) sharesFit() (discount, tax bool) {
	keptDiscount, keptTax := l.DiscountMicros-l.ReturnedDiscountMicros, l.TaxMicros-l.ReturnedTaxMicros
	some := l.kept() > 0
	return keptDiscount >= 0 && (some || keptDiscount == 0), keptTax >= 0 && (some || keptTax == 0)
}

// checkAmended applies ORD-53 and ORD-55 to the order with the amended lines.
func (o *Order) checkAmended(e AmendmentRequested) error {
	lines := e.Lines
	after := *o
	after.setLines(lines)
	after.credit(e.Charges, false)
	for _, l := range lines {
		if after.Lines[l.Line-1].left() < 0 {
			return refuse(CodeOverAmendment, "/lines", l.SKU+" would be less than what has shipped or was cancelled of it")
		}
	}
	left, packing := after.left(), o.packing()
	for _, l := range lines {
		if after.Lines[l.Line-1].left() < packing[l.Line] {
			return refuse(CodeOverAmendment, "/lines", l.SKU+" would be less than what is set aside for a fulfilment")
		}
	}
	if len(left) == 0 {
		return o.refuseHere(CodeNothingLeft, "nothing would be left to ship: cancel the order, or its lines")
	}
	_, total, err := after.reprice()
	if err != nil {
		return err
	}
	if total > o.TotalMicros && o.refunding() {
		return o.refuseHere(CodeAlreadyRefunded,
			"money has gone back, or is due to: the order cannot cost more; place another one")
	}
	return nil
}

// setLines gives amended lines their quantities and prices.
func (o *Order) setLines(lines []AmendedLine) {
	o.Lines = append(make([]Line, 0, len(o.Lines)+len(lines)), o.Lines...)
	for _, l := range lines {
		at := int(l.Line) - 1
		if at < 0 || at >= len(o.Lines) {
			at = len(o.Lines)
			o.Lines = append(o.Lines, Line{SKU: l.SKU})
		}
		to := &o.Lines[at]
		to.Quantity, to.UnitPriceMicros = l.Quantity, l.UnitPriceMicros
		to.DiscountMicros, to.TaxMicros = l.DiscountMicros, l.TaxMicros
	}
}

// reprice adds up what the order costs without what was cancelled (ORD-4).
func (o *Order) reprice() (subtotalMicros, totalMicros int64, err error) {
	var sum int64
	for i := range o.Lines {
		l := &o.Lines[i]
		amount, err := money.Multiply(l.UnitPriceMicros, l.Quantity-l.Cancelled)
		if err == nil {
			subtotalMicros, err = money.Add(subtotalMicros, amount)
		}
		if err == nil && !o.plainLine(l) {
			amount = o.lineCost(l)
		}
		if err == nil {
			sum, err = money.Add(sum, amount)
		}
		if err != nil {
			return 0, 0, refuse(CodeAmountOverflow, "/lines", "the amount of line "+strconv.Itoa(i+1)+" is too large")
		}
	}
	for i, c := range o.Charges {
		if sum, err = money.Add(sum, o.cost(c.AmountMicros, 0, c.TaxMicros)); err != nil {
			return 0, 0, refuse(CodeAmountOverflow, "/charges/"+strconv.Itoa(i), "the amount is too large")
		}
	}
	totalMicros, err = roundTotal(sum, o.Currency)
	return subtotalMicros, totalMicros, err
}

func (e AmendmentRequested) evolve(o *Order, _ Facts) {
	o.Amendment = &Amendment{Version: o.Version, Lines: e.Lines, Charges: e.Charges}
	o.Amendments++
	o.reservationChanged()
}
