package order

// Facts are what an event's envelope adds to its change.
type Facts struct {
	EventID          ID
	OccurredAtMicros int64
}

// Decide says what a command does to an order. A refusal is an *Error; it writes nothing.
//
// What may follow what. "·" is illegal_transition, "–" writes nothing and is no error; a past
// document is Completed, or Placed while stock is asked for it, and takes RecordReservation only; once Rejected,
// ImportDocument again:
//
//	                   none      placed     reserved   confirmed  completed  rejected, cancelled, expired
//	Place              placed    already_placed everywhere else
//	ImportDocument     completed⁹ already_placed everywhere else, but for a document that was rejected
//	RecordReservation  –         reserved¹  settled²   settled²   settled²   settled²
//	RecordBackorder    –         –          yes⁷       yes⁷       –          –
//	StartPayment       ·         yes        yes        ·          ·          ·
//	AuthorizePayment   ·         yes        confirmed³ yes        yes        voided, or placed⁶
//	CapturePayment     ·         yes        yes        yes        yes        yes
//	VoidPayment        ·         yes        yes        yes        yes        yes
//	RefundPayment      ·         yes        yes        yes        yes        yes
//	FailPayment        ·         yes        yes        yes        yes        yes
//	Confirm            ·         ·          confirmed  ·          ·          ·
//	Hold               ·         ·          on_hold    on_hold    ·          ·
//	CancelLines        ·         ·          yes³       completed⁵ ·          ·
//	Amend              ·         ·          yes³ ⁸     yes⁸       ·          ·
//	CreateFulfilment   ·         ·          ·          yes        ·          ·
//	ShipFulfilment     ·         ·          ·          completed⁵ ·          ·
//	CancelFulfilment   ·         ·          ·          yes        ·          ·
//	Cancel             ·         cancelled  cancelled  cancelled⁴ already_shipped ·
//	Ship               ·         ·          ·          completed⁵ nothing_to_ship ·
//	Deliver            ·         ·          ·          yes        yes        ·
//	RequestReturn      ·         ·          ·          yes        yes        ·
//	ReceiveReturn      ·         ·          ·          yes        yes        ·
//	CancelReturn       ·         ·          ·          yes        yes        ·
//	Expire             –         expired    expired    –          –          –
//	ReconcileShipment  ·         confirmed⁵ confirmed⁵ completed⁵ ·          ·
//
//	¹ or rejected; goes on to confirmed on account, and when there is nothing to pay
//	² ReservationSettled, once for each ReservationVersion; see ORD-9 for stock that was lost
//	³ once the total is authorized  ⁴ unless something has shipped  ⁵ completed once everything has shipped
//	⁶ expired, and the total is authorized at once  ⁷ OrderBackorderFilled, when less is backordered than before
//	⁸ AmendmentRequested; RecordReservation then makes it OrderAmended or AmendmentDeclined
//	⁹ or placed, where stock is asked first: RecordReservation then makes it completed or rejected
//
// An order on hold takes Resume, and of what it took before: CancelLines, CancelFulfilment, Cancel, Deliver, returns,
// payments but for StartPayment, RecordReservation, RecordBackorder and ReconcileShipment. A payment that the order has
// already writes nothing anywhere (ORD-21).
//
// The rules:
//
//	decide.go  ORD-1 to ORD-33, ORD-40 to ORD-42, ORD-50 to ORD-63
//
//	ORD-1   Place and ImportDocument need an order that does not exist yet: already_placed.
//	ORD-2   1 to 2,000 lines (invalid_lines), each with a SKU (invalid_sku), 1 to 1e9 units
//	        (invalid_quantity) and a price of 0 or more (invalid_price). Several lines may have one SKU.
//	ORD-3   The currency is one of ISO 4217 (unknown_currency); texts have limits (invalid_…); terms are prepaid (the
//	        default) or on account (invalid_terms); on account has no payment deadline.
//	ORD-4   The subtotal is exact (amount_overflow); the total is the subtotal rounded once to the minor
//	        unit, half to even. A total that the client expects must be that one: total_mismatch.
//	ORD-5   RecordReservation counts only for the order's own ReservationVersion, and once.
//	ORD-6   From placed, one rejected SKU rejects the order. Short has those that are insufficient or
//	        unknown, not those that were refused for their sake.
//	ORD-7   From placed, answers that cover all that is wanted reserve the order: OrderBackordered when part
//	        of it is backordered, else OrderReserved. Answers that do not cover it, without a rejection, are none.
//	ORD-8   On account, or with nothing to pay, OrderConfirmed follows in the same decision.
//	ORD-9   Stock that rejects what an order has already ends it, wherever that stock is: cancelled from reserved, or from
//	        confirmed with nothing shipped, on hold too. Only stock that has lost a step does so. Answers that do not cover such an order,
//	        without a rejection, are none: stock remembers another step, and is asked anew.
//	ORD-10  AuthorizePayment: more than 0 (invalid_amount), at most what is kept (ORD-61) and neither paid nor authorized
//	        (over_authorization). From reserved, OrderConfirmed follows once the total is authorized; before, and from
//	        placed, PaymentStarted, while ORD-20 allows it. A placed order is confirmed with stock's answer.
//	ORD-11  CapturePayment: more than 0 (invalid_amount), all captures at most what was ever authorized (over_capture). What
//	        the order had voided of it is voided no more; what is paid then beyond what is kept is due for refund (ORD-61).
//	        From reserved, OrderConfirmed follows when that covers the total.
//	ORD-12  Confirm needs the total authorized, or terms on account: payment_required.
//	ORD-13  Cancel: nothing has shipped (already_shipped). What is authorized and not captured is voided,
//	        what is captured is due for refund.
//	ORD-14  Ship: each SKU at most what is left to ship (over_shipment), without the backordered part
//	        (backordered), 1 unit or more (invalid_quantity). No lines: all that can ship; none left: nothing_to_ship.
//	ORD-15  A shipment has an ID of its own (invalid_fulfilment_id, fulfilment_exists), and an order at most 1,000
//	        (too_many_fulfilments).
//	ORD-16  Deliver names a shipment (unknown_fulfilment) that is not delivered yet (already_delivered), and at most what
//	        of it has not arrived (over_delivery); no lines: all of that. Delivered is a shipment that has arrived in
//	        full, and an order of which everything has shipped and arrived.
//	ORD-17  Expire ends a prepaid order that is placed or reserved once AtMicros reaches its deadline;
//	        what was authorized is voided, what is paid is due for refund.
//	ORD-18  ImportDocument: an imported order has shipped in full, a credit note gives its lines back to
//	        stock (invalid_kind otherwise). ORD-2 to ORD-4 hold.
//	ORD-19  ReconcileShipment ships what stock has fulfilled, backordered or not, at most what is left
//	        (over_shipment); no lines: nothing_to_ship. The order becomes confirmed, or completed; one on hold stays so until
//	        all has shipped. It is the fulfilment that is being packed of just these lines, or else a shipment of its own
//	        (an ID that begins with "reconciled-"), for which fulfilments that can no longer ship are cancelled, the newest first.
//	ORD-20  StartPayment moves the deadline of an order that waits for its payment; never back, and at most 10 times
//	        (too_many_payments).
//	ORD-21  A payment whose provider's reference the order has for the same action is the same payment, whoever tells of
//	        it, and wherever the order stands by then: nothing is written. With another amount: payment_reference_reused. At
//	        most 1,000 have one (too_many_payments).
//	ORD-22  VoidPayment: at most what is authorized and neither captured nor voided (over_void); no amount: all of it;
//	        none left: nothing_to_void. The order stands.
//	ORD-23  RefundPayment: at most what is captured and not refunded (over_refund); no amount: all of it; none left:
//	        nothing_to_refund. It counts against what a cancellation made due.
//	ORD-24  FailPayment is noted; the order waits on.
//	ORD-25  A payment that comes too late: an expired order is placed again when its total is authorized at once, and
//	        asks stock anew; confirmed when that has it, and rejected, the payment voided, when not. Less than the
//	        total, and payments of cancelled and rejected orders, or of expired ones that money was captured of, are voided
//	        at once (PaymentVoided).
//	ORD-26  Ship with Capture takes the price of what ships, rounded as ORD-4 does, at most what is authorized; with
//	        the last shipment all that is; never more than is kept and not paid (ORD-61). A PaymentReference that the order
//	        has a capture of already takes nothing (ORD-21). A prepaid order that is not paid and has nothing authorized:
//	        nothing_to_capture.
//	ORD-27  Hold stops an order that is reserved or confirmed: stock stays held, nothing ships, no deadline ends it.
//	ORD-28  Resume takes it back to where it was. A payment deadline moves to the command's, if later; OrderConfirmed
//	        follows when the total was authorized meanwhile.
//	ORD-29  CancelLines: at most what has not shipped and is in no fulfilment (over_cancellation), from the last line of
//	        a SKU on, and what is backordered first. Not all of an order of which nothing has shipped
//	        (nothing_would_be_left). The total is that of the rest, as ORD-4 makes it; what is authorized beyond it is
//	        voided, what is captured beyond it is due for refund. OrderConfirmed follows when that pays the order.
//	ORD-30  CreateFulfilment sets lines aside as ORD-14 and ORD-15 choose them; nothing else ships or cancels them.
//	ORD-31  ShipFulfilment ships a fulfilment that has not shipped (unknown_fulfilment, fulfilment_shipped), as Ship does.
//	ORD-32  CancelFulfilment gives its lines free again. The end of an order cancels its fulfilments that have not shipped.
//	ORD-33  RecordBackorder counts only for the order's own ReservationVersion. What is backordered only falls:
//	        less of it is OrderBackorderFilled, more of it an older message. An answer to a later step
//	        (RecordReservation) tells the same.
//	ORD-40  RequestReturn: at most what has been delivered, has not come back and is not asked back (over_return);
//	        no lines: all of that; none left: nothing_to_return. A return has an ID of its own (invalid_return_id,
//	        return_exists), and an order at most 1,000 (too_many_returns).
//	ORD-41  ReceiveReturn: at most what of the return is still to come (unknown_return, over_return), each line
//	        resellable or damaged (invalid_condition); nothing still to come: return_closed. Resellable goods go to
//	        available, damaged ones to damaged. They come from the first delivered lines of their SKU, at their
//	        prices, and go to the location that is named for them (invalid_location), or else to where they had left from
//	        (INV-18). What is paid beyond what is kept then is due for refund, what is authorized beyond it is voided (ORD-61).
//	ORD-42  CancelReturn gives up what of a return has not come (unknown_return, return_closed).
//	ORD-50  Amend changes an order that is reserved or confirmed; not one on hold: what stopped it may speak against binding
//	        more stock. One amendment at a time (amendment_pending), and at most 1,000 (too_many_amendments).
//	ORD-51  It names lines by SKU; where the order has several of one, also by place (unknown_line). A SKU that the order
//	        has no line of is a new line, of 1 unit or more. Each line once, and at most 2,000 in all (invalid_lines).
//	ORD-52  Quantities are absolute, 0 to 1e9 (invalid_quantity): a line of 0 is taken off and keeps its place. A new line
//	        needs a price, another one keeps its own without, and always once part of it has shipped or was cancelled
//	        (invalid_price). Lines that stay as they are count for nothing; without any other, nothing is written.
//	ORD-53  No line falls below what has shipped and was cancelled of it, no SKU below what is set aside (over_amendment),
//	        and something is left to ship (nothing_would_be_left).
//	ORD-54  The total is that of the lines without what was cancelled, as ORD-4 makes it. What is authorized beyond it is
//	        voided, what is captured beyond it is due for refund. OrderConfirmed follows when that pays the order.
//	ORD-55  The total does not rise once money has gone back or is due to (already_refunded). Where that happens while stock
//	        is asked, its answer declines the amendment.
//	ORD-56  What a SKU grows by is asked of stock first, on top of what the order has: AmendmentRequested. Answers that cover
//	        it, backordered or not, make it OrderAmended; without growth that follows at once.
//	ORD-57  A confirmed prepaid order that an amendment makes cost more than is authorized stays confirmed; nothing of it is
//	        set aside or ships (payment_required) before the total is authorized, or has fallen to what is.
//	ORD-58  One rejected SKU declines the amendment: AmendmentDeclined, with those of its SKUs that are insufficient or
//	        unknown. The order stays as it was, and wants what it wanted.
//	ORD-59  While stock has not answered, nothing is set aside, ships or is cancelled by the line (amendment_pending). What
//	        ends or ships the order nevertheless declines the amendment first.
//	ORD-60  An order may say where its goods come from: a policy (single_location, fewest_locations or split), and at
//	        most 100 locations that are tried first, each once (invalid_allocation). It holds for each SKU by itself,
//	        for as long as the order lives: two SKUs of a single_location order may come from two locations. INV-60
//	        and INV-61 say what it does.
//	ORD-61  What the customer keeps is worth the total without what came back, rounded as ORD-4 does; nothing once the order
//	        was rejected, was cancelled or has expired. What is captured, has not gone back and is not due to never exceeds
//	        it; with what is authorized and open neither.
//	ORD-62  What providers and carriers did is recorded wherever the order stands, on hold and after its end too: it has
//	        happened. AuthorizePayment, CapturePayment, VoidPayment, RefundPayment, FailPayment, and Deliver of what has
//	        shipped.
//	ORD-63  Where stock of other shards is asked for a past document, ImportRequested goes first: goods of an order are
//	        reserved, of a credit note nothing is wanted yet. Answers that cover it import it as ORD-18 does, one rejected SKU
//	        rejects it. What was rejected has no key and no place: ImportDocument takes it, or another in its stead, again.
func Decide(o Order, cmd Command) ([]Event, error) {
	switch c := cmd.(type) {
	case Place:
		return o.place(c)
	case RecordReservation:
		return o.recordReservation(c)
	case RecordBackorder:
		return o.recordBackorder(c)
	case AuthorizePayment:
		return o.authorizePayment(c)
	case CapturePayment:
		return o.capturePayment(c)
	case StartPayment:
		return o.startPayment(c)
	case VoidPayment:
		return o.voidPayment(c)
	case RefundPayment:
		return o.refundPayment(c)
	case FailPayment:
		return o.failPayment(c)
	case Confirm:
		return o.confirm()
	case Cancel:
		return o.cancel(c)
	case Ship:
		return o.ship(c)
	case CreateFulfilment:
		return o.createFulfilment(c)
	case ShipFulfilment:
		return o.shipFulfilment(c)
	case CancelFulfilment:
		return o.cancelFulfilment(c)
	case CancelLines:
		return o.cancelLines(c)
	case Amend:
		return o.amend(c)
	case Hold:
		return o.hold(c)
	case Resume:
		return o.resume(c)
	case RequestReturn:
		return o.requestReturn(c)
	case ReceiveReturn:
		return o.receiveReturn(c)
	case CancelReturn:
		return o.cancelReturn(c)
	case Deliver:
		return o.deliver(c)
	case Expire:
		return o.expire(c)
	case ImportDocument:
		return o.importDocument(c)
	case ReconcileShipment:
		return o.reconcileShipment(c)
	}
	return nil, refuse(CodeUnknownCommand, "", "not a command of an order")
}
