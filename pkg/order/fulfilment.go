package order

import (
	"slices"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Fulfilment is one shipment: Pending until it leaves, Delivered once all of it has arrived.
type Fulfilment struct {
	ID                 string
	Lines              []LineQuantity
	Pending, Delivered bool
	// Arrived is what has been delivered of a shipment that has not arrived in full.
	Arrived []LineQuantity
	// Failed: something of it did not arrive. Reversed: it was taken back, and has no lines any more.
	Failed, Reversed bool
	// ReservationVersion is the order's ReservationVersion that it left with: stock knows by it what left where.
	ReservationVersion uint64
}

// CreateFulfilment allocates lines to a shipment that is being packed. No lines: all that can ship.
//
//	ORD-30  Lines and ID are chosen as ORD-14 and ORD-15 say. Nothing else ships or cancels these lines.
type CreateFulfilment struct {
	FulfilmentID string
	Lines        []LineQuantity
}

// FulfilmentCreated says that the lines are being packed.
type FulfilmentCreated struct {
	FulfilmentID string
	Lines        []LineQuantity
}

func (c CreateFulfilment) decide(o *Order) ([]Event, error) {
	if o.Kind != KindOrder || o.Lifecycle != Confirmed {
		return nil, o.illegal("create_fulfilment")
	}
	if err := o.checkMayShip(); err != nil {
		return nil, err
	}
	if err := o.checkNewFulfilment(c.FulfilmentID); err != nil {
		return nil, err
	}
	lines, err := o.linesToShip(c.Lines, true)
	if err != nil {
		return nil, err
	}
	return []Event{FulfilmentCreated{FulfilmentID: c.FulfilmentID, Lines: lines}}, nil
}

func (e FulfilmentCreated) evolve(o *Order, _ Facts) {
	o.keepFulfilment(Fulfilment{ID: e.FulfilmentID, Lines: o.shippable().takeAll(e.Lines), Pending: true})
}

// ShipFulfilment records that a fulfilment left.
//
//	ORD-31  The fulfilment has not shipped (unknown_fulfilment, fulfilment_shipped). It ships as Ship does, and not with
//	        units that have become backordered since it was packed (backordered), but for a BackorderedReason.
type ShipFulfilment struct {
	FulfilmentID      string
	TrackingReference string
	Capture           bool
	PaymentReference  string
	ProviderEventID   string
	Provider          string
	UncoveredReason   string
	BackorderedReason string
	DeadlineMicros    int64 // as for Ship
}

func (c ShipFulfilment) decide(o *Order) ([]Event, error) {
	if o.Kind != KindOrder || o.Lifecycle != Confirmed {
		return nil, o.illegal("ship_fulfilment")
	}
	reason, err := o.checkCover(c.UncoveredReason)
	if err != nil {
		return nil, err
	}
	if err := checkText("tracking_reference", c.TrackingReference, limits.MaxReferenceLength); err != nil {
		return nil, err
	}
	f, err := o.pendingFulfilment(c.FulfilmentID)
	if err != nil {
		return nil, err
	}
	if err := checkText("backordered_reason", c.BackorderedReason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	if c.BackorderedReason == "" && o.backorderedAmong(f.Lines) {
		return nil, o.refuseHere(CodeBackordered, "part of this fulfilment is missing in stock, and waits for more to come")
	}
	shipped := LinesShipped{c.FulfilmentID, slices.Clone(f.Lines), c.TrackingReference, reason, c.BackorderedReason}
	return o.shipped(shipped, Ship{
		Capture: c.Capture, PaymentReference: c.PaymentReference, ProviderEventID: c.ProviderEventID,
		Provider: c.Provider, DeadlineMicros: c.DeadlineMicros,
	})
}

// CancelFulfilment gives up a fulfilment that has not left.
//
//	ORD-32  Its lines may ship otherwise. The end of an order cancels its fulfilments that have not shipped.
type CancelFulfilment struct{ FulfilmentID, Reason string }

// FulfilmentCancelled says that the fulfilment does not ship.
type FulfilmentCancelled struct{ FulfilmentID, Reason string }

func (c CancelFulfilment) decide(o *Order) ([]Event, error) {
	if o.Kind != KindOrder || (o.offHold() != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("cancel_fulfilment")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	if _, err := o.pendingFulfilment(c.FulfilmentID); err != nil {
		return nil, err
	}
	return []Event{FulfilmentCancelled(c)}, nil
}

func (e FulfilmentCancelled) evolve(o *Order, _ Facts) {
	o.dropFulfilments(func(f Fulfilment) bool { return f.ID == e.FulfilmentID })
}

// checkNewFulfilment applies ORD-15.
func (o *Order) checkNewFulfilment(id string) error {
	switch {
	case id == "" || len(id) > limits.MaxFulfilmentBytes || !utf8.ValidString(id):
		return refuse(CodeInvalidFulfilmentID, "/fulfilment_id", "a fulfilment's ID is 1 to 64 bytes of UTF-8")
	case len(o.Fulfilments) >= MaxFulfilments:
		return o.refuseHere(CodeTooManyFulfilments, "an order has at most 1000 fulfilments")
	case o.findFulfilment(id) >= 0:
		return refuse(CodeFulfilmentExists, "/fulfilment_id", "the order has a fulfilment of this ID")
	}
	return nil
}

// pendingFulfilment finds a fulfilment that has not shipped.
func (o *Order) pendingFulfilment(id string) (*Fulfilment, error) {
	i := o.findFulfilment(id)
	if i < 0 {
		return nil, refuse(CodeUnknownFulfilment, "/fulfilment_id", "the order has no fulfilment of this ID")
	}
	if !o.Fulfilments[i].Pending {
		return nil, o.refuseHere(CodeFulfilmentShipped, "the fulfilment has shipped")
	}
	return &o.Fulfilments[i], nil
}

// findFulfilment returns the index of a fulfilment, or -1.
func (o *Order) findFulfilment(id string) int {
	return slices.IndexFunc(o.Fulfilments, func(f Fulfilment) bool { return f.ID == id })
}

// packing is what the fulfilments that have not shipped have of each line, by number.
func (o *Order) packing() map[int32]int64 {
	packing := map[int32]int64{}
	for _, f := range o.Fulfilments {
		if f.Pending {
			for _, l := range f.Lines {
				packing[l.Line] += l.Quantity
			}
		}
	}
	return packing
}

// keepFulfilment adds a fulfilment, or replaces the one of its ID.
func (o *Order) keepFulfilment(f Fulfilment) {
	fulfilments := append(make([]Fulfilment, 0, len(o.Fulfilments)+1), o.Fulfilments...)
	if i := o.findFulfilment(f.ID); i >= 0 {
		fulfilments[i] = f
	} else {
		fulfilments = append(fulfilments, f)
	}
	o.Fulfilments = fulfilments
}

// dropFulfilments removes fulfilments that will not ship.
func (o *Order) dropFulfilments(gone func(Fulfilment) bool) {
	o.Fulfilments = slices.DeleteFunc(slices.Clone(o.Fulfilments), gone)
}
