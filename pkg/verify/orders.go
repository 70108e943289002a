package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Kinds of what the orders' topic holds.
const (
	kindOrder      = "order"
	kindImported   = "imported order"
	kindCreditNote = "credit note"
)

// order is the naive fold of one order or document.
type order struct {
	version              uint64
	status, kind         string
	placed               id
	lines                []line // one a SKU
	subtotal, total      int64
	authorized, captured int64
	voided, refunded     int64
	refundDue            int64
	deadline             int64
	onAccount            bool
	// outcome is what stock answered first: reserved or rejected.
	outcome     string
	fulfilments map[string]fulfilment
	// returns have the units that are still to come; returned is what all that came had cost, exactly.
	returns  map[string]int64
	returned int64
	currency string
	rule     *eventv1.AllocationRule
	// amending are the lines that stock is asked about, paymentDue that what they cost more is not authorized.
	amending   []*eventv1.AmendedLine
	paymentDue bool
	// heldFrom is the status before on_hold.
	heldFrom string
	// wants is the version at which it last wanted another reservation; settled: stock has followed.
	wants     uint64
	settled   bool
	partition int32
	offset    int64
}

// line adds up an order's lines of one SKU.
type line struct {
	sku                           string
	ordered, shipped, backordered int64
	delivered, returned, damaged  int64
}

// fulfilment is one shipment.
type fulfilment struct {
	units   int64
	pending bool
	left    []underWay
}

// underWay is what of a SKU has not arrived.
type underWay struct {
	sku   string
	units int64
}

func (o *order) line(sku string) *line {
	for i := range o.lines {
		if o.lines[i].sku == sku {
			return &o.lines[i]
		}
	}
	return nil
}

// afterPlacing are all statuses of an order that is there.
var afterPlacing = []string{"placed", "reserved", "confirmed", "on_hold", "completed", "rejected", "cancelled", "expired"}

// before lists the statuses that an event may follow.
var before = map[string][]string{
	"order_placed": {""}, "import_requested": {"", "rejected"}, "order_imported": {"", "placed", "rejected"}, "credit_note_imported": {"", "placed", "rejected"},
	"order_reserved": {"placed"}, "order_backordered": {"placed"}, "order_rejected": {"placed"},
	"order_backorder_filled": {"reserved", "confirmed", "on_hold"},
	"order_held":             {"reserved", "confirmed"}, "order_resumed": {"on_hold"}, "lines_cancelled": {"reserved", "confirmed", "on_hold"},
	"amendment_requested": {"reserved", "confirmed"}, "order_amended": {"reserved", "confirmed", "on_hold"}, "amendment_declined": {"reserved", "confirmed", "on_hold"},
	"fulfilment_created": {"confirmed"}, "fulfilment_cancelled": {"confirmed", "on_hold", "completed"},
	"payment_started": {"placed", "reserved"}, "payment_authorized": afterPlacing,
	"payment_captured": afterPlacing, "payment_voided": afterPlacing, "payment_refunded": afterPlacing, "payment_failed": afterPlacing,
	"order_reopened":  {"expired"},
	"order_confirmed": {"reserved"}, "order_cancelled": {"placed", "reserved", "confirmed", "on_hold"}, "order_expired": {"placed", "reserved"},
	"lines_shipped": {"confirmed"}, "shipment_reconciled": {"placed", "reserved", "confirmed", "on_hold"}, "lines_delivered": {"confirmed", "completed", "on_hold"},
	"return_requested": {"confirmed", "completed", "on_hold"}, "return_received": {"confirmed", "completed", "on_hold"}, "return_cancelled": {"confirmed", "completed", "on_hold"},
	"reservation_settled": afterPlacing,
}

// wanting lists the events after which an order wants another reservation.
var wanting = []string{
	"order_placed", "import_requested", "order_imported", "credit_note_imported", "order_rejected", "order_confirmed",
	"order_cancelled", "order_expired", "order_reopened", "lines_cancelled", "amendment_requested", "order_amended", "amendment_declined", "lines_shipped", "shipment_reconciled", "return_received",
}

// importing lists the events of which a past document is made, ofDocuments all that it may have after the first.
var (
	importing   = []string{"import_requested", "order_imported", "credit_note_imported"}
	ofDocuments = append([]string{"reservation_settled", "order_rejected"}, importing...)
)

