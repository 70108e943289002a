package order

import "slices"

// Evolve returns the state after an event; it never fails on what Decide produced and does not change its argument.
// It sets Version+1, PlacedEventID from f.EventID on the first of OrderPlaced, ImportRequested and DocumentImported, and ReservationVersion = the new Version (Settled=false)
// on every event that changes what Wanted returns: OrderPlaced, ImportRequested, DocumentImported, OrderRejected,
// OrderConfirmed, OrderCancelled, OrderExpired, OrderReopened, LinesCancelled, AmendmentRequested, OrderAmended,
// AmendmentDeclined, LinesShipped, ShipmentReconciled and ReturnReceived.
// OccurredAtMicros is that of the first event, of a past document its own. ID is the state's key: whoever keeps the state sets it.
func Evolve(o Order, ev Event, f Facts) Order {
	o.Version++
	switch e := ev.(type) {
	case OrderPlaced:
		o.evolvePlaced(e, f)
	case DocumentImported:
		o.evolveImported(e, f)
	case ImportRequested:
		o.evolveDocument(e.Document, f)
	case OrderReserved:
		o.Lifecycle, o.Settled = Reserved, true
	case OrderBackordered:
		o.Lifecycle, o.Settled = Reserved, true
		o.evolveBackordered(e)
	case OrderBackorderFilled:
		o.evolveBackorderFilled(e)
	case OrderRejected:
		o.Lifecycle, o.Short = Rejected, e.Short
		o.RefundDueMicros += e.RefundDueMicros
		o.wantChanged()
	case OrderConfirmed:
		o.Lifecycle = Confirmed
		o.wantChanged()
	case OrderCancelled:
		o.VoidedMicros += e.VoidedMicros
		o.RefundDueMicros += e.RefundDueMicros
		o.evolveEnded(Cancelled)
	case OrderExpired:
		o.VoidedMicros += e.VoidedMicros
		o.RefundDueMicros += e.RefundDueMicros
		o.evolveEnded(Expired)
	case LinesShipped:
		o.keepFulfilment(Fulfilment{ID: e.FulfilmentID, Lines: e.Lines})
		o.evolveShipped(e.Lines)
	case FulfilmentCreated:
		o.keepFulfilment(Fulfilment{ID: e.FulfilmentID, Lines: e.Lines, Pending: true})
	case FulfilmentCancelled:
		o.dropFulfilment(func(f Fulfilment) bool { return f.ID == e.FulfilmentID })
	case LinesCancelled:
		o.evolveLinesCancelled(e)
	case AmendmentRequested:
		o.evolveRequested(e)
	case OrderAmended:
		o.evolveAmended(e)
	case AmendmentDeclined:
		o.evolveDeclined(e)
	case OrderHeld:
		o.Lifecycle, o.HeldFrom = OnHold, o.Lifecycle
	case OrderResumed:
		o.evolveResumed(e)
	case ShipmentReconciled:
		if e.FulfilmentID != "" { // none in events of before they had one
			o.keepFulfilment(Fulfilment{ID: e.FulfilmentID, Lines: e.Lines})
		}
		o.evolveShipped(e.Lines)
	case LinesDelivered:
		o.evolveDelivered(e)
	case ReturnRequested:
		o.evolveReturn(e.ReturnID, func(r *Return) {
			for _, l := range e.Lines {
				r.line(l.SKU).Quantity += l.Quantity
			}
		})
	case ReturnReceived:
		o.evolveReturned(e)
	case ReturnCancelled:
		o.evolveReturn(e.ReturnID, func(r *Return) {
			for _, l := range e.Lines {
				r.line(l.SKU).Quantity -= l.Quantity
			}
		})
	case ReservationSettled:
		o.evolveSettled(e)
	case OrderReopened:
		o.Lifecycle, o.PaymentDeadlineMicros = Placed, e.PaymentDeadlineMicros
		o.wantChanged()
	default:
		o.evolvePayment(ev)
	}
	return o
}

func (o *Order) evolveResumed(e OrderResumed) {
	o.Lifecycle, o.HeldFrom = Confirmed, None
	if !e.Confirmed {
		o.Lifecycle, o.PaymentDeadlineMicros = Reserved, e.PaymentDeadlineMicros
	}
}

// keepFulfilment adds a fulfilment, or puts it in the place of the one that it was.
func (o *Order) keepFulfilment(f Fulfilment) {
	fulfilments := append(make([]Fulfilment, 0, len(o.Fulfilments)+1), o.Fulfilments...)
	if i := o.fulfilment(f.ID); i >= 0 {
		fulfilments[i] = f
	} else {
		fulfilments = append(fulfilments, f)
	}
	o.Fulfilments = fulfilments
}

func (o *Order) evolvePayment(ev Event) {
	switch e := ev.(type) {
	case PaymentStarted:
		o.PaymentDeadlineMicros = e.PaymentDeadlineMicros
		o.PaymentStarts++
		o.remember(Started, e.Reference, 0)
	case PaymentAuthorized:
		o.AuthorizedMicros += e.AmountMicros
		o.PaymentFailed = false
		o.paidUp()
		o.remember(Authorized, e.Reference, e.AmountMicros)
	case PaymentCaptured:
		o.CapturedMicros += e.AmountMicros
		o.VoidedMicros -= e.UnvoidedMicros
		o.RefundDueMicros += e.RefundDueMicros
		o.paidUp()
		o.remember(Captured, e.Reference, e.AmountMicros)
	case PaymentVoided:
		o.VoidedMicros += e.AmountMicros
		o.remember(Voided, e.Reference, e.AmountMicros)
	case PaymentRefunded:
		o.RefundedMicros += e.AmountMicros
		o.RefundDueMicros = max(0, o.RefundDueMicros-e.AmountMicros)
		o.remember(Refunded, e.Reference, e.AmountMicros)
	case PaymentFailed:
		o.PaymentFailed = true
		o.remember(Failed, e.Reference, 0)
	}
}

