// Package ordertest draws what may happen to an order, for property tests of the rules and of whatever reads their
// events.
package ordertest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/order"
)

// dice is a number below n, each with the same probability. Numbers that rapid draws are mostly small, and few orders
// would get far with them.
func dice(t *rapid.T, n int) int {
	var v int
	for bit := 1; bit < 4*n; bit *= 2 {
		if rapid.Bool().Draw(t, "dice") {
			v += bit
		}
	}
	return v % n
}

// One draws one of some, each with the same probability.
func One[T any](t *rapid.T, of []T) T { return of[dice(t, len(of))] }

var (
	skus        = []string{"a", "b", "c"}
	fulfilments = []string{"f1", "f2", "f3", "f4"}
	returns     = []string{"r1", "r2"}
	places      = []string{"", "", "main", "north"}
	references  = []string{"", "", "p1", "p2"}
	eventIDs    = []string{"", "", "", "evt_1", "evt_2", "evt_3"}
	providers   = []string{"", "", "stripe", "gift card"}
)

// Command draws one of all commands: a client's, an answer of stock, a deadline, a past document.
func Command(t *rapid.T, o order.Order) order.Command {
	switch dice(t, 20) {
	case 0, 1, 2, 3, 4:
		return Answers(t, o)
	case 5:
		return order.RecordBackorder{SKU: "a", ReservationVersion: o.ReservationVersion,
			Backordered: rapid.Int64Range(0, 3).Draw(t, "backordered")}
	case 6:
		return order.ReconcileShipment{
			Lines: quantities(t, o), DeadlineMicros: rapid.Int64Range(40, 60).Draw(t, "deadline")}
	case 7:
		if o.Version == 0 || o.RefusedDocument() {
			c := order.ImportDocument{Kind: order.Kind(dice(t, 3)), CustomerID: "c-1", Currency: "EUR", Reference: "536365",
				Lines: lines(t), AskStock: dice(t, 2) == 0, Pricing: pricing(t),
				Metadata: rapid.SampledFrom([]metadata.Map{nil, {{Key: "a", Value: "1"}}}).Draw(t, "metadata")}
			if dice(t, 2) == 0 {
				details(t, c.Lines)
			}
			return c
		}
	}
	return Client(t, o)
}

// Document draws a past document that stock is asked for.
func Document(t *rapid.T) order.ImportDocument {
	c := order.ImportDocument{Kind: order.Kind(1 + dice(t, 2)), CustomerID: "c-1", Currency: "EUR", Reference: "536365",
		Lines: lines(t), AskStock: true, Pricing: pricing(t)}
	if dice(t, 4) == 0 {
		c.Lines[0].SKU = "d"
	}
	if dice(t, 2) == 0 {
		details(t, c.Lines)
	}
	return c
}

// Answers draws what stock may answer to the order's newest step: it has all, some is backordered, some was lost, or it
// rejects.
func Answers(t *rapid.T, o order.Order) order.RecordReservation {
	c := order.RecordReservation{
		ReservationVersion: o.ReservationVersion, DeadlineMicros: rapid.Int64Range(40, 60).Draw(t, "deadline")}
	refused := ""
	if asks := asked(o); len(asks) > 0 && dice(t, 6) == 0 {
		refused = One(t, asks)
	}
	for _, w := range o.Wanted() {
		h := order.StockAnswer{
			SKU: w.SKU, Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked,
			Damaged: w.Damaged,
		}
		switch roll := dice(t, 15); {
		case w.SKU == refused:
			h.Rejected, h.Reserved, h.RejectionReason = true, 0, int32(1+dice(t, 2))
		case refused != "" && roll < 7:
			h.Rejected, h.Reserved, h.RejectionReason = true, 0, order.ReasonOtherLine
		case roll < 2:
			h.Backordered = int64(dice(t, int(h.Reserved+w.ShipAgain)+1))
		case roll == 2:
			h.Reserved /= 2
		}
		c.Answers = append(c.Answers, h)
	}
	return c
}

