package order

import "github.com/holdfast/holdfast/pkg/limits"

// VoidPayment records that a provider released an authorization. An amount of 0 means all that is left.
//
//	ORD-22  The amount is at most what is authorized and neither captured nor voided (over_void). No amount: all of it;
//	        none left: nothing_to_void. The order stays as it is.
type VoidPayment struct {
	AmountMicros      int64
	Reference, Reason string
}

// PaymentVoided says that an authorization was released.
type PaymentVoided struct {
	AmountMicros      int64
	Reference, Reason string
}

func (c VoidPayment) decide(o *Order) ([]Event, error) {
	amount, err := o.giveBack(giveBack{
		action: Voided, name: "void_payment", amount: c.AmountMicros, reference: c.Reference, reason: c.Reason,
		left: o.openAuthorization(), over: CodeOverVoid, nothing: CodeNothingToVoid,
	})
	if amount == 0 || err != nil {
		return nil, err
	}
	return []Event{PaymentVoided{AmountMicros: amount, Reference: c.Reference, Reason: c.Reason}}, nil
}

func (e PaymentVoided) evolve(o *Order, _ Facts) {
	o.VoidedMicros += e.AmountMicros
	o.recordPayment(Voided, e.Reference, e.AmountMicros)
}

// RefundPayment records that captured money went back. An amount of 0 means all that is left.
//
//	ORD-23  The amount is at most what is captured and not refunded (over_refund). No amount: all of it; none left:
//	        nothing_to_refund. It reduces what is due for refund.
type RefundPayment struct {
	AmountMicros      int64
	Reference, Reason string
}

// PaymentRefunded says that captured money went back.
type PaymentRefunded struct {
	AmountMicros      int64
	Reference, Reason string
}

func (c RefundPayment) decide(o *Order) ([]Event, error) {
	amount, err := o.giveBack(giveBack{
		action: Refunded, name: "refund_payment", amount: c.AmountMicros, reference: c.Reference, reason: c.Reason,
		left: o.CapturedMicros - o.RefundedMicros, over: CodeOverRefund, nothing: CodeNothingToRefund,
	})
	if amount == 0 || err != nil {
		return nil, err
	}
	return []Event{PaymentRefunded{AmountMicros: amount, Reference: c.Reference, Reason: c.Reason}}, nil
}

func (e PaymentRefunded) evolve(o *Order, _ Facts) {
	o.RefundedMicros += e.AmountMicros
	o.RefundDueMicros = max(0, o.RefundDueMicros-e.AmountMicros)
	o.recordPayment(Refunded, e.Reference, e.AmountMicros)
}

// giveBack is what a void and a refund have in common.
type giveBack struct {
	action            PaymentAction
	name              string
	amount            int64
	reference, reason string
	// left is how much there is to give back; over and nothing are the codes of a refusal of more, and where it is 0.
	left          int64
	over, nothing string
}

// giveBack is the amount that goes back; 0: nothing, the payment is repeated.
func (o *Order) giveBack(g giveBack) (int64, error) {
	if !o.acceptsPayments() {
		return 0, o.illegal(g.name)
	}
	if g.amount < 0 {
		return 0, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if err := checkText("reason", g.reason, limits.MaxReasonLength); err != nil {
		return 0, err
	}
	if repeat, err := o.repeated(g.action, g.reference, g.amount); repeat || err != nil {
		return 0, err
	}
	switch {
	case g.left == 0:
		return 0, o.refuseHere(g.nothing, "there is no money to give back")
	case g.amount > g.left:
		return 0, refuse(g.over, "/amount", "more than what is left would be given back")
	case g.amount == 0:
		return g.left, nil
	}
	return g.amount, nil
}

// FailPayment records that a payment did not succeed.
//
//	ORD-24  The failure is noted. The order goes on waiting.
type FailPayment struct{ Reference, Reason string }

// PaymentFailed says that a payment did not succeed.
type PaymentFailed struct{ Reference, Reason string }

func (c FailPayment) decide(o *Order) ([]Event, error) {
	if !o.acceptsPayments() {
		return nil, o.illegal("fail_payment")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	if repeat, err := o.repeated(Failed, c.Reference, 0); repeat || err != nil {
		return nil, err
	}
	return []Event{PaymentFailed(c)}, nil
}

func (e PaymentFailed) evolve(o *Order, _ Facts) {
	o.PaymentFailed = true
	o.recordPayment(Failed, e.Reference, 0)
}
