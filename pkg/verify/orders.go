package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Kinds of what the topic of orders has.
const (
	kindOrder      = "order"
	kindImported   = "imported order"
	kindCreditNote = "credit note"
)

// order is the naive fold of one order or past document. Amounts are in micro-units.
type order struct {
	version      uint64
	status, kind string
	placed       id     // of the event that placed it
	lines        []line // one for each SKU
	// costs is what the order costs, without what was cancelled.
	costs costs
	// numbered are the lines by their numbers, from 1; nil where an event of before ORD-69 did not name one.
	numbered             []numberedLine
	subtotal, total      int64
	authorized, captured int64
	voided, refunded     int64
	refundDue, goodwill  int64
	// What was told before what it follows from, and waits (I10).
	earlyCaptured, earlyVoided, earlyRefunded int64
	providerEvents                            []providerEvent
	// unidentified counts the payments with a reference and without an ID of the provider, by what they are.
	unidentified [7]int64
	deadline     int64
	onAccount    bool
	// outcome is what stock answered first: reserved or rejected. The client was told that.
	outcome     string
	fulfilments map[string]fulfilment // by ID
	// returns has the units that are still to come back, by return ID.
	returns  map[string]int64
	currency string
	rule     *eventv1.AllocationRule
	// amending is an amendment that stock has not answered. paymentDue says that an amendment raised the
	// total, or cover was lost, and that not all is authorized.
	amending   *eventv1.AmendmentRequestedV2
	paymentDue bool
	// coverLost says that the order waits for what is due until its deadline. Orders that were amended before there was
	// cover_lost have a payment due without it.
	coverLost bool
	// requested is a hash of a past document: it is imported as it was asked for.
	requested uint64
	// statusBeforeHold is the status of an order on hold before it was put on hold.
	statusBeforeHold string
	// wantedVersion is the order's version at which its wanted reservation last changed. settled: stock has followed.
	wantedVersion uint64
	settled       bool
	partition     int32
	offset        int64
}

// line adds up an order's lines of one SKU.
type line struct {
	sku                           string
	ordered, shipped, backordered int64
	delivered, returned, damaged  int64
	// undelivered had left and did not arrive. Of it, undeliveredDamaged came back damaged, and lost did not come back.
	undelivered, undeliveredDamaged, lost int64
	// reversed had left in shipments that were taken back.
	reversed int64
}

func (o *order) line(sku string) *line {
	for i := range o.lines {
		if o.lines[i].sku == sku {
			return &o.lines[i]
		}
	}
	return nil
}

// allShipped reports whether nothing is left to ship.
func (o *order) allShipped() bool {
	return !slices.ContainsFunc(o.lines, func(l line) bool { return l.shipped < l.ordered })
}

// foldOrder folds a record of the topic of orders.
func (c *checker) foldOrder(rec *eventlog.Record) {
	var ev eventv1.OrderEvent
	err := ev.UnmarshalVT(rec.Value)
	name, written := schema.Name(&ev)
	if err == nil && name == "" {
		err = schema.Newer(rec.Value)
	}
	if err != nil {
		c.check(Envelope, false, "%s: %v", at(rec), err)
		return
	}
	schema.UpgradeOrder(&ev)
	if !c.checkEnvelope(rec, ev.Meta, ev.OrderId, "/holdfast/orders", name, written) {
		return
	}
	account := c.accountOf(ev.OrderId)
	if account.order == nil {
		account.order = &order{partition: rec.Partition, offset: rec.Offset}
	}
	o := account.order
	c.check(Versions, ev.Meta.Version == o.version+1,
		"%s: order %s has version %d after %d", at(rec), ev.OrderId, ev.Meta.Version, o.version)
	o.version = ev.Meta.Version
	c.checkTransition(rec, o, ev.OrderId, name)
	if slices.Contains(changesWanted, name) {
		o.wantedVersion, o.settled = max(o.version, o.wantedVersion+1), false
	}
	c.checkCover(rec, o, &ev, name, written)
	c.check(Money, !o.refundsWait() || ev.GetPaymentRefundedV3().GetMatchedMicros() > 0,
		"%s: %s before %d refunded went back, with %d of %d captured not refunded",
		at(rec), name, o.earlyRefunded, o.captured-o.refunded, o.captured)
	c.foldOrderChange(rec, o, &ev)
}