// wantChanged notes that the order wants another reservation from this version on.
func (o *Order) wantChanged() {
	o.ReservationVersion, o.Settled = max(o.Version, o.ReservationVersion+1), false
}

// evolveSettled notes that stock has answered the newest step; or, when stock was found to have seen a
// newer step than the order knows of, takes the order past it, so that what it wants can be sent again.
func (o *Order) evolveSettled(e ReservationSettled) {
	if e.ReservationVersion > o.ReservationVersion {
		o.ReservationVersion, o.Settled = e.ReservationVersion, false
		return
	}
	o.Settled = o.Settled || e.ReservationVersion == o.ReservationVersion
}

func (o *Order) evolvePlaced(e OrderPlaced, f Facts) {
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
	o.wantChanged()
}

// evolveDocument takes a past document, which is placed until it is imported. One that was asked for stays the same to
// stock: of whatever lines it had before, that may still hold something.
func (o *Order) evolveDocument(e DocumentImported, f Facts) {
	for i := range o.Lines {
		sku := o.Lines[i].SKU
		if !slices.ContainsFunc(e.Lines, func(l PlaceLine) bool { return l.SKU == sku }) && !slices.Contains(o.Asked, sku) {
			o.Asked = append(slices.Clip(o.Asked), sku)
		}
	}
	if o.Lifecycle != None {
		f.EventID = o.PlacedEventID
	}
	o.evolvePlaced(OrderPlaced{
		CustomerID: e.CustomerID, Currency: e.Currency, Lines: e.Lines,
		SubtotalMicros: e.SubtotalMicros, TotalMicros: e.TotalMicros,
		Terms: OnAccount, Country: e.Country, Reference: e.Reference,
	}, f)
	o.Kind, o.Short = e.Kind, nil
}

func (o *Order) evolveImported(e DocumentImported, f Facts) {
	o.evolveDocument(e, f)
	o.Lifecycle = Completed
	if e.Kind == KindImportedOrder {
		for i := range o.Lines {
			o.Lines[i].Shipped = o.Lines[i].Quantity
		}
	}
}

// evolveBackordered notes what waits for stock: the last lines of a SKU wait first.
func (o *Order) evolveBackordered(e OrderBackordered) {
	o.Lines = slices.Clone(o.Lines)
	left := quantities(e.Backordered)
	for i := len(o.Lines) - 1; i >= 0; i-- {
		line := &o.Lines[i]
		line.Backordered += left.take(line.SKU, line.left()-line.Backordered)
	}
}

// evolveBackorderFilled notes what has come: the first lines of a SKU get it first.
func (o *Order) evolveBackorderFilled(e OrderBackorderFilled) {
	o.Lines = slices.Clone(o.Lines)
	left := quantities(e.Filled)
	for i := range o.Lines {
		line := &o.Lines[i]
		line.Backordered -= left.take(line.SKU, line.Backordered)
	}
}

// evolveEnded gives back all that has not shipped. An expired order may be wanted again, as it was.
func (o *Order) evolveEnded(end Lifecycle) {
	o.Lifecycle, o.HeldFrom = end, None
	o.dropFulfilment(func(f Fulfilment) bool { return f.Pending })
	o.Lines = slices.Clone(o.Lines)
	for i := range o.Lines {
		if end == Cancelled {
			o.Lines[i].Cancelled = o.Lines[i].Quantity - o.Lines[i].Shipped
		}
		o.Lines[i].Backordered = 0
	}
	o.wantChanged()
}

// evolveShipped spreads what shipped over the lines of each SKU, in their order; what was backordered
// comes last.
func (o *Order) evolveShipped(shipped []LineQuantity) {
	o.Lines = slices.Clone(o.Lines)
	left := quantities(shipped)
	for i := range o.Lines {
		line := &o.Lines[i]
		line.Shipped += left.take(line.SKU, line.left()-line.Backordered)
	}
	rest := false
	for i := range o.Lines {
		line := &o.Lines[i]
		line.Shipped += left.take(line.SKU, line.left())
		line.Backordered = min(line.Backordered, line.left())
		rest = rest || line.left() > 0
	}
	switch {
	case !rest:
		o.Lifecycle, o.HeldFrom = Completed, None
	case o.Lifecycle == OnHold:
		o.HeldFrom = Confirmed
	default:
		o.Lifecycle = Confirmed
	}
	o.wantChanged()
}

func (o *Order) evolveDelivered(e LinesDelivered) {
	o.Lines = slices.Clone(o.Lines)
	left := quantities(e.Lines)
	for i := range o.Lines {
		line := &o.Lines[i]
		line.Delivered += left.take(line.SKU, line.Shipped-line.Delivered)
	}
	if i := o.fulfilment(e.FulfilmentID); i >= 0 {
		o.Fulfilments = slices.Clone(o.Fulfilments)
		o.Fulfilments[i].arrive(e.Lines)
	}
}

// leftBySKU is what is still to be spread over lines.
type leftBySKU map[string]int64

func quantities(lines []LineQuantity) leftBySKU {
	left := make(leftBySKU, len(lines))
	for _, l := range lines {
		left[l.SKU] += l.Quantity
	}
	return left
}

// take takes at most limit of what is left of a SKU.
func (l leftBySKU) take(sku string, limit int64) int64 {
	taken := max(0, min(l[sku], limit))
	if taken > 0 {
		l[sku] -= taken
	}
	return taken
}
