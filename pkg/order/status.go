package order

// PaymentStatus is one of not_required, pending, authorized, partially_captured, captured, partially_refunded,
// refunded, voided, failed. It is pending until the total, without what came back, is authorized, and not_required
// where the total is 0. Money that is due for refund counts as captured until it has gone back.
func (o Order) PaymentStatus() string {
	switch {
	case o.RefundedMicros > 0 && o.RefundedMicros >= o.CapturedMicros:
		return "refunded"
	case o.RefundedMicros > 0:
		return "partially_refunded"
	case o.CapturedMicros > 0 && o.CapturedMicros >= o.keptOf(o.TotalMicros):
		return "captured"
	case o.CapturedMicros > 0:
		return "partially_captured"
	case o.VoidedMicros > 0 && o.openAuthorization() == 0:
		return "voided"
	case o.authorized() > 0 && o.authorized() >= o.keptOf(o.TotalMicros):
		return "authorized"
	case o.TotalMicros == 0:
		return "not_required"
	case o.PaymentFailed:
		return "failed"
	}
	return "pending"
}

// FulfilmentStatus is one of unfulfilled, partially_fulfilled, fulfilled, delivered; "" for a credit note, which has
// nothing to fulfil.
func (o Order) FulfilmentStatus() string {
	if o.Kind == KindCreditNote {
		return ""
	}
	var left, shipped, delivered int64
	for i := range o.Lines {
		left += o.Lines[i].left()
		shipped += o.Lines[i].Shipped
		delivered += o.Lines[i].Delivered
	}
	switch {
	case shipped == 0:
		return "unfulfilled"
	case left > 0:
		return "partially_fulfilled"
	case delivered < shipped:
		return "fulfilled"
	}
	return "delivered"
}

// ReturnStatus is one of none, requested, partially_received, received. What was cancelled does not count.
func (o Order) ReturnStatus() string {
	var quantity, received int64
	for _, r := range o.Returns {
		for _, l := range r.Lines {
			quantity += l.Quantity
			received += l.Received
		}
	}
	switch {
	case quantity == 0:
		return "none"
	case received == 0:
		return "requested"
	case received < quantity:
		return "partially_received"
	}
	return "received"
}