// checkTransition checks that the event may follow the order's status (I12).
func (c *checker) checkTransition(rec *eventlog.Record, o *order, id, name string) {
	c.check(Transitions, slices.Contains(statusesBefore[name], o.status),
		"%s: %s of order %s while it is %q", at(rec), name, id, o.status)
	document := o.pastDocument()
	c.check(Transitions, !document || slices.Contains(documentMayHave, name), "%s: %s of a past document", at(rec), name)
	c.check(Transitions, document || o.kind == "" || !slices.Contains(documentEvents, name),
		"%s: %s of order %s, which is no past document", at(rec), name, id)
	c.check(Transitions, o.amending == nil || !slices.Contains(notWhileAmending, name),
		"%s: %s of order %s, which stock is asked about", at(rec), name, id)
}

// foldOrderChange folds how an order begins and what stock answers; foldLaterChange and what it calls the other events.
func (c *checker) foldOrderChange(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2:
		p := ch.OrderPlacedV2
		o.onAccount = p.PaymentTerms == eventv1.PaymentTerms_PAYMENT_TERMS_ON_ACCOUNT
		o.deadline = p.PaymentDeadlineMicros
		c.check(Transitions, p.PaymentTerms != 0 && (!o.onAccount || o.deadline == 0),
			"%s: terms %v with a deadline of %d", at(rec), p.PaymentTerms, o.deadline)
		c.beginOrder(rec, o, ev, kindOrder, "placed", p.Lines, p.TotalMicros)
		o.currency, o.rule = p.Currency, p.Allocation
		c.foldPrices(rec, o, p)
	case *eventv1.OrderEvent_ImportRequestedV2:
		if d := ch.ImportRequestedV2.GetCreditNote(); d != nil {
			c.foldDocument(rec, o, ev, kindCreditNote, "placed", d)
		} else {
			c.foldDocument(rec, o, ev, kindImported, "placed", ch.ImportRequestedV2.GetOrder())
		}
	case *eventv1.OrderEvent_OrderImportedV2:
		c.foldDocument(rec, o, ev, kindImported, "completed", ch.OrderImportedV2)
		for i := range o.lines {
			o.lines[i].shipped = o.lines[i].ordered
		}
	case *eventv1.OrderEvent_CreditNoteImportedV2:
		c.foldDocument(rec, o, ev, kindCreditNote, "completed", ch.CreditNoteImportedV2)
	case *eventv1.OrderEvent_OrderReserved:
		o.status, o.settled = "reserved", true
		o.setOutcome("reserved")
	case *eventv1.OrderEvent_OrderBackordered:
		o.status, o.settled = "reserved", true
		o.setOutcome("reserved")
		c.check(Transitions, len(ch.OrderBackordered.Backordered) > 0, "%s: backordered, and says nothing of what", at(rec))
		c.foldBackordered(rec, o, ch.OrderBackordered.Backordered, 1)
	case *eventv1.OrderEvent_OrderBackorderFilled:
		c.check(Transitions, len(ch.OrderBackorderFilled.Filled) > 0, "%s: filled, and says nothing of what", at(rec))
		c.foldBackordered(rec, o, ch.OrderBackorderFilled.Filled, -1)
	case *eventv1.OrderEvent_OrderFellShort:
		c.check(Transitions, len(ch.OrderFellShort.Backordered) > 0, "%s: fell short, and says nothing of what", at(rec))
		c.foldBackordered(rec, o, ch.OrderFellShort.Backordered, 1)
	case *eventv1.OrderEvent_OrderRejected:
		c.foldRejected(rec, o, ch.OrderRejected)
	case *eventv1.OrderEvent_ReservationSettled:
		// A version beyond the wanted one raises that, and the order's shard sends its step again.
		to := ch.ReservationSettled.ReservationVersion
		o.settled = o.settled && to <= o.wantedVersion || to == o.wantedVersion
		o.wantedVersion = max(o.wantedVersion, to)
	default:
		c.foldLaterChange(rec, o, ev)
	}
}