func (c *checker) orderRecord(rec *eventlog.Record) {
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
	schema.UpcastOrder(&ev)
	if !c.envelope(rec, ev.Meta, ev.OrderId, "/holdfast/orders", name, written) {
		return
	}
	o := c.orders[ev.OrderId]
	if o == nil {
		o = &order{partition: rec.Partition, offset: rec.Offset}
		c.orders[ev.OrderId] = o
	}
	c.check(Versions, ev.Meta.Version == o.version+1, "%s: order %s has version %d after %d", at(rec), ev.OrderId, ev.Meta.Version, o.version)
	o.version = ev.Meta.Version
	c.check(Transitions, slices.Contains(before[name], o.status), "%s: %s of order %s while it is %q", at(rec), name, ev.OrderId, o.status)
	document := o.pastDocument()
	c.check(Transitions, !document || slices.Contains(ofDocuments, name), "%s: %s of a past document", at(rec), name)
	c.check(Transitions, document || o.kind == "" || !slices.Contains(importing, name), "%s: %s of order %s, which is no past document", at(rec), name, ev.OrderId)
	if slices.Contains(wanting, name) {
		o.wants, o.settled = max(o.version, o.wants+1), false
	}
	c.check(Transitions, o.amending == nil || !slices.Contains(notWhileAmending, name), "%s: %s of order %s, which stock is asked about", at(rec), name, ev.OrderId)
	c.stillDue(rec, o, name)
	c.orderChange(rec, o, &ev)
}

func (c *checker) orderChange(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		p := ch.OrderPlaced
		o.onAccount = p.PaymentTerms == eventv1.PaymentTerms_PAYMENT_TERMS_ON_ACCOUNT
		o.deadline = p.PaymentDeadlineMicros
		c.check(Transitions, p.PaymentTerms != 0 && (!o.onAccount || o.deadline == 0), "%s: terms %v with a deadline of %d", at(rec), p.PaymentTerms, o.deadline)
		c.money(rec, p.Lines, p.Currency, p.SubtotalMicros, p.TotalMicros)
		c.open(rec, o, ev, kindOrder, "placed", p.Lines, p.TotalMicros)
		o.currency, o.subtotal, o.rule = p.Currency, p.SubtotalMicros, p.Allocation
	case *eventv1.OrderEvent_ImportRequested:
		if d := ch.ImportRequested.GetCreditNote(); d != nil {
			c.document(rec, o, ev, kindCreditNote, "placed", d)
		} else {
			c.document(rec, o, ev, kindImported, "placed", ch.ImportRequested.GetOrder())
		}
	case *eventv1.OrderEvent_OrderImported:
		c.document(rec, o, ev, kindImported, "completed", ch.OrderImported)
		for i := range o.lines {
			o.lines[i].shipped = o.lines[i].ordered
		}
	case *eventv1.OrderEvent_CreditNoteImported:
		c.document(rec, o, ev, kindCreditNote, "completed", ch.CreditNoteImported)
	case *eventv1.OrderEvent_OrderReserved:
		o.status, o.settled = "reserved", true
		o.answered("reserved")
	case *eventv1.OrderEvent_OrderBackordered:
		o.status, o.settled = "reserved", true
		o.answered("reserved")
		c.check(Transitions, len(ch.OrderBackordered.Backordered) > 0, "%s: backordered, and says nothing of what", at(rec))
		c.backordered(rec, o, ch.OrderBackordered.Backordered, 1)
	case *eventv1.OrderEvent_OrderBackorderFilled:
		c.check(Transitions, len(ch.OrderBackorderFilled.Filled) > 0, "%s: filled, and says nothing of what", at(rec))
		c.backordered(rec, o, ch.OrderBackorderFilled.Filled, -1)
	case *eventv1.OrderEvent_OrderRejected:
		o.status = "rejected"
		o.answered("rejected")
		c.check(Money, ch.OrderRejected.RefundDueMicros == o.paid(), "%s: %d are due for refund, it should be %d", at(rec), ch.OrderRejected.RefundDueMicros, o.paid())
		o.refundDue += ch.OrderRejected.RefundDueMicros
		for _, s := range ch.OrderRejected.Short {
			l := o.line(s.Sku)
			c.check(Refused, l != nil && s.Requested > 0 && s.Requested <= l.ordered, "%s: refused for %d of %s, which was not ordered", at(rec), s.Requested, s.Sku)
		}
	case *eventv1.OrderEvent_LinesShipped:
		c.shipment(rec, o, ch.LinesShipped.FulfilmentId, ch.LinesShipped.Lines)
	case *eventv1.OrderEvent_ShipmentReconciled:
		c.shipment(rec, o, ch.ShipmentReconciled.FulfilmentId, ch.ShipmentReconciled.Lines)
	case *eventv1.OrderEvent_LinesDelivered:
		c.deliver(rec, o, ch.LinesDelivered)
	case *eventv1.OrderEvent_ReservationSettled:
		// A version beyond what the order wants takes it past that, and it is sent again.
		to := ch.ReservationSettled.ReservationVersion
		o.settled = o.settled && to <= o.wants || to == o.wants
		o.wants = max(o.wants, to)
	default:
		c.changed(rec, o, ev)
	}
}

