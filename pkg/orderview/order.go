package orderview

import (
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Order is an order, or a past document, as GET /v1/orders/{id} shows it.
type Order struct {
	ID               string       `json:"order_id"`
	Number           uint64       `json:"number"`  // of the place where the order begins in the log
	Kind             string       `json:"kind"`    // order, imported_order, credit_note
	Version          uint64       `json:"version"` // of the last entry of Timeline
	Status           string       `json:"status"`
	PaymentStatus    string       `json:"payment_status"`
	FulfilmentStatus string       `json:"fulfilment_status,omitempty"`
	ReturnStatus     string       `json:"return_status"`
	CustomerID       string       `json:"customer_id,omitempty"`
	Country          string       `json:"country,omitempty"`
	Reference        string       `json:"reference,omitempty"`
	Currency         string       `json:"currency"`
	Subtotal         string       `json:"subtotal"`
	DiscountTotal    string       `json:"discount_total,omitempty"` // absent, with the next two, where there is nothing
	ChargeTotal      string       `json:"charge_total,omitempty"`
	TaxTotal         string       `json:"tax_total,omitempty"`
	Total            string       `json:"total"`
	TaxesIncluded    bool         `json:"taxes_included,omitempty"`
	Rounding         string       `json:"rounding,omitempty"` // line; absent: by order
	Charges          []Charge     `json:"charges,omitempty"`
	Discounts        []Discount   `json:"discounts,omitempty"`
	Authorized       string       `json:"authorized"`
	Captured         string       `json:"captured"`
	Voided           string       `json:"voided"`
	Refunded         string       `json:"refunded"`
	RefundDue        string       `json:"refund_due"`
	RefundDueFor     *DueFor      `json:"refund_due_for,omitempty"`
	Goodwill         string       `json:"goodwill,omitempty"`
	PaymentDue       string       `json:"payment_due,omitempty"`
	Unmatched        []Unmatched  `json:"unmatched,omitempty"`
	PaymentDeadline  string       `json:"payment_deadline,omitempty"`
	Allocation       *Allocation  `json:"allocation,omitempty"`
	Metadata         Metadata     `json:"metadata,omitempty"`
	Lines            []Line       `json:"lines"`
	Fulfilments      []Fulfilment `json:"fulfilments,omitempty"`
	Returns          []Return     `json:"returns,omitempty"`
	Short            []Short      `json:"short,omitempty"`
	Timeline         []Entry      `json:"timeline"`

	// What the fold needs beside what is shown; amounts in micro-units.
	totalMicros, authorized, captured, voided, refunded, goodwill int64
	due                                                           due
	deadline                                                      time.Time
	// discount, charge and tax are the sums of what is not cancelled.
	discount, charge, tax int64
	// returned is the price of all goods that came back, not rounded. returnedCost is what they had cost, rounded, where
	// an event says it: those from before lines had numbers do not, and were of goods that cost their prices.
	returned, returnedCost int64
	paymentFailed          bool
	// underpaid is set when more is due than is authorized, by an amendment or a loss of money, until it is authorized.
	underpaid bool
}

// Allocation says where the order's goods come from.
type Allocation struct {
	Policy    string   `json:"policy"`
	Locations []string `json:"locations,omitempty"`
}

// Metadata is what a client keeps with the order, by name.
type Metadata map[string]string

// Line is a line of an order, in units. Number is its place in the order, from 1.
type Line struct {
	Number      uint32 `json:"line"`
	SKU         string `json:"sku"`
	Quantity    int64  `json:"quantity"`
	UnitPrice   string `json:"unit_price"`
	Amount      string `json:"amount"`
	Backordered int64  `json:"backordered,omitempty"`
	Cancelled   int64  `json:"cancelled,omitempty"`
	Shipped     int64  `json:"shipped"`
	Delivered   int64  `json:"delivered"`
	// Undelivered had left and did not arrive: it is in Shipped no more. Lost is the portion of it that did not come back.
	Undelivered int64 `json:"undelivered,omitempty"`
	Lost        int64 `json:"lost,omitempty"`
	Returned    int64 `json:"returned,omitempty"`
	// Discounts and Taxes are as they were ordered. Discount and Tax are their sums, for what is not cancelled, with the
	// line's share of the order's discounts.
	Discounts     []Discount `json:"discounts,omitempty"`
	OrderDiscount string     `json:"order_discount,omitempty"`
	Taxes         []Tax      `json:"taxes,omitempty"`
	Discount      string     `json:"discount,omitempty"`
	Tax           string     `json:"tax,omitempty"`
	Metadata      Metadata   `json:"metadata,omitempty"`

	discount, tax int64
}

// Fulfilment is a shipment, or one that is being packed. An imported order has none: it shipped before this platform
// knew it, and its lines alone say what was shipped.
type Fulfilment struct {
	ID     string `json:"fulfilment_id"`
	Status string `json:"status"` // pending, shipped, partially_delivered, delivered, failed, reversed, cancelled
	// TrackingReference is the carrier's.
	TrackingReference string           `json:"tracking_reference,omitempty"`
	ShippedAt         *time.Time       `json:"shipped_at,omitempty"`
	DeliveredAt       *time.Time       `json:"delivered_at,omitempty"` // of the last delivery, where that is known
	Reason            string           `json:"reason,omitempty"`       // why it was cancelled, failed, or was taken back
	Lines             []FulfilmentLine `json:"lines"`
}

// FulfilmentLine is what a fulfilment has of a SKU, in units.
type FulfilmentLine struct {
	Line      uint32 `json:"line,omitempty"` // of the order; absent in shipments from before lines had numbers
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	Delivered int64  `json:"delivered"`
	// Undelivered did not arrive.
	Undelivered int64 `json:"undelivered,omitempty"`
}

// Return is goods that a customer sends back.
type Return struct {
	ID     string       `json:"return_id"`
	Status string       `json:"status"` // requested, partially_received, received, cancelled
	Reason string       `json:"reason,omitempty"`
	Lines  []ReturnLine `json:"lines"`
}

// ReturnLine is what a return has of a SKU, in units. Damaged is included in Received.
type ReturnLine struct {
	Line     uint32 `json:"line,omitempty"` // of the order; absent in returns from before lines had numbers
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
	Received int64  `json:"received"`
	Damaged  int64  `json:"damaged,omitempty"`
}

// Short says of which SKU there was too little for an order or an amendment, and why.
type Short struct {
	SKU       string `json:"sku"`
	Requested int64  `json:"requested"`
	Available int64  `json:"available"`
	Reason    string `json:"reason"`
}

// Entry is one event in the order's timeline. Members that an event does not have are left out.
type Entry struct {
	Type       string     `json:"type"`
	Version    uint64     `json:"version"`
	OccurredAt time.Time  `json:"occurred_at"`
	RecordedAt time.Time  `json:"recorded_at"`
	Cause      string     `json:"cause"`
	Principal  *Principal `json:"principal,omitempty"`
	Amount     string     `json:"amount,omitempty"`
	Reference  string     `json:"reference,omitempty"`
	// Provider is the payment provider's name.
	Provider string `json:"provider,omitempty"`
	// ProviderEventID is the payment provider's ID of this very fact.
	ProviderEventID string `json:"provider_event_id,omitempty"`
	// PaymentAction is what the payment is whose ID became known: authorized, captured, voided, refunded or failed.
	PaymentAction string         `json:"payment_action,omitempty"`
	Reason        string         `json:"reason,omitempty"`
	FulfilmentID  string         `json:"fulfilment_id,omitempty"`
	ReturnID      string         `json:"return_id,omitempty"`
	Lines         []LineQuantity `json:"lines,omitempty"`
	Short         []Short        `json:"short,omitempty"`
}

// Principal is who asked for the command of an event.
type Principal struct {
	Name string `json:"name"`
	// Verified: Holdfast has proved it. Otherwise it is what the client said.
	Verified bool `json:"verified"`
}

// LineQuantity is a quantity of a line, or of a SKU.
type LineQuantity struct {
	Line     uint32 `json:"line,omitempty"`
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
	// Condition is that of goods that did not arrive.
	Condition string `json:"condition,omitempty"`
}

// place begins an order or a past document. A document begins again when it is imported after it was requested, and
// when it comes again after it was refused.
func (o *Order) place(p *eventv1.OrderPlacedV2) {
	o.Kind, o.Lines, o.Short = "order", nil, nil
	o.CustomerID, o.Country, o.Reference, o.Currency = p.CustomerId, p.Country, p.Reference, p.Currency
	o.setTotals(p.SubtotalMicros, p.TotalMicros)
	o.setDeadline(p.PaymentDeadlineMicros)
	if p.Allocation != nil {
		o.Allocation = &Allocation{schema.AllocationPolicies.Word(p.Allocation.Policy), p.Allocation.Locations}
	}
	o.Metadata = metadataOf(p.Metadata)
	o.price(p)
	for i, l := range p.Lines {
		line := Line{
			Number: uint32(i) + 1, SKU: l.Sku, Quantity: l.Quantity,
			UnitPrice: o.amount(l.UnitPriceMicros), Amount: o.amount(l.Quantity * l.UnitPriceMicros),
		}
		o.priceLine(&line, l)
		o.Lines = append(o.Lines, line)
	}
}

func metadataOf(entries []*eventv1.MetadataEntry) Metadata {
	if len(entries) == 0 {
		return nil
	}
	m := make(Metadata, len(entries))
	for _, e := range entries {
		m[e.Key] = e.Value
	}
	return m
}

// placedBy is the order or the past document that an event begins or begins again, as if it had been placed; nil for
// another event.
func placedBy(ev *eventv1.OrderEvent) *eventv1.OrderPlacedV2 {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2:
		return c.OrderPlacedV2
	case *eventv1.OrderEvent_OrderImportedV2:
		return schema.AsPlaced(c.OrderImportedV2)
	case *eventv1.OrderEvent_CreditNoteImportedV2:
		return schema.AsPlaced(c.CreditNoteImportedV2)
	case *eventv1.OrderEvent_ImportRequestedV2:
		return schema.AsPlaced(schema.Requested(c.ImportRequestedV2))
	}
	return nil
}