// foldLaterChange folds what changes an order after it was placed.
func (c *checker) foldLaterChange(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderHeld:
		o.status, o.statusBeforeHold = "on_hold", o.status
	case *eventv1.OrderEvent_OrderResumed:
		r := ch.OrderResumed
		c.check(Transitions, r.Confirmed == (o.statusBeforeHold == "confirmed"),
			"%s: resumed as confirmed: %t, it was %s", at(rec), r.Confirmed, o.statusBeforeHold)
		o.status, o.statusBeforeHold = o.statusBeforeHold, ""
		if !r.Confirmed || r.PaymentDeadlineMicros > 0 {
			o.deadline = r.PaymentDeadlineMicros
		}
	case *eventv1.OrderEvent_LinesCancelledV2:
		c.checkCancelledByTimer(rec, o, ev)
		c.foldLinesCancelled(rec, o, ch.LinesCancelledV2)
	case *eventv1.OrderEvent_LinesShippedV2, *eventv1.OrderEvent_ShipmentReconciledV2,
		*eventv1.OrderEvent_LinesDeliveredV2, *eventv1.OrderEvent_DeliveryFailed,
		*eventv1.OrderEvent_ShipmentReversed, *eventv1.OrderEvent_DeliveryReversed,
		*eventv1.OrderEvent_FulfilmentCreatedV2, *eventv1.OrderEvent_FulfilmentCancelled:
		c.foldFulfilment(rec, o, ev)
	case *eventv1.OrderEvent_AmendmentRequestedV2, *eventv1.OrderEvent_OrderAmendedV2,
		*eventv1.OrderEvent_AmendmentDeclined:
		c.foldAmendment(rec, o, ev)
	case *eventv1.OrderEvent_ReturnRequestedV2, *eventv1.OrderEvent_ReturnReceivedV3,
		*eventv1.OrderEvent_ReturnCancelledV2:
		c.foldReturn(rec, o, ev)
	default:
		c.foldPayment(rec, o, ev)
	}
}

// beginOrder begins an order or a past document. Each has a key of its own (I4).
func (c *checker) beginOrder(
	rec *eventlog.Record, o *order, ev *eventv1.OrderEvent, kind, status string, lines []*eventv1.OrderLine, total int64,
) {
	c.check(OneKey, o.kind == "", "%s: order %s is placed for a second time", at(rec), ev.OrderId)
	o.kind, o.status, o.placed, o.total = kind, status, idOf(ev.Meta.EventId), total
	c.setLines(o, lines)
	if kind == kindOrder {
		o.numbered = c.numberedLines(lines)
	}
	c.check(Transitions, len(lines) > 0, "%s: an order without lines", at(rec))
	key := ev.Meta.IdempotencyKey
	if key == "" {
		c.check(OneKey, false, "%s: an order without its key", at(rec))
		return
	}
	c.checkGoods(rec, ev, kind, lines)
	other, seen := c.keys.place(key, ev.OrderId)
	if seen && c.placedByReuse(ev.OrderId, kind, other) {
		c.reuse("%s: key %q placed %s and, with another body, %s", at(rec), key, other, ev.OrderId)
		seen = false
	}
	c.check(OneKey, !seen, "%s: key %q placed %s and %s", at(rec), key, other, ev.OrderId)
}

// setLines adds up an order's lines by SKU.
func (c *checker) setLines(o *order, lines []*eventv1.OrderLine) {
	o.lines = make([]line, 0, len(lines))
	for _, l := range lines {
		if same := o.line(l.Sku); same != nil {
			same.ordered += l.Quantity
			continue
		}
		o.lines = append(o.lines, line{sku: c.intern(l.Sku), ordered: l.Quantity})
	}
}