// changed follows what a shop does to an order after it was placed.
func (c *checker) changed(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderHeld:
		o.status, o.heldFrom = "on_hold", o.status
	case *eventv1.OrderEvent_OrderResumed:
		r := ch.OrderResumed
		c.check(Transitions, r.Confirmed == (o.heldFrom == "confirmed"), "%s: resumed as confirmed: %t, it was %s", at(rec), r.Confirmed, o.heldFrom)
		o.status, o.heldFrom = o.heldFrom, ""
		if !r.Confirmed {
			o.deadline = r.PaymentDeadlineMicros
		}
	case *eventv1.OrderEvent_LinesCancelled:
		c.linesCancelled(rec, o, ch.LinesCancelled)
	case *eventv1.OrderEvent_FulfilmentCreated:
		f := ch.FulfilmentCreated
		_, again := o.fulfilments[f.FulfilmentId]
		c.check(Transitions, !again && f.FulfilmentId != "" && units(f.Lines) > 0, "%s: fulfilment %q is there already, or of nothing", at(rec), f.FulfilmentId)
		o.keep(f.FulfilmentId, fulfilment{units: units(f.Lines), pending: true})
	case *eventv1.OrderEvent_FulfilmentCancelled:
		id := ch.FulfilmentCancelled.FulfilmentId
		c.check(Transitions, o.fulfilments[id].pending, "%s: fulfilment %q is not waiting to ship", at(rec), id)
		delete(o.fulfilments, id)
	default:
		c.amendment(rec, o, ev)
	}
}

func (o *order) keep(id string, f fulfilment) {
	if o.fulfilments == nil {
		o.fulfilments = map[string]fulfilment{}
	}
	o.fulfilments[id] = f
}

// linesCancelled follows quantities and money that an order goes without.
func (c *checker) linesCancelled(rec *eventlog.Record, o *order, e *eventv1.LinesCancelled) {
	c.check(Transitions, len(e.Lines) > 0, "%s: nothing was cancelled", at(rec))
	for _, gone := range e.Lines {
		l := o.line(gone.Sku)
		if l == nil {
			c.check(Transitions, false, "%s: cancelled %s, which was not ordered", at(rec), gone.Sku)
			continue
		}
		l.ordered -= gone.Quantity
		l.backordered = max(0, l.backordered-gone.Quantity) // it is given up first
		c.check(Transitions, gone.Quantity > 0 && l.ordered >= l.shipped, "%s: cancelled %d of %s, of which %d have shipped", at(rec), gone.Quantity, l.sku, l.shipped)
	}
	c.check(Money, e.TotalMicros >= 0 && e.TotalMicros <= o.total, "%s: the total goes from %d to %d", at(rec), o.total, e.TotalMicros)
	o.subtotal, o.total = e.SubtotalMicros, e.TotalMicros
	voided, due := o.setFree()
	c.check(Money, e.VoidedMicros == voided && e.RefundDueMicros == due,
		"%s: %d voided and %d due, should be %d and %d", at(rec), e.VoidedMicros, e.RefundDueMicros, voided, due)
	o.voided += e.VoidedMicros
	o.refundDue += e.RefundDueMicros
	if !slices.ContainsFunc(o.lines, func(l line) bool { return l.shipped < l.ordered }) {
		o.status = "completed"
	}
}

// answered keeps the first outcome: it is what the client was told.
func (o *order) answered(outcome string) {
	if o.outcome == "" {
		o.outcome = outcome
	}
}

// pastDocument is an order or a credit note, imported or asked for.
type pastDocument interface {
	GetLines() []*eventv1.OrderLine
	GetCurrency() string
	GetSubtotalMicros() int64
	GetTotalMicros() int64
}

func (o *order) pastDocument() bool { return o.kind == kindImported || o.kind == kindCreditNote }

// document follows a past document: the one that is imported is the one that was asked for.
func (c *checker) document(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent, kind, status string, d pastDocument) {
	c.money(rec, d.GetLines(), d.GetCurrency(), d.GetSubtotalMicros(), d.GetTotalMicros())
	if o.kind == "" {
		c.open(rec, o, ev, kind, status, d.GetLines(), d.GetTotalMicros())
		return
	}
	if o.status == "placed" {
		asked, total := o.lines, o.total
		c.lines(o, d.GetLines())
		c.check(Transitions, o.kind == kind && total == d.GetTotalMicros() && slices.EqualFunc(asked, o.lines, func(a, b line) bool { return a.sku == b.sku && a.ordered == b.ordered }),
			"%s: document %s is imported otherwise than it was asked for", at(rec), ev.OrderId)
	} else {
		c.lines(o, d.GetLines())
	}
	o.kind, o.status, o.total = kind, status, d.GetTotalMicros()
}

