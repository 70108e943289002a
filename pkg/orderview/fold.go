// Package orderview is the view of orders: its fold (order events to what a client reads), its storage
// (Pebble, by ID, customer and status), and its queries.
//
// It reads the event schema, and knows nothing of how orders are decided.
package orderview

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Order is an order as GET /v1/orders/{id} shows it.
type Order struct {
	ID               string       `json:"order_id"`
	Kind             string       `json:"kind"` // order, imported_order, credit_note
	Version          uint64       `json:"version"`
	Status           string       `json:"status"`
	PaymentStatus    string       `json:"payment_status"`
	FulfilmentStatus string       `json:"fulfilment_status,omitempty"`
	ReturnStatus     string       `json:"return_status"`
	CustomerID       string       `json:"customer_id,omitempty"`
	Country          string       `json:"country,omitempty"`
	Reference        string       `json:"reference,omitempty"`
	Currency         string       `json:"currency"`
	Subtotal         string       `json:"subtotal"`
	Total            string       `json:"total"`
	Authorized       string       `json:"authorized"`
	Captured         string       `json:"captured"`
	Voided           string       `json:"voided"`
	Refunded         string       `json:"refunded"`
	RefundDue        string       `json:"refund_due"`
	PaymentDue       string       `json:"payment_due,omitempty"`
	PaymentDeadline  string       `json:"payment_deadline,omitempty"`
	Allocation       *Allocation  `json:"allocation,omitempty"`
	Lines            []Line       `json:"lines"`
	Fulfilments      []Fulfilment `json:"fulfilments,omitempty"`
	Returns          []Return     `json:"returns,omitempty"`
	Short            []Short      `json:"short,omitempty"`
	Timeline         []Entry      `json:"timeline"`

	totalMicros, authorized, captured, voided, refunded, refundDue int64
	// returned is what came back, exactly.
	returned      int64
	paymentFailed bool
	// costsMore: an amendment did, and not all of it is authorized.
	costsMore bool
}

// Allocation says where the order's goods come from.
type Allocation struct {
	Policy    string   `json:"policy"`
	Locations []string `json:"locations,omitempty"`
}

// Line is a line of an order, in units.
type Line struct {
	SKU         string `json:"sku"`
	Quantity    int64  `json:"quantity"`
	UnitPrice   string `json:"unit_price"`
	Amount      string `json:"amount"`
	Backordered int64  `json:"backordered,omitempty"`
	Cancelled   int64  `json:"cancelled,omitempty"`
	Shipped     int64  `json:"shipped"`
	Delivered   int64  `json:"delivered"`
	Returned    int64  `json:"returned,omitempty"`
}

// Short says why a line stood in the way of an order.
type Short struct {
	SKU       string `json:"sku"`
	Requested int64  `json:"requested"`
	Available int64  `json:"available"`
	Reason    string `json:"reason"`
}