// intern returns the one copy of a SKU's name that is kept. The names of an order's lines would need more memory than
// the order.
func (c *checker) intern(sku string) string {
	if name, ok := c.skuNames[sku]; ok {
		return name
	}
	c.skuNames[sku] = sku
	return sku
}

// setOutcome keeps the first outcome.
func (o *order) setOutcome(outcome string) {
	if o.outcome == "" {
		o.outcome = outcome
	}
}

func (c *checker) foldRejected(rec *eventlog.Record, o *order, e *eventv1.OrderRejected) {
	o.status = "rejected"
	o.setOutcome("rejected")
	c.check(Money, e.RefundDueMicros == o.paid(),
		"%s: %d are due for refund, it should be %d", at(rec), e.RefundDueMicros, o.paid())
	o.refundDue += e.RefundDueMicros
	for _, s := range e.Short {
		l := o.line(s.Sku)
		c.check(Refused, l != nil && s.Requested > 0 && s.Requested <= l.ordered,
			"%s: refused for %d of %s, which was not ordered", at(rec), s.Requested, s.Sku)
	}
}

// foldLinesCancelled folds quantities that are cancelled, and money that is not needed for them any more.
func (c *checker) foldLinesCancelled(rec *eventlog.Record, o *order, e *eventv1.LinesCancelledV2) {
	c.check(Transitions, len(e.Lines)+len(e.Charges) > 0, "%s: nothing was cancelled", at(rec))
	for _, cancelled := range e.Lines {
		n := c.named(rec, o, cancelled.Line, cancelled.Sku)
		if n != nil {
			c.checkShares(rec, n, cancelled.Quantity, cancelled.DiscountMicros, cancelled.TaxMicros)
			n.ordered -= cancelled.Quantity
			n.discount -= cancelled.DiscountMicros
			n.tax -= cancelled.TaxMicros
			c.checkNumbered(rec, n, cancelled.UnitPriceMicros)
		}
		o.subtotal -= cancelled.Quantity * cancelled.UnitPriceMicros
		o.costs.addLine(cancelled.Line, -cancelled.Quantity*cancelled.UnitPriceMicros, -cancelled.DiscountMicros,
			-cancelled.TaxMicros)
		l := o.line(cancelled.Sku)
		if l == nil {
			c.check(Transitions, false, "%s: cancelled %s, which was not ordered", at(rec), cancelled.Sku)
			continue
		}
		l.ordered -= cancelled.Quantity
		o.dropBackordered(l, n, cancelled.Quantity)
		c.check(Transitions, cancelled.Quantity > 0 && l.ordered >= l.shipped,
			"%s: cancelled %d of %s, of which %d have shipped", at(rec), cancelled.Quantity, l.sku, l.shipped)
	}
	o.credit(e.Charges, false)
	c.check(Money, e.TotalMicros >= 0 && e.TotalMicros <= o.total,
		"%s: the total goes from %d to %d", at(rec), o.total, e.TotalMicros)
	c.checkCosts(rec, o, e.SubtotalMicros, e.TotalMicros)
	c.foldExcess(rec, o, e.VoidedMicros, e.RefundDueMicros)
	if o.allShipped() {
		o.status = "completed"
	}
}

// foldBackordered folds what an order waits for; sign is -1 for what has come.
func (c *checker) foldBackordered(rec *eventlog.Record, o *order, lines []*eventv1.LineQuantity, sign int64) {
	for _, b := range lines {
		l := o.line(b.Sku)
		if l == nil {
			c.check(Transitions, false, "%s: waits for %s, which was not ordered", at(rec), b.Sku)
			continue
		}
		l.backordered += sign * b.Quantity
		if sign > 0 {
			o.wait(l.sku, b.Quantity)
		} else {
			o.arrive(l.sku, b.Quantity)
		}
		c.check(Transitions, b.Quantity > 0 && l.backordered >= 0 && l.backordered <= l.ordered-l.shipped,
			"%s: waits for %d of %s, of which %d are to ship", at(rec), l.backordered, l.sku, l.ordered-l.shipped)
	}
}