// open begins an order, once and for one key.
func (c *checker) open(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent, kind, status string, lines []*eventv1.OrderLine, total int64) {
	c.check(OneKey, o.kind == "", "%s: order %s is placed for a second time", at(rec), ev.OrderId)
	o.kind, o.status, o.placed, o.total = kind, status, idOf(ev.Meta.EventId), total
	c.lines(o, lines)
	c.check(Transitions, len(lines) > 0, "%s: an order without lines", at(rec))
	key := ev.Meta.IdempotencyKey
	if key == "" {
		c.check(OneKey, false, "%s: an order without its key", at(rec))
		return
	}
	other, seen := c.keys[key]
	c.check(OneKey, !seen, "%s: key %q placed %s and %s", at(rec), key, other, ev.OrderId)
	c.keys[key] = ev.OrderId
}

// lines are those of an order, by SKU.
func (c *checker) lines(o *order, lines []*eventv1.OrderLine) {
	o.lines = make([]line, 0, len(lines))
	for _, l := range lines {
		if have := o.line(l.Sku); have != nil {
			have.ordered += l.Quantity
			continue
		}
		o.lines = append(o.lines, line{sku: c.intern(l.Sku), ordered: l.Quantity})
	}
}

// intern keeps one copy of a SKU's name: an order is small beside the names of its lines.
func (c *checker) intern(sku string) string {
	if known, ok := c.skus[sku]; ok {
		return known
	}
	c.skus[sku] = sku
	return sku
}

// shipment follows one that is new, or was being packed.
func (c *checker) shipment(rec *eventlog.Record, o *order, id string, lines []*eventv1.LineQuantity) {
	packed, again := o.fulfilments[id]
	c.check(Transitions, id != "" && (!again || packed.pending && packed.units == units(lines)), "%s: shipment %q is there already", at(rec), id)
	o.keep(id, fulfilment{units: units(lines), left: c.underWay(lines)})
	c.ship(rec, o, lines)
}

func (c *checker) ship(rec *eventlog.Record, o *order, lines []*eventv1.LineQuantity) {
	c.check(Transitions, len(lines) > 0, "%s: a shipment of nothing", at(rec))
	for _, shipped := range lines {
		l := o.line(shipped.Sku)
		if l == nil {
			c.check(Transitions, false, "%s: shipped %s, which was not ordered", at(rec), shipped.Sku)
			continue
		}
		l.shipped += shipped.Quantity
		l.backordered = min(l.backordered, l.ordered-l.shipped)
		c.check(Transitions, shipped.Quantity > 0 && l.shipped <= l.ordered, "%s: shipped %d of %d ordered of %s", at(rec), l.shipped, l.ordered, l.sku)
	}
	switch {
	case !slices.ContainsFunc(o.lines, func(l line) bool { return l.shipped < l.ordered }):
		o.status = "completed"
	case o.status == "on_hold":
		o.heldFrom = "confirmed"
	default:
		o.status = "confirmed"
	}
}

// backordered follows what an order waits for.
func (c *checker) backordered(rec *eventlog.Record, o *order, lines []*eventv1.LineQuantity, sign int64) {
	for _, b := range lines {
		l := o.line(b.Sku)
		if l == nil {
			c.check(Transitions, false, "%s: waits for %s, which was not ordered", at(rec), b.Sku)
			continue
		}
		l.backordered += sign * b.Quantity
		c.check(Transitions, b.Quantity > 0 && l.backordered >= 0 && l.backordered <= l.ordered-l.shipped,
			"%s: waits for %d of %s, of which %d are to ship", at(rec), l.backordered, l.sku, l.ordered-l.shipped)
	}
}

// deliver follows what of a shipment arrives, in parts or all at once.
func (c *checker) deliver(rec *eventlog.Record, o *order, d *eventv1.LinesDelivered) {
	f, ok := o.fulfilments[d.FulfilmentId]
	c.check(Transitions, ok && !f.pending && len(d.Lines) > 0, "%s: delivered %d lines of %q, which has not shipped", at(rec), len(d.Lines), d.FulfilmentId)
	for _, q := range d.Lines {
		k := slices.IndexFunc(f.left, func(u underWay) bool { return u.sku == q.Sku })
		c.check(Transitions, k >= 0 && q.Quantity > 0 && q.Quantity <= f.left[k].units,
			"%s: delivered %d of %s in shipment %q, of which %v are on their way", at(rec), q.Quantity, q.Sku, d.FulfilmentId, f.left)
		if k >= 0 {
			f.left[k].units -= q.Quantity
		}
		if l := o.line(q.Sku); l != nil {
			l.delivered += q.Quantity
		}
	}
}

// underWay is what of a shipment has not arrived.
func (c *checker) underWay(lines []*eventv1.LineQuantity) []underWay {
	left := make([]underWay, len(lines))
	for i, l := range lines {
		left[i] = underWay{c.intern(l.Sku), l.Quantity}
	}
	return left
}

func units(lines []*eventv1.LineQuantity) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}
