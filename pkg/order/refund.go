package order

import "github.com/holdfast/holdfast/pkg/limits"

// VoidPayment records that a provider released an authorization. An amount of 0 means all that is left.
//
//	ORD-22  No amount: all that is authorized and neither captured nor voided; none left: nothing_to_void. What is beyond
//	        that waits, or is refused (ORD-66). The order stays where it is, but see ORD-65.
type VoidPayment struct {
	AmountMicros                                 int64
	Reference, ProviderEventID, Reason, Provider string
	// DeadlineMicros is how long the order then waits for its payment, if it is not covered.
	DeadlineMicros int64
}

// PaymentVoided says that an authorization was released. UnmatchedMicros more wait for theirs (ORD-66).
type PaymentVoided struct {
	AmountMicros                                 int64
	Reference, ProviderEventID, Reason, Provider string
	UnmatchedMicros                              int64
}

func (c VoidPayment) decide(o *Order) ([]Event, error) {
	amount, unmatched, known, err := o.giveBack(giveBack{
		told: Payment{Voided, c.Reference, c.AmountMicros, c.ProviderEventID, c.Provider},
		name: "void_payment", reason: c.Reason,
		left: o.openAuthorization(), over: CodeOverVoid, nothing: CodeNothingToVoid,
	})
	if amount+unmatched == 0 || err != nil {
		return known, err
	}
	events := append(make([]Event, 0, 2), PaymentVoided{
		AmountMicros: amount, Reference: c.Reference, ProviderEventID: c.ProviderEventID, Provider: c.Provider,
		Reason:          c.Reason,
		UnmatchedMicros: unmatched,
	})
	return o.withCover(events, c.DeadlineMicros), nil
}

func (e PaymentVoided) evolve(o *Order, _ Facts) {
	o.VoidedMicros += e.AmountMicros
	o.keepUnmatched(Voided, e.Reference, e.Provider, e.UnmatchedMicros)
	o.recordPayment(Payment{Voided, e.Reference, e.AmountMicros + e.UnmatchedMicros, e.ProviderEventID, e.Provider})
}

// RefundPayment records that captured money went back. An amount of 0 means all that is left.
//
//	ORD-23  No amount: all that is captured and not refunded; none left: nothing_to_refund. What is beyond that waits, or
//	        is refused (ORD-66). A refund out of goodwill takes nothing off what is due, as long as something else was
//	        paid, and lowers what the customer has to pay. Any other is first of what is due; then goodwill, up to the
//	        price of what has shipped and did not come back, with the goodwill of before; the rest is money that covered
//	        the order (ORD-65).
type RefundPayment struct {
	AmountMicros                                 int64
	Reference, ProviderEventID, Reason, Provider string
	// Goodwill: the refund is a present, whatever is due.
	Goodwill bool
	// DeadlineMicros is how long the order then waits for its payment, if it is not covered.
	DeadlineMicros int64
}

// PaymentRefunded says that captured money went back, GoodwillMicros of it out of goodwill. UnmatchedMicros more wait
// for their capture. MatchedMicros of the amount have waited for this one (ORD-66).
type PaymentRefunded struct {
	AmountMicros                                 int64
	Reference, ProviderEventID, Reason, Provider string
	GoodwillMicros                               int64
	UnmatchedMicros, MatchedMicros               int64
}

func (c RefundPayment) decide(o *Order) ([]Event, error) {
	amount, unmatched, known, err := o.giveBack(giveBack{
		told: Payment{Refunded, c.Reference, c.AmountMicros, c.ProviderEventID, c.Provider},
		name: "refund_payment", reason: c.Reason,
		left: o.CapturedMicros - o.RefundedMicros, over: CodeOverRefund, nothing: CodeNothingToRefund,
	})
	if amount+unmatched == 0 || err != nil {
		return known, err
	}
	ev := o.refunded(amount, c.Goodwill)
	ev.Reference, ev.ProviderEventID, ev.Provider = c.Reference, c.ProviderEventID, c.Provider
	ev.Reason, ev.UnmatchedMicros = c.Reason, unmatched
	return o.withCover(append(make([]Event, 0, 2), ev), c.DeadlineMicros), nil
}

