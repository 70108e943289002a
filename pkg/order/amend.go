package order

import (
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/money"
)

// MaxAmendments bounds how often an order can be amended.
const MaxAmendments = 1_000

// EndedReason is the reason of an amendment that was declined because its order ended, or shipped, first.
const EndedReason = "order_moved_on"

// Amendment is one that stock has not answered.
type Amendment struct {
	// Version is the order's version at which it was asked for.
	Version uint64
	Lines   []AmendedLine
}

// AmendedLine is a line before and after. What is cancelled and shipped is part of both quantities.
type AmendedLine struct {
	// Line is its place in the order, from 1; one more than there are, and so on, for new lines.
	Line                                  int32
	SKU                                   string
	Quantity, UnitPriceMicros             int64
	FormerQuantity, FormerUnitPriceMicros int64
}

// amend applies ORD-50 to ORD-55, and ORD-56 where stock need not be asked.
func (o *Order) amend(c Amend) ([]Event, error) {
	switch {
	case o.Kind != KindOrder || o.Lifecycle != Reserved && o.Lifecycle != Confirmed:
		return nil, o.illegal("amend_order")
	case o.Amendment != nil:
		return nil, o.amendmentPending()
	case o.Amendments >= MaxAmendments:
		return nil, o.refuseHere(CodeTooManyAmendments, "an order is amended at most 1000 times")
	}
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	lines, err := o.amendedLines(c.Lines)
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	if err := o.checkAmended(lines); err != nil {
		return nil, err
	}
	requested := AmendmentRequested{Lines: lines, Reason: c.Reason}
	if len(growth(lines)) > 0 {
		return []Event{requested}, nil
	}
	amended, err := o.amended(lines, nil)
	return append([]Event{requested}, amended...), err
}

func (o *Order) amendmentPending() *Error {
	return o.refuseHere(CodeAmendmentPending, "stock has not answered an amendment of the order yet")
}

// amendedLines finds the lines that change (ORD-51, ORD-52), without those that stay as they are.
func (o *Order) amendedLines(asked []AmendLine) ([]AmendedLine, error) {
	if len(asked) < 1 || len(asked) > MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "an amendment names 1 to 2000 lines")
	}
	next := int32(len(o.Lines))
	lines := make([]AmendedLine, 0, len(asked))
	named := make(map[int32]bool, len(asked))
	added := make(map[string]bool)
	for i, a := range asked {
		switch {
		case !validSKU(a.SKU):
			return nil, invalidSKU(i)
		case a.Quantity < 0 || a.Quantity > MaxQuantity:
			return nil, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is 0 to 1000000000 units")
		}
		at, err := o.lineNamed(i, a)
		if err != nil {
			return nil, err
		}
		l := AmendedLine{Line: at, SKU: a.SKU, Quantity: a.Quantity}
		if at > 0 {
			old := &o.Lines[at-1]
			l.FormerQuantity, l.FormerUnitPriceMicros, l.UnitPriceMicros = old.Quantity, old.UnitPriceMicros, old.UnitPriceMicros
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
		if l.Quantity != l.FormerQuantity || l.UnitPriceMicros != l.FormerUnitPriceMicros {
			lines = append(lines, l)
		}
	}
	if int(next)+len(o.Asked) > MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "an order has at most 2000 lines, those that were taken off or declined included")
	}
	return lines, nil
}