// Granted is what stock answers that has all that the order wants.
func Granted(o order.Order) (answers []order.StockAnswer) {
	for _, w := range o.Wanted() {
		answers = append(answers, order.StockAnswer{
			SKU: w.SKU, Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked,
			Damaged: w.Damaged,
		})
	}
	return answers
}

// asked are the SKUs that stock may reject: those that the order, or its amendment, wants more of.
func asked(o order.Order) []string {
	more := map[string]int64{}
	if o.Amendment != nil {
		for _, l := range o.Amendment.Lines {
			more[l.SKU] += l.Quantity - l.FormerQuantity
		}
	} else if o.Lifecycle == order.Placed {
		for _, w := range o.Wanted() {
			more[w.SKU] = w.Reserved
			if w.Imported {
				more[w.SKU] = max(w.Reserved, 1) // a credit note wants nothing, and is asked for all the same
			}
		}
	}
	maps.DeleteFunc(more, func(_ string, n int64) bool { return n <= 0 })
	return slices.Sorted(maps.Keys(more))
}

// Client draws a command of the API, or a deadline. Every second one is one that mostly comes next.
func Client(t *rapid.T, o order.Order) order.Command {
	if rapid.Bool().Draw(t, "further") {
		return further(t, o)
	}
	switch dice(t, 5) {
	case 0:
		return money(t, o)
	case 1:
		return shipping(t, o)
	case 2:
		return returning(t, o)
	case 3:
		return amend(t, o)
	}
	deadline := rapid.Int64Range(40, 60).Draw(t, "deadline")
	switch dice(t, 7) {
	case 0:
		return order.Confirm{}
	case 1:
		return order.Cancel{Reason: "why"}
	case 2:
		return order.Hold{Reason: "fraud check"}
	case 3:
		return order.Resume{DeadlineMicros: deadline}
	case 4:
		return order.CancelLines{Lines: quantities(t, o), Charges: credits(t, o), Reason: "sold out"}
	case 5:
		return place(t)
	}
	return order.Expire{AtMicros: deadline}
}

// further draws what mostly comes next. Without it few orders would ever be delivered and come back.
func further(t *rapid.T, o order.Order) order.Command {
	switch o.Lifecycle {
	case order.None:
		return place(t)
	case order.OnHold:
		return order.Resume{DeadlineMicros: 60}
	case order.Placed, order.Reserved, order.Expired:
		missing := o.TotalMicros - o.AuthorizedMicros + o.VoidedMicros
		return order.AuthorizePayment{AmountMicros: missing, Reference: One(t, references), DeadlineMicros: 60}
	case order.Confirmed, order.Completed, order.Rejected, order.Cancelled:
	}
	open, delivered := order.Return{}, false
	for _, r := range o.Returns {
		for _, l := range r.Lines {
			if l.Received < l.Quantity {
				open = r
			}
		}
	}
	for _, l := range o.Lines {
		delivered = delivered || l.Delivered > l.Returned
	}
	switch {
	case open.ID != "" && rapid.Bool().Draw(t, "comes back"):
		l := One(t, open.Lines)
		condition := order.Condition(1 + dice(t, 2))
		return order.ReceiveReturn{
			ReturnID: open.ID, Lines: []order.ReturnedLine{{SKU: l.SKU, Quantity: int64(1 + dice(t, 2)), Condition: condition}},
			Location: One(t, places),
		}
	case delivered && rapid.Bool().Draw(t, "is asked back"):
		return returning(t, o)
	case len(o.Fulfilments) > 0 && rapid.Bool().Draw(t, "arrives"):
		return order.Deliver{FulfilmentID: One(t, o.Fulfilments).ID}
	case len(o.Fulfilments) > 0 && dice(t, 4) == 0:
		return failDelivery(t, o)
	case len(o.Fulfilments) > 0 && dice(t, 4) == 0:
		return order.ReverseShipment{FulfilmentID: One(t, o.Fulfilments).ID}
	}
	return shipping(t, o)
}

// Priced is an order on account in a currency, with charges, discounts and taxes.
func Priced(t *rapid.T, currency string) order.Place {
	c := order.Place{OrderID: "o-1", Currency: currency, Terms: order.OnAccount, Lines: lines(t), Pricing: pricing(t)}
	details(t, c.Lines)
	return c
}