// refunded is a refund of captured money, with what of it is goodwill.
func (o *Order) refunded(amountMicros int64, goodwill bool) PaymentRefunded {
	ev := PaymentRefunded{AmountMicros: amountMicros}
	if goodwill {
		ev.GoodwillMicros = min(amountMicros, o.paid())
		return ev
	}
	beyondDue := max(0, amountMicros-o.RefundDueMicros)
	ev.GoodwillMicros = min(beyondDue, max(0, o.shippedWorth()-o.GoodwillMicros))
	return ev
}

func (e PaymentRefunded) evolve(o *Order, _ Facts) {
	o.RefundedMicros += e.AmountMicros
	o.GoodwillMicros += e.GoodwillMicros
	o.RefundDueMicros = max(0, o.RefundDueMicros-(e.AmountMicros-e.GoodwillMicros))
	if e.MatchedMicros > 0 {
		o.match(Refunded, e.Reference, e.Provider, e.MatchedMicros)
		return
	}
	o.keepUnmatched(Refunded, e.Reference, e.Provider, e.UnmatchedMicros)
	o.recordPayment(Payment{Refunded, e.Reference, e.AmountMicros + e.UnmatchedMicros, e.ProviderEventID, e.Provider})
}

// giveBack is what a void and a refund have in common.
type giveBack struct {
	told         Payment
	name, reason string
	// left is how much there is to give back. over is the code of a refusal of more without a reference, nothing where it
	// is 0, and no amount was told.
	left          int64
	over, nothing string
}

// giveBack is the amount that goes back, and what is told beyond it (ORD-66). Both are 0 where the order has the
// payment already; known are the events of that.
func (o *Order) giveBack(g giveBack) (amount, unmatched int64, known []Event, err error) {
	if !o.acceptsPayments() {
		return 0, 0, nil, o.illegal(g.name)
	}
	told := g.told.AmountMicros
	if told != 0 {
		if err := o.checkAmount(told); err != nil {
			return 0, 0, nil, err
		}
	}
	if err := checkText("reason", g.reason, limits.MaxReasonLength); err != nil {
		return 0, 0, nil, err
	}
	if had, events, err := o.alreadyHas(o.withAmountLeft(g)); had || err != nil {
		return 0, 0, events, err
	}
	switch {
	case told == 0 && g.left == 0:
		return 0, 0, nil, o.refuseHere(g.nothing, "there is no money to give back")
	case told == 0:
		return g.left, 0, nil, nil
	}
	amount = min(told, g.left)
	return amount, told - amount, nil, o.checkUnmatched(told-amount, g.told.Reference, g.over)
}

// withAmountLeft is what is told, with an amount for the comparison with payments that have no ID (ORD-67). One that is
// told by its ID alone keeps none: the amount is that of the first time.
func (o *Order) withAmountLeft(g giveBack) Payment {
	told := g.told
	if told.AmountMicros == 0 && told.ProviderEventID != "" && !o.hasID(told) {
		told.AmountMicros = g.left
	}
	return told
}

// FailPayment records that a payment did not succeed.
//
//	ORD-24  The failure is noted. The order goes on waiting.
type FailPayment struct{ Reference, ProviderEventID, Reason, Provider string }

// PaymentFailed says that a payment did not succeed.
type PaymentFailed struct{ Reference, ProviderEventID, Reason, Provider string }

func (c FailPayment) decide(o *Order) ([]Event, error) {
	if !o.acceptsPayments() {
		return nil, o.illegal("fail_payment")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	told := Payment{Failed, c.Reference, 0, c.ProviderEventID, c.Provider}
	if had, events, err := o.alreadyHas(told); had || err != nil {
		return events, err
	}
	return []Event{PaymentFailed(c)}, nil
}

func (e PaymentFailed) evolve(o *Order, _ Facts) {
	o.PaymentFailed = true
	o.recordPayment(Payment{Failed, e.Reference, 0, e.ProviderEventID, e.Provider})
}