// lineNamed is the line that an amendment means, from 1; 0 for a new one (ORD-51).
func (o *Order) lineNamed(i int, a AmendLine) (int32, error) {
	if a.Line != 0 {
		if a.Line < 0 || int(a.Line) > len(o.Lines) || o.Lines[a.Line-1].SKU != a.SKU {
			return 0, refuse(CodeUnknownLine, linePointer(i, "line"), "the order has no such line of this SKU; lines count from 1")
		}
		return a.Line, nil
	}
	at := int32(0)
	for k := range o.Lines {
		if o.Lines[k].SKU != a.SKU {
			continue
		}
		if at != 0 {
			return 0, refuse(CodeUnknownLine, linePointer(i, "line"), "the order has several lines of this SKU: name one by its place, from 1")
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
		return refuse(CodeInvalidPrice, linePointer(i, "unit_price"), "part of the line has shipped or was cancelled at its price")
	case at == 0 && a.Quantity == 0:
		return refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a new line has 1 unit or more")
	}
	l.UnitPriceMicros = *a.UnitPriceMicros
	return nil
}

// checkAmended applies ORD-53 and ORD-55 to an order that would have these lines.
func (o *Order) checkAmended(lines []AmendedLine) error {
	after := *o
	after.setLines(lines)
	for _, l := range lines {
		if after.Lines[l.Line-1].left() < 0 {
			return refuse(CodeOverAmendment, "/lines", l.SKU+" would be less than what has shipped or was cancelled of it")
		}
	}
	packed := quantities(nil)
	for _, f := range o.Fulfilments {
		if f.Pending {
			for _, l := range f.Lines {
				packed[l.SKU] += l.Quantity
			}
		}
	}
	left := after.left()
	for _, l := range lines {
		if k, ok := left.find(l.SKU); packed[l.SKU] > 0 && (!ok || left[k].left < packed[l.SKU]) {
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
	if total > o.TotalMicros && o.givenBack() {
		return o.refuseHere(CodeAlreadyRefunded, "money has gone back, or is due to: the order cannot cost more; place another one")
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
	}
}

// reprice adds up what the lines cost without what was cancelled, and rounds it once (ORD-4).
func (o *Order) reprice() (subtotalMicros, totalMicros int64, err error) {
	for i := range o.Lines {
		l := &o.Lines[i]
		amount, err := money.Multiply(l.UnitPriceMicros, l.Quantity-l.Cancelled)
		if err == nil {
			subtotalMicros, err = money.Add(subtotalMicros, amount)
		}
		if err != nil {
			return 0, 0, refuse(CodeAmountOverflow, "/lines", "the amount of line "+strconv.Itoa(i+1)+" is too large")
		}
	}
	totalMicros, err = roundTotal(subtotalMicros, o.Currency)
	return subtotalMicros, totalMicros, err
}

// amended applies ORD-54, ORD-56 and ORD-57: the events of an amendment that stock can follow. held are its answers, none when
// it was not asked.
func (o *Order) amended(lines []AmendedLine, held []Held) ([]Event, error) {
	after := *o
	after.setLines(lines)
	ev := OrderAmended{Lines: lines, Backordered: o.backorderedAfter(lines, held)}
	var err error
	if ev.SubtotalMicros, ev.TotalMicros, err = after.reprice(); err != nil {
		return nil, err
	}
	if ev.TotalMicros > o.TotalMicros && o.givenBack() { // since it was asked for
		return []Event{AmendmentDeclined{Reason: CodeAlreadyRefunded}}, nil
	}
	ev.VoidedMicros, ev.RefundDueMicros = o.setFree(ev.TotalMicros)
	missing := o.uncoveredOf(ev.TotalMicros)
	prepaid := o.Terms == Prepaid
	if prepaid && o.phase() == Confirmed && (o.PaymentDue || ev.TotalMicros > o.TotalMicros) {
		ev.PaymentDueMicros = missing
	}
	events := append(make([]Event, 0, 2), ev)
	if o.Lifecycle == Reserved && prepaid && missing == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

// backorderedAfter is how much of the amended SKUs waits for stock to come: stock gives that up first (INV-25).
func (o *Order) backorderedAfter(lines []AmendedLine, held []Held) []LineQuantity {
	var waits []LineQuantity
	for _, change := range changes(lines) {
		n := o.Backordered(change.SKU)
		if h := find(held, change.SKU); h != nil {
			n = h.Backordered
		}
		if n = max(0, n+min(0, change.Quantity)); n > 0 {
			waits = append(waits, LineQuantity{change.SKU, n})
		}
	}
	return waits
}

// amendmentAnswered applies ORD-56 and ORD-58 to stock's answers; neither all nor a rejection is no answer.
func (o *Order) amendmentAnswered(held []Held, rejected, covered bool) ([]Event, error) {
	switch {
	case rejected:
		var short []ShortLine
		for _, more := range growth(o.Amendment.Lines) {
			if h := find(held, more.SKU); h != nil && h.Rejected && h.RejectionReason != ReasonOtherLine {
				short = append(short, ShortLine{more.SKU, more.Quantity, h.Available, h.RejectionReason})
			}
		}
		return []Event{AmendmentDeclined{Short: short}}, nil
	case covered:
		return o.amended(o.Amendment.Lines, held)
	}
	return nil, nil
}

// givenBack: money has gone back, or is due to (ORD-55).
func (o *Order) givenBack() bool { return o.RefundedMicros+o.RefundDueMicros > 0 }

// giveUpAmendment declines what stock has not answered, before events that end or ship the order (ORD-59).
func (o *Order) giveUpAmendment(events ...Event) []Event {
	if o.Amendment == nil {
		return events
	}
	return append([]Event{AmendmentDeclined{Reason: EndedReason}}, events...)
}

// changes adds up by SKU how much more (or less) of it an amendment wants, sorted by SKU.
func changes(lines []AmendedLine) []LineQuantity {
	all := make([]LineQuantity, len(lines))
	for i, l := range lines {
		all[i] = LineQuantity{l.SKU, l.Quantity - l.FormerQuantity}
	}
	slices.SortStableFunc(all, func(a, b LineQuantity) int { return strings.Compare(a.SKU, b.SKU) })
	merged := all[:0]
	for _, l := range all {
		if n := len(merged); n > 0 && merged[n-1].SKU == l.SKU {
			merged[n-1].Quantity += l.Quantity
			continue
		}
		merged = append(merged, l)
	}
	return merged
}

// growth is what an amendment wants more of.
func growth(lines []AmendedLine) []LineQuantity {
	return slices.DeleteFunc(changes(lines), func(l LineQuantity) bool { return l.Quantity <= 0 })
}

func (o *Order) evolveRequested(e AmendmentRequested) {
	o.Amendment = &Amendment{Version: o.Version, Lines: e.Lines}
	o.Amendments++
	o.wantChanged()
}

func (o *Order) evolveAmended(e OrderAmended) {
	o.setLines(e.Lines)
	waits := quantities(e.Backordered)
	for _, l := range e.Lines {
		waits[l.SKU] += 0 // also those of which nothing waits any more
	}
	for i := len(o.Lines) - 1; i >= 0; i-- {
		l := &o.Lines[i]
		if _, touched := waits[l.SKU]; touched {
			l.Backordered = waits.take(l.SKU, l.left())
		}
	}
	o.SubtotalMicros, o.TotalMicros = e.SubtotalMicros, e.TotalMicros
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.PaymentDue = e.PaymentDueMicros > 0
	o.Amendment = nil
	o.wantChanged()
}

// evolveDeclined keeps the SKUs of lines that were not added: stock may hold them until it is told otherwise.
func (o *Order) evolveDeclined(e AmendmentDeclined) {
	o.Short = e.Short
	if a := o.Amendment; a != nil {
		o.Declined = append(slices.Clip(o.Declined), a.Version)
		for _, l := range a.Lines {
			if int(l.Line) > len(o.Lines) && !slices.Contains(o.Asked, l.SKU) {
				o.Asked = append(slices.Clip(o.Asked), l.SKU)
			}
		}
	}
	o.Amendment = nil
	o.wantChanged()
}

// paidUp notes that nothing is due any more of what an amendment has added (ORD-57).
func (o *Order) paidUp() {
	o.PaymentDue = o.PaymentDue && o.uncovered() > 0
}