func place(t *rapid.T) order.Command {
	c := order.Place{
		OrderID: "o-1", CustomerID: "c-1", Currency: "EUR", Country: "EIRE", Reference: "web 1", Lines: lines(t),
		PaymentDeadlineMicros: 50,
		Terms:                 One(t, []order.PaymentTerms{order.Prepaid, order.Prepaid, order.OnAccount}),
		Pricing:               pricing(t),
	}
	if dice(t, 2) == 0 {
		details(t, c.Lines)
	}
	if policy := rapid.Int32Range(0, 3).Draw(t, "policy"); policy > 0 {
		c.Allocation = &order.AllocationRule{Policy: order.AllocationPolicy(policy), Locations: []string{"north"}}
	}
	return c
}

func money(t *rapid.T, o order.Order) order.Command {
	amount := One(t, []int64{
		o.TotalMicros, o.TotalMicros - o.AuthorizedMicros, o.AuthorizedMicros, o.AuthorizedMicros - o.CapturedMicros, 0,
		10_000, 500_000, 1,
	})
	reference, id, provider := One(t, references), One(t, eventIDs), One(t, providers)
	deadline := rapid.Int64Range(40, 60).Draw(t, "deadline")
	switch dice(t, 8) {
	case 0:
		return order.StartPayment{Reference: reference, Provider: provider, DeadlineMicros: deadline}
	case 1, 2:
		return order.AuthorizePayment{
			AmountMicros: amount, Reference: reference, ProviderEventID: id, Provider: provider, DeadlineMicros: deadline}
	case 3, 4:
		return order.CapturePayment{
			AmountMicros: amount, Reference: reference, ProviderEventID: id, Provider: provider, DeadlineMicros: deadline}
	case 5:
		return order.VoidPayment{
			AmountMicros: amount, Reference: reference, ProviderEventID: id, Provider: provider, Reason: "smaller",
			DeadlineMicros: deadline}
	case 6:
		return order.RefundPayment{
			AmountMicros: amount, Reference: reference, ProviderEventID: id, Provider: provider, Reason: "broken",
			Goodwill: rapid.Bool().Draw(t, "goodwill"), DeadlineMicros: deadline}
	}
	return order.FailPayment{Reference: reference, ProviderEventID: id, Provider: provider, Reason: "declined"}
}

// ProviderEventID is the payment provider's ID of what a command tells; "" where it has none.
func ProviderEventID(cmd order.Command) string {
	switch c := cmd.(type) {
	case order.AuthorizePayment:
		return c.ProviderEventID
	case order.CapturePayment:
		return c.ProviderEventID
	case order.VoidPayment:
		return c.ProviderEventID
	case order.RefundPayment:
		return c.ProviderEventID
	case order.FailPayment:
		return c.ProviderEventID
	}
	return ""
}

func shipping(t *rapid.T, o order.Order) order.Command {
	id := One(t, fulfilments)
	reference, event, provider := One(t, references), One(t, eventIDs), One(t, providers)
	capture := rapid.Bool().Draw(t, "capture")
	why := One(t, []string{"", "", "", "the customer pays at the door"})
	found := One(t, []string{"", "", "", "behind the shelf"})
	switch dice(t, 12) {
	case 0:
		return order.CreateFulfilment{FulfilmentID: id}
	case 1, 2:
		return order.CreateFulfilment{FulfilmentID: id, Lines: quantities(t, o)}
	case 3, 4:
		return order.ShipFulfilment{FulfilmentID: id, TrackingReference: "1Z", Capture: capture, PaymentReference: reference,
			ProviderEventID: event, Provider: provider, UncoveredReason: why, BackorderedReason: found}
	case 5:
		return order.CancelFulfilment{FulfilmentID: id, Reason: "no box"}
	case 6:
		return order.Ship{FulfilmentID: id, Capture: capture, PaymentReference: reference, ProviderEventID: event,
			Provider: provider, UncoveredReason: why, BackorderedReason: found}
	case 7:
		if len(o.Fulfilments) > 0 {
			return order.Deliver{FulfilmentID: One(t, o.Fulfilments).ID, Lines: quantities(t, o)}
		}
	case 8:
		if len(o.Fulfilments) > 0 {
			return failDelivery(t, o)
		}
	case 9, 10:
		if len(o.Fulfilments) > 0 {
			return reversal(t, o)
		}
	}
	return order.Ship{FulfilmentID: id, Lines: quantities(t, o), Capture: capture, PaymentReference: reference,
		ProviderEventID: event, Provider: provider, UncoveredReason: why, BackorderedReason: found}
}

