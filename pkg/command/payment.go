package command

import "github.com/holdfast/holdfast/pkg/order"

func (d *decoding) paymentCommand() order.Command {
	switch d.typ {
	case StartPayment:
		var b startPaymentBody
		if !d.read(&b) {
			return nil
		}
		d.action(b.Action, "start")
		return order.StartPayment{Reference: d.reference(b.Reference), DeadlineMicros: d.paymentDeadline()}
	case AuthorizePayment:
		amount, reference := d.payment("authorize")
		return order.AuthorizePayment{AmountMicros: amount, Reference: reference, DeadlineMicros: d.paymentDeadline()}
	case CapturePayment:
		amount, reference := d.payment("capture")
		return order.CapturePayment{AmountMicros: amount, Reference: reference}
	case VoidPayment:
		amount, reference, reason := d.giveBack("void")
		return order.VoidPayment{AmountMicros: amount, Reference: reference, Reason: reason}
	case RefundPayment:
		amount, reference, reason := d.giveBack("refund")
		return order.RefundPayment{AmountMicros: amount, Reference: reference, Reason: reason}
	default: // FailPayment: orderCommand sends no other
		var b failPaymentBody
		if !d.read(&b) {
			return nil
		}
		d.action(b.Action, "fail")
		return order.FailPayment{Reference: d.reference(b.Reference), Reason: d.text("/reason", b.Reason, MaxReasonBytes)}
	}
}

// action checks the action, which may stand beside a command that says the same.
func (d *decoding) action(got, want string) {
	if got != "" && got != want {
		d.fault(CodeBadAction, "/action", "must be "+want+" in this command")
	}
}

func (d *decoding) reference(s string) string { return d.text("/reference", s, MaxReferenceBytes) }

// paymentReference is the provider's for a capture with a shipment.
func (d *decoding) paymentReference(b *captureBody) string {
	if b.PaymentReference != "" && !b.Capture {
		d.invalid("/payment_reference", "names a capture: set capture, or leave it out")
	}
	return d.text("/payment_reference", b.PaymentReference, MaxReferenceBytes)
}

func (d *decoding) payment(action string) (amountMicros int64, reference string) {
	var b paymentBody
	if !d.read(&b) {
		return 0, ""
	}
	d.action(b.Action, action)
	return d.positive(b.Amount), d.reference(b.Reference)
}

func (d *decoding) giveBack(action string) (amountMicros int64, reference, reason string) {
	var b giveBackBody
	if !d.read(&b) {
		return 0, "", ""
	}
	d.action(b.Action, action)
	if b.Amount != nil {
		amountMicros = d.positive(*b.Amount)
	}
	return amountMicros, d.reference(b.Reference), d.text("/reason", b.Reason, MaxReasonBytes)
}

// positive is an amount of more than 0.
func (d *decoding) positive(s string) int64 {
	before := len(d.faults)
	amount := d.amount("/amount", s)
	if amount == 0 && len(d.faults) == before {
		d.fault(order.CodeInvalidAmount, "/amount", "must be more than 0")
	}
	return amount
}
