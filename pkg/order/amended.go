package order

import (
	"slices"
	"strings"
)

// What becomes of an amendment.
//
//	ORD-56  Stock is asked first for what a SKU grows by, on top of what the order has: AmendmentRequested. Answers that
//	        cover it, backordered or not, make it OrderAmended. Without growth, OrderAmended follows at once.
//	ORD-57  A confirmed prepaid order that an amendment makes cost more than is authorized stays confirmed. Nothing of it
//	        is packed or ships (payment_required) before the total is authorized, or has fallen to what is authorized.
//	        CoverLost follows, with the deadline for that (ORD-65).
//	ORD-58  One rejected SKU declines the amendment: AmendmentDeclined, with those of its SKUs that are insufficient or
//	        unknown. The order stays as it was, and wants what it wanted.
//	ORD-59  While stock has not answered, nothing is packed, ships or is cancelled by the line (amendment_pending). What
//	        ends or ships the order nevertheless declines the amendment first.

// EndedReason is the reason of an amendment that was declined because its order ended, or shipped, first.
const EndedReason = "order_moved_on"

// OrderAmended says that the lines are as the amendment says. Backordered is what then waits for stock of their SKUs.
// The amounts are the new price, the money that this releases, and what must be authorized before the order ships.
type OrderAmended struct {
	Lines                         []AmendedLine
	Backordered                   []LineQuantity
	SubtotalMicros, TotalMicros   int64
	VoidedMicros, RefundDueMicros int64
	PaymentDueMicros              int64
	Charges                       []ChargeCredit
}

// AmendmentDeclined says that the order stays as it was. Short says which SKUs stock did not have; Reason is set where
// that is not why.
type AmendmentDeclined struct {
	Short  []ShortLine
	Reason string
}

// amended applies ORD-54, ORD-56 and ORD-57: the events of an amendment that stock has. answers are stock's, none when
// it was not asked.
func (o *Order) amended(
	lines []AmendedLine, credits []ChargeCredit, answers []StockAnswer, deadlineMicros int64,
) ([]Event, error) {
	after := *o
	after.setLines(lines)
	after.credit(credits, false)
	ev := OrderAmended{Lines: lines, Charges: credits, Backordered: o.backorderedOf(lines, answers)}
	var err error
	if ev.SubtotalMicros, ev.TotalMicros, err = after.reprice(); err != nil {
		return nil, err
	}
	if ev.TotalMicros > o.TotalMicros && o.refunding() { // since it was asked for
		return []Event{AmendmentDeclined{Reason: CodeAlreadyRefunded}}, nil
	}
	if !after.sharesFit() {
		return []Event{AmendmentDeclined{Reason: EndedReason}}, nil
	}
	ev.VoidedMicros, ev.RefundDueMicros = o.surplus(ev.TotalMicros)
	missing := o.uncoveredOf(ev.TotalMicros)
	prepaid := o.Terms == Prepaid
	if prepaid && o.offHold() == Confirmed && (o.PaymentDue || ev.TotalMicros > o.TotalMicros) {
		ev.PaymentDueMicros = missing
	}
	events := append(make([]Event, 0, 2), ev)
	if o.Lifecycle == Reserved && prepaid && missing == 0 {
		events = append(events, OrderConfirmed{})
	}
	return o.withCover(events, deadlineMicros), nil
}

// sharesFit reports whether lines and charges fit what came back: since an amendment was asked for, more may have.
func (o *Order) sharesFit() bool {
	for i := range o.Lines {
		if discount, tax := o.Lines[i].sharesFit(); !discount || !tax {
			return false
		}
	}
	return !slices.ContainsFunc(o.Charges, func(c ChargeLeft) bool {
		return c.ReturnedMicros > c.AmountMicros || c.ReturnedTaxMicros > c.TaxMicros
	})
}

// backorderedOf is how much of the amended SKUs waits for stock to come. Stock gives up backorders first (INV-25).
func (o *Order) backorderedOf(lines []AmendedLine, answers []StockAnswer) []LineQuantity {
	var waits []LineQuantity
	for _, change := range changes(lines) {
		n := o.Backordered(change.SKU)
		if h := find(answers, change.SKU); h != nil {
			n = h.Backordered
		}
		if n = max(0, n+min(0, change.Quantity)); n > 0 {
			waits = append(waits, LineQuantity{SKU: change.SKU, Quantity: n})
		}
	}
	return waits
}

// amendmentAnswered applies ORD-56 and ORD-58 to stock's answers. Answers that neither cover it nor reject it change
// nothing.
func (o *Order) amendmentAnswered(c RecordReservation, rejected, covered bool) ([]Event, error) {
	switch {
	case rejected:
		var short []ShortLine
		for _, more := range growth(o.Amendment.Lines) {
			if h := find(c.Answers, more.SKU); h != nil && h.Rejected && h.RejectionReason != ReasonOtherLine {
				short = append(short, ShortLine{more.SKU, more.Quantity, h.Available, h.RejectionReason})
			}
		}
		return []Event{AmendmentDeclined{Short: short}}, nil
	case covered:
		return o.amended(o.Amendment.Lines, o.Amendment.Charges, c.Answers, c.DeadlineMicros)
	}
	return nil, nil
}

// declineAmendment declines what stock has not answered, before events that end or ship the order (ORD-59).
func (o *Order) declineAmendment(events ...Event) []Event {
	if o.Amendment == nil {
		return events
	}
	return append([]Event{AmendmentDeclined{Reason: EndedReason}}, events...)
}

// changes adds up by SKU how much more (or less) of it an amendment wants, sorted by SKU.
func changes(lines []AmendedLine) []LineQuantity {
	all := make([]LineQuantity, len(lines))
	for i, l := range lines {
		all[i] = LineQuantity{SKU: l.SKU, Quantity: l.Quantity - l.FormerQuantity}
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

func (e OrderAmended) evolve(o *Order, _ Facts) {
	o.setLines(e.Lines)
	o.credit(e.Charges, false)
	waits := bySKU(e.Backordered)
	for _, l := range e.Lines {
		waits[l.SKU] += 0 // also those of which nothing waits any more
	}
	for i := len(o.Lines) - 1; i >= 0; i-- {
		l := &o.Lines[i]
		if _, touched := waits[l.SKU]; touched {
			l.Backordered = waits.use(l.SKU, l.left())
		}
	}
	o.SubtotalMicros, o.TotalMicros = e.SubtotalMicros, e.TotalMicros
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.PaymentDue = e.PaymentDueMicros > 0
	o.CoverLost = o.CoverLost && o.PaymentDue
	o.Amendment = nil
	o.reservationChanged()
}

// Stock may have reserved SKUs of lines that were not added: the order keeps them in Asked, so that it releases them.
func (e AmendmentDeclined) evolve(o *Order, _ Facts) {
	o.Short = e.Short
	if a := o.Amendment; a != nil {
		o.DeclinedAmendments = append(slices.Clip(o.DeclinedAmendments), a.Version)
		for _, l := range a.Lines {
			if int(l.Line) > len(o.Lines) && !slices.Contains(o.SKUsToRelease, l.SKU) {
				o.SKUsToRelease = append(slices.Clip(o.SKUsToRelease), l.SKU)
			}
		}
	}
	o.Amendment = nil
	o.reservationChanged()
}