// failDelivery lets all of a shipment come back, some lines of it, or gets it lost.
func failDelivery(t *rapid.T, o order.Order) order.Command {
	condition := func() order.Condition { return order.Condition(rapid.Int32Range(1, 3).Draw(t, "condition")) }
	c := order.FailDelivery{
		FulfilmentID: One(t, o.Fulfilments).ID, Condition: condition(), Location: One(t, places), Reason: "nobody there",
		Cancel: dice(t, 3) == 0, DeadlineMicros: rapid.Int64Range(40, 60).Draw(t, "deadline"),
	}
	for _, l := range quantities(t, o) {
		c.Lines = append(c.Lines, order.UndeliveredLine{
			SKU: l.SKU, Quantity: l.Quantity, Line: l.Line, Condition: condition()})
	}
	if c.Cancel {
		c.Charges = credits(t, o)
	}
	return c
}

// reversal takes back a shipment, a delivery, or lines of one.
func reversal(t *rapid.T, o order.Order) order.Command {
	id := One(t, o.Fulfilments).ID
	switch dice(t, 3) {
	case 0:
		return order.ReverseShipment{
			FulfilmentID: id, Reason: "another box", DeadlineMicros: rapid.Int64Range(40, 60).Draw(t, "deadline"),
		}
	case 1:
		return order.ReverseDelivery{FulfilmentID: id, Reason: "another door"}
	}
	return order.ReverseDelivery{FulfilmentID: id, Lines: quantities(t, o)}
}

func returning(t *rapid.T, o order.Order) order.Command {
	id := One(t, returns)
	switch dice(t, 6) {
	case 0:
		return order.RequestReturn{ReturnID: id, Reason: "too big"}
	case 1:
		return order.RequestReturn{ReturnID: id, Lines: quantities(t, o)}
	case 2:
		return order.CancelReturn{ReturnID: id, Reason: "kept"}
	}
	c := order.ReceiveReturn{ReturnID: id, Location: One(t, places), Charges: credits(t, o)}
	for _, l := range quantities(t, o) {
		c.Lines = append(c.Lines, order.ReturnedLine{
			SKU: l.SKU, Quantity: l.Quantity, Line: l.Line,
			Condition: order.Condition(rapid.Int32Range(1, 2).Draw(t, "condition")),
		})
	}
	return c
}

// amend raises, lowers or removes lines, gives them other prices, and adds some.
func amend(t *rapid.T, o order.Order) order.Command {
	c := order.Amend{Charges: credits(t, o), Lines: make([]order.AmendLine, dice(t, 4)), Reason: "customer called",
		DeadlineMicros: rapid.Int64Range(40, 60).Draw(t, "deadline")}
	for i := range c.Lines {
		l := order.AmendLine{SKU: One(t, append([]string{"d"}, skus...)), Line: int32(dice(t, 2) * dice(t, 5)),
			Quantity: int64(dice(t, 7))}
		if n := len(o.Lines); n > 0 && dice(t, 4) > 0 {
			at := dice(t, n)
			l.SKU, l.Line = o.Lines[at].SKU, int32(at)+1
		}
		if l.Line > 0 && dice(t, 2) == 0 {
			l.DiscountMicros = new(rapid.Int64Range(0, 500_000).Draw(t, "discount"))
			l.TaxMicros = new(rapid.Int64Range(0, 500_000).Draw(t, "tax"))
		}
		if dice(t, 3) == 0 || l.Line == 0 {
			l.UnitPriceMicros = new(rapid.Int64Range(0, 3_000_000).Draw(t, "price"))
		}
		c.Lines[i] = l
	}
	return c
}

