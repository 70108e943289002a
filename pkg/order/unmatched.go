package order

import "slices"

// Facts of payments may be told in any order: a capture before its authorization, a refund before its capture, a void
// before its authorization.
//
//	ORD-66  With a reference, a capture of more than was authorized, a void of more than is authorized, and a refund of
//	        more than was captured are recorded, and what is beyond waits for the other fact. A capture counts as
//	        authorized at once; a void and a refund move no money until then. Without a reference nothing could be
//	        matched: over_capture, over_void, over_refund. An authorization is matched with captures of its reference,
//	        and with others as far as it is more than the order lacks; that part was authorized already. Then it is
//	        matched with voids of its reference, and that part is voided at once. References of two providers differ
//	        (ORD-75). A capture, also that of a shipment, is matched with any refund, and so much goes back
//	        (PaymentRefunded). At most 1,000 wait (too_many_payments).

// waiting is how much of a kind of facts waits: in all, and with a reference of a provider.
func (o *Order) waiting(action PaymentAction, reference, provider string) (all, same int64) {
	for _, p := range o.Unmatched {
		if p.Action == action {
			all += p.AmountMicros
			if p.hasReference(reference, provider) {
				same += p.AmountMicros
			}
		}
	}
	return all, same
}

// hasReference: the fact has the reference, and may be of the provider.
func (p Payment) hasReference(reference, provider string) bool {
	return p.Reference == reference && mayShareProvider(p.Provider, provider)
}

// withEarlyRefund adds to events, which end with a capture, that so much of what was refunded before goes back
// (ORD-66), and that the order loses its cover by it (ORD-65).
func (o *Order) withEarlyRefund(events []Event, captured Payment, deadlineMicros int64) []Event {
	waiting, _ := o.waiting(Refunded, captured.Reference, captured.Provider)
	if waiting == 0 {
		return events
	}
	after, refunded := o.after(events), min(waiting, captured.AmountMicros)
	ev := after.refunded(refunded, false)
	ev.Reference, ev.Provider, ev.MatchedMicros = captured.Reference, captured.Provider, refunded
	return o.withCover(append(events, ev), deadlineMicros)
}

// checkUnmatched applies ORD-66 to an amount that is beyond what the order knows of. over is the code of a refusal.
func (o *Order) checkUnmatched(amountMicros int64, reference, over string) error {
	switch {
	case amountMicros == 0:
		return nil
	case reference == "":
		return refuse(over, "/amount", "more than what the order knows of; with the provider's reference it is kept until "+
			"the other fact is told")
	case len(o.Unmatched) >= MaxPayments:
		return o.refuseHere(CodeTooManyPayments, "at most 1000 payments of an order wait for others")
	}
	return nil
}

// keepUnmatched keeps a fact that waits.
func (o *Order) keepUnmatched(action PaymentAction, reference, provider string, amountMicros int64) {
	if amountMicros > 0 {
		unmatched := append(make([]Payment, 0, len(o.Unmatched)+1), o.Unmatched...)
		o.Unmatched = append(unmatched, Payment{
			Action: action, Reference: reference, AmountMicros: amountMicros, Provider: provider,
		})
	}
}

// match takes an amount off the facts that wait: those with the provider's reference first, then the oldest.
func (o *Order) match(action PaymentAction, reference, provider string, amountMicros int64) {
	if amountMicros == 0 {
		return
	}
	o.Unmatched = slices.Clone(o.Unmatched)
	for _, same := range []bool{true, false} {
		for i := range o.Unmatched {
			if p := &o.Unmatched[i]; p.Action == action && p.hasReference(reference, provider) == same {
				n := min(p.AmountMicros, amountMicros)
				p.AmountMicros -= n
				amountMicros -= n
			}
		}
	}
	o.Unmatched = slices.DeleteFunc(o.Unmatched, func(p Payment) bool { return p.AmountMicros == 0 })
	if len(o.Unmatched) == 0 {
		o.Unmatched = nil
	}
}
