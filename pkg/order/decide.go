package order

// Command asks for a change of an order. The set is closed: the commands are types of this package. Each is in the
// file of its subject, with its rules, its events, and the methods that decide the one and apply the others.
type Command interface {
	decide(o *Order) ([]Event, error)
}

// Event is a change of an order. The set is closed, and the fields of its types are those of the event schema
// (schemas/holdfast/event/v1/order.proto).
type Event interface {
	evolve(o *Order, f Facts)
}

// Facts are what an event's envelope adds to its change.
type Facts struct {
	EventID          ID
	OccurredAtMicros int64
}

// Decide says what a command does to an order. A refusal is an *Error, and writes nothing.
//
// Which command an order accepts in which lifecycle, and where it goes. "·" is illegal_transition. "–" writes nothing
// and is no error. A past document is completed, or placed while stock is asked for it. It accepts RecordReservation
// only; once rejected, ImportDocument again:
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
//	FailDelivery       ·         ·          ·          yes¹⁰      confirmed¹⁰ ·
//	ReverseShipment    ·         ·          ·          yes        confirmed  ·
//	ReverseDelivery    ·         ·          ·          yes        yes        ·
//	RequestReturn      ·         ·          ·          yes        yes        ·
//	ReceiveReturn      ·         ·          ·          yes        yes        ·
//	CancelReturn       ·         ·          ·          yes        yes        ·
//	Expire             –         expired    expired    –          –          –
//	ReconcileShipment  ·         confirmed⁵ confirmed⁵ completed⁵ ·          ·
//
//	¹ or rejected; goes on to confirmed on account, and when there is nothing to pay
//	² ReservationSettled, once for each ReservationVersion; see ORD-9 for stock that was lost
//	³ once the total is authorized  ⁴ unless something has shipped  ⁵ completed once everything has shipped
//	⁶ expired, and the total is authorized at once  ⁷ OrderBackorderFilled or OrderFellShort,
//	when less or more is backordered than before
//	⁸ AmendmentRequested; RecordReservation then makes it OrderAmended or AmendmentDeclined
//	⁹ or placed, where stock is asked first: RecordReservation then makes it completed or rejected
//	¹⁰ completed or cancelled where the goods are not sent again, and nothing else is left
//
// An order on hold accepts Resume, and of what it accepted before: CancelLines, CancelFulfilment, Cancel, Deliver,
// FailDelivery, ReverseShipment, ReverseDelivery, returns, payments other than StartPayment, RecordReservation,
// RecordBackorder and ReconcileShipment. A payment that the order already has writes nothing in any lifecycle (ORD-21).
//
// The rules are numbered, and stand above the commands that they are about. docs/rules.md lists them all.
func Decide(o Order, cmd Command) ([]Event, error) {
	// Not cmd.decide(&o): a call through the interface makes the compiler allocate the order and the command.
	switch c := cmd.(type) {
	case Place:
		return c.decide(&o)
	case RecordReservation:
		return c.decide(&o)
	case RecordBackorder:
		return c.decide(&o)
	case StartPayment:
		return c.decide(&o)
	case AuthorizePayment:
		return c.decide(&o)
	case CapturePayment:
		return c.decide(&o)
	case VoidPayment:
		return c.decide(&o)
	case RefundPayment:
		return c.decide(&o)
	case FailPayment:
		return c.decide(&o)
	case Confirm:
		return c.decide(&o)
	case Cancel:
		return c.decide(&o)
	case Expire:
		return c.decide(&o)
	case Hold:
		return c.decide(&o)
	case Resume:
		return c.decide(&o)
	case Ship:
		return c.decide(&o)
	case CreateFulfilment:
		return c.decide(&o)
	case ShipFulfilment:
		return c.decide(&o)
	case CancelFulfilment:
		return c.decide(&o)
	case CancelLines:
		return c.decide(&o)
	case Amend:
		return c.decide(&o)
	case Deliver:
		return c.decide(&o)
	case FailDelivery:
		return c.decide(&o)
	case ReverseShipment:
		return c.decide(&o)
	case ReverseDelivery:
		return c.decide(&o)
	case RequestReturn:
		return c.decide(&o)
	case ReceiveReturn:
		return c.decide(&o)
	case CancelReturn:
		return c.decide(&o)
	case ImportDocument:
		return c.decide(&o)
	case ReconcileShipment:
		return c.decide(&o)
	}
	return nil, refuse(CodeUnknownCommand, "", "not a command of an order")
}

// Evolve returns the order after an event. It never fails on what Decide produced, and does not change its argument.
//
// Version grows by 1, and VisibleVersion follows it at each event that a client can see. The first of OrderPlaced,
// ImportRequested and DocumentImported sets PlacedEventID to the event's ID; each of them sets OccurredAtMicros. Every
// event that changes what Wanted returns sets ReservationVersion to the new Version, and Settled to false. ID is the
// key of the state: whoever keeps the state sets it.
func Evolve(o Order, ev Event, f Facts) Order {
	o.Version++
	if Visible(ev) {
		o.VisibleVersion = o.Version
	}
	switch e := ev.(type) { // direct calls for frequent events: through the interface the order would be allocated
	case OrderPlaced:
		e.evolve(&o, f)
	case OrderReserved:
		e.evolve(&o, f)
	case OrderConfirmed:
		e.evolve(&o, f)
	case ReservationSettled:
		e.evolve(&o, f)
	case PaymentAuthorized:
		e.evolve(&o, f)
	case PaymentCaptured:
		e.evolve(&o, f)
	case LinesShipped:
		e.evolve(&o, f)
	case LinesDelivered:
		e.evolve(&o, f)
	case DocumentImported:
		e.evolve(&o, f)
	case nil:
	default:
		return evolveCopy(o, ev, f)
	}
	return o
}

// evolveCopy calls evolve through the interface, on a copy of the order.
func evolveCopy(o Order, ev Event, f Facts) Order {
	ev.evolve(&o, f)
	return o
}