// pricing draws what an order costs besides its lines, for every other order. Taxes have no rates: amounts are
// arbitrary.
func pricing(t *rapid.T) *order.Pricing {
	if dice(t, 2) == 0 {
		return nil
	}
	p := &order.Pricing{TaxesIncluded: dice(t, 2) == 0, Rounding: order.Rounding(dice(t, 3))}
	for range dice(t, 3) {
		p.Charges = append(p.Charges, order.Charge{
			Kind:         order.ChargeKind(1 + dice(t, 6)),
			AmountMicros: rapid.Int64Range(0, 2_000_000).Draw(t, "charge"), Taxes: taxes(t, 2),
		})
		if c := &p.Charges[len(p.Charges)-1]; c.AmountMicros == 0 {
			c.Taxes = nil
		} else if p.TaxesIncluded && len(c.Taxes) > 0 {
			c.Taxes[0].AmountMicros = min(c.Taxes[0].AmountMicros, c.AmountMicros/2)
			c.Taxes = c.Taxes[:1]
		}
	}
	if dice(t, 3) == 0 {
		p.Discounts = []order.Discount{{AmountMicros: rapid.Int64Range(1, 1_000_000).Draw(t, "discount")}}
	}
	return p
}

// details gives some lines discounts and taxes, mostly such that they fit.
func details(t *rapid.T, lines []order.PlaceLine) {
	for i := range lines {
		if dice(t, 2) == 0 {
			continue
		}
		l, d := &lines[i], &order.LineDetails{Taxes: taxes(t, 2)}
		if price := l.Quantity * l.UnitPriceMicros; price > 0 && dice(t, 2) == 0 {
			d.Discounts = []order.Discount{{AmountMicros: rapid.Int64Range(1, price).Draw(t, "discount")}}
		}
		l.Details = d
	}
}

func taxes(t *rapid.T, most int) (taxes []order.Tax) {
	for range dice(t, most+1) {
		taxes = append(taxes, order.Tax{AmountMicros: rapid.Int64Range(0, 400_000).Draw(t, "tax")})
	}
	return taxes
}

// credits draws what is given back of charges.
func credits(t *rapid.T, o order.Order) (credits []order.ChargeCredit) {
	if len(o.Charges) == 0 || dice(t, 2) == 0 {
		return nil
	}
	at := dice(t, len(o.Charges))
	left := max(1, o.Charges[at].AmountMicros-o.Charges[at].ReturnedMicros)
	amount := rapid.Int64Range(1, left).Draw(t, "credit")
	if dice(t, 2) == 0 {
		amount = left
	}
	return []order.ChargeCredit{{Charge: int32(at) + 1, AmountMicros: amount}}
}

func lines(t *rapid.T) []order.PlaceLine {
	lines := make([]order.PlaceLine, 1+dice(t, 4))
	for i := range lines {
		lines[i] = order.PlaceLine{SKU: One(t, skus), Quantity: int64(1 + dice(t, 5)),
			UnitPriceMicros: rapid.Int64Range(0, 3_000_000).Draw(t, "price")}
	}
	if dice(t, 20) == 0 {
		lines[0].Quantity = 0 // is refused
	}
	return lines
}

// quantities draws quantities, mostly of SKUs that the order has, or of its lines.
func quantities(t *rapid.T, o order.Order) []order.LineQuantity {
	lines := make([]order.LineQuantity, dice(t, 3))
	for i := range lines {
		lines[i] = order.LineQuantity{SKU: One(t, skus), Quantity: int64(1 + dice(t, 3))}
		if len(o.Lines) > 0 && dice(t, 4) > 0 {
			at := dice(t, len(o.Lines))
			lines[i].SKU, lines[i].Line = o.Lines[at].SKU, int32(dice(t, 2)*(at+1))
		}
	}
	return lines
}

// Length draws how many commands an order gets.
func Length(t *rapid.T) int { return 1 + dice(t, 64) }