// Entry is one event of an order's life, with what it adds.
type Entry struct {
	Type         string         `json:"type"`
	Version      uint64         `json:"version"`
	OccurredAt   time.Time      `json:"occurred_at"`
	RecordedAt   time.Time      `json:"recorded_at"`
	Cause        string         `json:"cause"`
	Amount       string         `json:"amount,omitempty"`
	Reference    string         `json:"reference,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	FulfilmentID string         `json:"fulfilment_id,omitempty"`
	ReturnID     string         `json:"return_id,omitempty"`
	Lines        []LineQuantity `json:"lines,omitempty"`
	Short        []Short        `json:"short,omitempty"`
}

// LineQuantity is a quantity of a SKU.
type LineQuantity struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// render folds an order's events, oldest first, into the answer.
func render(events []*eventv1.OrderEvent) ([]byte, error) {
	var o Order
	for _, ev := range events {
		o.apply(ev)
	}
	o.PaymentStatus, o.FulfilmentStatus, o.ReturnStatus = o.paymentStatus(), o.fulfilmentStatus(), o.returnStatus()
	o.Authorized, o.Captured, o.Voided = o.amount(o.authorized), o.amount(o.captured), o.amount(o.voided)
	o.Refunded, o.RefundDue = o.amount(o.refunded), o.amount(o.refundDue)
	if missing := o.uncovered(); o.costsMore && missing > 0 {
		o.PaymentDue = o.amount(missing)
	}
	b, err := json.Marshal(&o)
	if err != nil {
		return nil, fmt.Errorf("render order %s: %w", o.ID, err)
	}
	return b, nil
}

// apply folds one event. Unknown changes of a newer schema still stand in the timeline.
func (o *Order) apply(ev *eventv1.OrderEvent) {
	o.ID, o.Version = ev.OrderId, ev.Meta.Version
	e := Entry{
		Type: TypeOf(ev), Version: ev.Meta.Version, Cause: causes[ev.Meta.Cause],
		OccurredAt: time.UnixMicro(ev.Meta.OccurredAtMicros).UTC(), RecordedAt: time.UnixMicro(ev.Meta.RecordedAtMicros).UTC(),
	}
	if status := statusAfter(ev); status != "" {
		o.Status = status
	}
	o.fulfil(ev, e.OccurredAt)
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		o.place(c.OrderPlaced)
	case *eventv1.OrderEvent_ImportRequested:
		o.place(asked(c.ImportRequested))
		o.Kind = "imported_order"
		if c.ImportRequested.GetCreditNote() != nil {
			o.Kind = "credit_note"
		}
	case *eventv1.OrderEvent_OrderImported:
		o.place(importedOrder(c.OrderImported))
		o.Kind = "imported_order"
		for i := range o.Lines {
			o.Lines[i].Shipped = o.Lines[i].Quantity
		}
	case *eventv1.OrderEvent_CreditNoteImported:
		o.place(creditNote(c.CreditNoteImported))
		o.Kind = "credit_note"
	case *eventv1.OrderEvent_OrderBackordered:
		e.Lines = o.backorder(c.OrderBackordered.Backordered)
	case *eventv1.OrderEvent_OrderBackorderFilled:
		e.Lines = o.fill(c.OrderBackorderFilled.Filled)
	case *eventv1.OrderEvent_OrderRejected:
		o.Short = short(c.OrderRejected.Short)
		o.refundDue += c.OrderRejected.RefundDueMicros
	case *eventv1.OrderEvent_OrderCancelled:
		o.voided += c.OrderCancelled.VoidedMicros
		o.refundDue += c.OrderCancelled.RefundDueMicros
		e.Reason = c.OrderCancelled.Reason
		o.end(func(l *Line) { l.Cancelled = l.Quantity - l.Shipped })
	case *eventv1.OrderEvent_OrderExpired:
		o.voided += c.OrderExpired.VoidedMicros
		o.refundDue += c.OrderExpired.RefundDueMicros
		o.end(func(*Line) {}) // it may be wanted again, as it was
	case *eventv1.OrderEvent_LinesShipped:
		e.Lines = o.ship(c.LinesShipped.Lines)
		e.FulfilmentID, e.Reference = c.LinesShipped.FulfilmentId, c.LinesShipped.TrackingReference
	case *eventv1.OrderEvent_ShipmentReconciled:
		e.Lines = o.ship(c.ShipmentReconciled.Lines)
		e.FulfilmentID = c.ShipmentReconciled.FulfilmentId
	case *eventv1.OrderEvent_LinesDelivered:
		e.Lines = o.deliver(c.LinesDelivered.Lines)
		e.FulfilmentID = c.LinesDelivered.FulfilmentId
	case *eventv1.OrderEvent_LinesCancelled:
		e.Lines, e.Reason = o.cancel(c.LinesCancelled), c.LinesCancelled.Reason
	case *eventv1.OrderEvent_AmendmentRequested, *eventv1.OrderEvent_OrderAmended, *eventv1.OrderEvent_AmendmentDeclined:
		o.amend(ev, &e)
	case *eventv1.OrderEvent_OrderHeld:
		e.Reason = c.OrderHeld.Reason
	case *eventv1.OrderEvent_OrderResumed:
		if !c.OrderResumed.Confirmed {
			o.setDeadline(c.OrderResumed.PaymentDeadlineMicros)
		}
	case *eventv1.OrderEvent_FulfilmentCreated:
		e.FulfilmentID = c.FulfilmentCreated.FulfilmentId
		for _, l := range c.FulfilmentCreated.Lines {
			e.Lines = append(e.Lines, LineQuantity{l.Sku, l.Quantity})
		}
	case *eventv1.OrderEvent_FulfilmentCancelled:
		e.FulfilmentID, e.Reason = c.FulfilmentCancelled.FulfilmentId, c.FulfilmentCancelled.Reason
	case *eventv1.OrderEvent_ReturnRequested, *eventv1.OrderEvent_ReturnReceivedV2, *eventv1.OrderEvent_ReturnCancelled:
		o.giveBack(ev, &e)
	default:
		o.pay(ev, &e)
	}
	o.Timeline = append(o.Timeline, e)
}

// pay folds what happens to money.
func (o *Order) pay(ev *eventv1.OrderEvent, e *Entry) {
	var amount int64
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		e.Reference = c.PaymentStarted.Reference
		o.setDeadline(c.PaymentStarted.PaymentDeadlineMicros)
	case *eventv1.OrderEvent_OrderReopened:
		o.setDeadline(c.OrderReopened.PaymentDeadlineMicros)
	case *eventv1.OrderEvent_PaymentAuthorized:
		amount, e.Reference = c.PaymentAuthorized.AmountMicros, c.PaymentAuthorized.Reference
		o.authorized += amount
		o.paymentFailed = false
		o.paidUp()
	case *eventv1.OrderEvent_PaymentCaptured:
		amount, e.Reference = c.PaymentCaptured.AmountMicros, c.PaymentCaptured.Reference
		o.captured += amount
		o.voided -= c.PaymentCaptured.UnvoidedMicros
		o.refundDue += c.PaymentCaptured.RefundDueMicros
		o.paidUp()
	case *eventv1.OrderEvent_PaymentVoided:
		amount, e.Reference, e.Reason = c.PaymentVoided.AmountMicros, c.PaymentVoided.Reference, c.PaymentVoided.Reason
		o.voided += amount
	case *eventv1.OrderEvent_PaymentRefunded:
		amount, e.Reference, e.Reason = c.PaymentRefunded.AmountMicros, c.PaymentRefunded.Reference, c.PaymentRefunded.Reason
		o.refunded += amount
		o.refundDue = max(0, o.refundDue-amount)
	case *eventv1.OrderEvent_PaymentFailed:
		e.Reference, e.Reason = c.PaymentFailed.Reference, c.PaymentFailed.Reason
		o.paymentFailed = true
	}
	if amount != 0 {
		e.Amount = o.amount(amount)
	}
}

func (o *Order) setDeadline(micros int64) {
	o.PaymentDeadline = ""
	if micros != 0 {
		o.PaymentDeadline = time.UnixMicro(micros).UTC().Format(time.RFC3339)
	}
}

// asked is the past document that stock is asked for, as if it were placed.
func asked(r *eventv1.ImportRequested) *eventv1.OrderPlaced {
	if d := r.GetCreditNote(); d != nil {
		return creditNote(d)
	}
	return importedOrder(r.GetOrder())
}

func importedOrder(d *eventv1.OrderImported) *eventv1.OrderPlaced {
	return &eventv1.OrderPlaced{
		CustomerId: d.GetCustomerId(), Currency: d.GetCurrency(), Lines: d.GetLines(), SubtotalMicros: d.GetSubtotalMicros(), TotalMicros: d.GetTotalMicros(),
		Country: d.GetCountry(), Reference: d.GetReference(),
	}
}

func creditNote(d *eventv1.CreditNoteImported) *eventv1.OrderPlaced {
	return &eventv1.OrderPlaced{
		CustomerId: d.CustomerId, Currency: d.Currency, Lines: d.Lines, SubtotalMicros: d.SubtotalMicros, TotalMicros: d.TotalMicros,
		Country: d.Country, Reference: d.Reference,
	}
}

// place takes an order, or a past document that was asked for, or may have been asked for before.
func (o *Order) place(p *eventv1.OrderPlaced) {
	o.Kind, o.Lines, o.Short = "order", nil, nil
	o.CustomerID, o.Country, o.Reference, o.Currency = p.CustomerId, p.Country, p.Reference, p.Currency
	o.Subtotal, o.Total, o.totalMicros = money.Format(p.SubtotalMicros), o.amount(p.TotalMicros), p.TotalMicros
	o.setDeadline(p.PaymentDeadlineMicros)
	if p.Allocation != nil {
		o.Allocation = &Allocation{policies[p.Allocation.Policy], p.Allocation.Locations}
	}
	for _, l := range p.Lines {
		o.Lines = append(o.Lines, Line{
			SKU: l.Sku, Quantity: l.Quantity, UnitPrice: money.Format(l.UnitPriceMicros), Amount: money.Format(l.Quantity * l.UnitPriceMicros),
		})
	}
}

// amount is money to be paid, with the digits of the order's currency.
func (o *Order) amount(micros int64) string {
	if c, ok := money.Lookup(o.Currency); ok {
		return c.Format(micros)
	}
	return money.Format(micros)
}

func short(lines []*eventv1.ShortLine) (out []Short) {
	for _, s := range lines {
		reason := "insufficient_stock"
		if s.Reason == eventv1.RejectionReason_REJECTION_REASON_UNKNOWN_SKU {
			reason = "unknown_sku"
		}
		out = append(out, Short{s.Sku, s.Requested, s.Available, reason})
	}
	return out
}

// spread gives quantities to the lines of their SKUs, in order, as far as room says.
func (o *Order) spread(quantities []*eventv1.LineQuantity, room func(*Line) int64, take func(*Line, int64)) []LineQuantity {
	var out []LineQuantity
	for _, q := range quantities {
		out = append(out, LineQuantity{q.Sku, q.Quantity})
		left := q.Quantity
		for i := range o.Lines {
			if o.Lines[i].SKU == q.Sku {
				n := min(left, room(&o.Lines[i]))
				take(&o.Lines[i], n)
				left -= n
			}
		}
	}
	return out
}

// backorder gives quantities to the last lines of a SKU first; fill gives the first what has come.
func (o *Order) backorder(q []*eventv1.LineQuantity) []LineQuantity {
	slices.Reverse(o.Lines)
	defer slices.Reverse(o.Lines)
	return o.spread(q, func(l *Line) int64 { return l.left() - l.Backordered }, func(l *Line, n int64) { l.Backordered += n })
}

func (o *Order) fill(q []*eventv1.LineQuantity) []LineQuantity {
	return o.spread(q, func(l *Line) int64 { return l.Backordered }, func(l *Line, n int64) { l.Backordered -= n })
}

func (o *Order) ship(q []*eventv1.LineQuantity) []LineQuantity {
	lines := o.spread(q, (*Line).left, func(l *Line, n int64) { l.Shipped += n })
	for i := range o.Lines {
		o.Lines[i].Backordered = min(o.Lines[i].Backordered, o.Lines[i].left())
	}
	o.Status = statusShipped(o.Status, o.left())
	return lines
}

// cancel takes lines off, the last of a SKU and price first.
func (o *Order) cancel(c *eventv1.LinesCancelled) []LineQuantity {
	var out []LineQuantity
	for _, gone := range c.Lines {
		out = append(out, LineQuantity{gone.Sku, gone.Quantity})
		rest, price := gone.Quantity, money.Format(gone.UnitPriceMicros)
		for i := len(o.Lines) - 1; i >= 0 && rest > 0; i-- {
			l := &o.Lines[i]
			if l.SKU != gone.Sku || l.UnitPrice != price {
				continue
			}
			n := min(rest, l.left())
			l.Cancelled += n
			l.Backordered = max(0, l.Backordered-n)
			rest -= n
		}
	}
	o.totalMicros = c.TotalMicros
	o.Subtotal, o.Total = money.Format(c.SubtotalMicros), o.amount(c.TotalMicros)
	o.voided += c.VoidedMicros
	o.refundDue += c.RefundDueMicros
	o.paidUp()
	if o.left() == 0 {
		o.Status = statusCompleted
	}
	return out
}

// left is what is still to ship of a line.
func (l *Line) left() int64 { return l.Quantity - l.Cancelled - l.Shipped }

func (o *Order) deliver(q []*eventv1.LineQuantity) []LineQuantity {
	return o.spread(q, func(l *Line) int64 { return l.Shipped - l.Delivered }, func(l *Line, n int64) { l.Delivered += n })
}

func (o *Order) left() (left int64) {
	for i := range o.Lines {
		left += o.Lines[i].left()
	}
	return left
}

// end gives back all that has not shipped.
func (o *Order) end(give func(*Line)) {
	for i := range o.Lines {
		o.Lines[i].Backordered = 0
		give(&o.Lines[i])
	}
}

// kept is what the order costs without what came back, which is rounded once, all of it together.
func (o *Order) kept() int64 {
	returned := o.returned
	if c, ok := money.Lookup(o.Currency); ok {
		if rounded, err := c.Round(returned); err == nil {
			returned = rounded
		}
	}
	return max(0, o.totalMicros-returned)
}

// uncovered is what of it is neither paid nor held by a provider.
func (o *Order) uncovered() int64 {
	return max(0, o.kept()-(o.authorized-o.voided)+o.refunded+o.refundDue)
}

func (o *Order) paymentStatus() string {
	authorized := o.authorized - o.voided
	switch {
	case o.refunded > 0 && o.refunded >= o.captured:
		return "refunded"
	case o.refunded > 0:
		return "partially_refunded"
	case o.captured > 0 && o.captured >= o.kept():
		return "captured"
	case o.captured > 0:
		return "partially_captured"
	case o.voided > 0 && authorized == 0:
		return "voided"
	case authorized > 0 && authorized >= o.kept():
		return "authorized"
	case o.paymentFailed:
		return "failed"
	}
	return "pending"
}

// fulfilmentStatus is "" for a credit note, which has nothing to fulfil.
func (o *Order) fulfilmentStatus() string {
	if o.Kind == "credit_note" {
		return ""
	}
	var shipped, delivered int64
	for i := range o.Lines {
		shipped += o.Lines[i].Shipped
		delivered += o.Lines[i].Delivered
	}
	switch {
	case shipped == 0:
		return "unfulfilled"
	case o.left() > 0:
		return "partially_fulfilled"
	case delivered < shipped:
		return "fulfilled"
	}
	return "delivered"
}
