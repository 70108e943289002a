package order_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
)

// ledger adds up what events say of an order's money, by line and by charge, without any rule but for how it is
// rounded.
type ledger struct {
	unit           money.Currency
	included, each bool
	cost, returned map[int]int64 // by line from 1, and by charge from -1
}

func (l *ledger) add(to map[int]int64, at int, goods, discount, tax, sign int64) {
	if l.included {
		tax = 0
	}
	to[at] += sign * (goods - discount + tax)
}

func (l *ledger) credit(to map[int]int64, credits []order.ChargeCredit, sign int64) {
	for _, c := range credits {
		l.add(to, -int(c.Charge), c.AmountMicros, 0, c.TaxMicros, sign)
	}
}

func (l *ledger) apply(ev order.Event) {
	switch e := ev.(type) {
	case order.OrderPlaced:
		l.cost, l.returned = map[int]int64{}, map[int]int64{}
		if p := e.Pricing; p != nil {
			l.included, l.each = p.TaxesIncluded, p.Rounding == order.RoundByLine
			for i, c := range p.Charges {
				var tax int64
				for _, t := range c.Taxes {
					tax += t.AmountMicros
				}
				l.add(l.cost, -i-1, c.AmountMicros, 0, tax, 1)
			}
		}
		for i, p := range e.Lines {
			l.add(l.cost, i+1, p.Quantity*p.UnitPriceMicros, p.Details.DiscountMicros(), p.Details.TaxMicros(), 1)
		}
	case order.LinesCancelled:
		for _, c := range e.Lines {
			l.add(l.cost, int(c.Line), c.Quantity*c.UnitPriceMicros, c.DiscountMicros, c.TaxMicros, -1)
		}
		l.credit(l.cost, e.Charges, -1)
	case order.OrderAmended:
		for _, a := range e.Lines {
			l.add(l.cost, int(a.Line), a.Quantity*a.UnitPriceMicros-a.FormerQuantity*a.FormerUnitPriceMicros,
				a.DiscountMicros-a.FormerDiscountMicros, a.TaxMicros-a.FormerTaxMicros, 1)
		}
		l.credit(l.cost, e.Charges, -1)
	case order.ReturnReceived:
		for _, r := range e.Lines {
			l.add(l.returned, int(r.Line), r.Quantity*r.UnitPriceMicros, r.DiscountMicros, r.TaxMicros, 1)
		}
		l.credit(l.returned, e.Charges, 1)
	}
}

// rounded is what parts add up to in whole minor units.
func (l *ledger) rounded(parts map[int]int64) (sum int64) {
	round := func(micros int64) int64 {
		rounded, _ := l.unit.Round(micros)
		return rounded
	}
	for _, micros := range parts {
		if l.each {
			micros = round(micros)
		}
		sum += micros
	}
	return round(sum)
}

// What events say of lines and charges adds up to what the order costs and to what came back, after each event, in
// currencies of 0, 2, 3 and 4 decimals. Of an order of which all goods and charges went back, nothing is left to pay,
// and no discount or tax.
func TestMoneyConserves(t *testing.T) {
	for _, currency := range []string{"JPY", "GBP", "EUR", "KWD", "CLF"} {
		unit, _ := money.Lookup(currency)
		t.Run(currency, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				l := ledger{unit: unit}
				var o order.Order
				do := func(cmd order.Command) bool {
					events, err := order.Decide(o, cmd)
					for _, ev := range events {
						o = order.Evolve(o, ev, order.Facts{})
						l.apply(ev)
						cost, returned := l.rounded(l.cost), l.rounded(l.returned)
						if o.Lifecycle != order.None && (o.TotalMicros != cost || o.ReturnedMicros() != returned) {
							t.Fatalf("after %T it costs %d and %d came back, by its events %d and %d",
								ev, o.TotalMicros, o.ReturnedMicros(), cost, returned)
						}
					}
					return err == nil
				}
				if !do(ordertest.Priced(t, currency)) {
					return
				}
				do(order.RecordReservation{ReservationVersion: o.ReservationVersion, Answers: ordertest.Granted(o)})
				for range ordertest.Length(t) {
					cmd := ordertest.Command(t, o)
					switch cmd.(type) {
					case order.Cancel, order.Hold, order.ReconcileShipment:
						continue
					}
					do(cmd)
				}
				if !giveAllBack(do, &o) {
					return
				}
				if o.TotalMicros != o.ReturnedMicros() {
					t.Fatalf("all went back, and it costs %d of which %d came back", o.TotalMicros, o.ReturnedMicros())
				}
				for i, line := range o.Lines {
					if line.DiscountMicros != line.ReturnedDiscountMicros || line.TaxMicros != line.ReturnedTaxMicros {
						t.Fatalf("all of line %d went back, with other discounts and taxes: %+v", i+1, line)
					}
				}
			})
		})
	}
}

// giveAllBack ships what is left, and lets all goods and charges come back; false: the order has ended before.
func giveAllBack(do func(order.Command) bool, o *order.Order) bool {
	do(order.Resume{})
	if o.Amendment != nil {
		do(order.RecordReservation{ReservationVersion: o.ReservationVersion, Answers: ordertest.Granted(*o)})
	}
	for _, f := range o.Fulfilments {
		if f.Pending {
			do(order.CancelFulfilment{FulfilmentID: f.ID})
		}
	}
	for i := range o.Lines {
		do(order.RecordBackorder{SKU: o.Lines[i].SKU, ReservationVersion: o.ReservationVersion})
	}
	do(order.Ship{FulfilmentID: "rest"})
	for _, f := range o.Fulfilments {
		do(order.Deliver{FulfilmentID: f.ID})
	}
	do(order.RequestReturn{ReturnID: "rest"})
	var credits []order.ChargeCredit
	for i, c := range o.Charges {
		if left := c.AmountMicros - c.ReturnedMicros; left > 0 {
			credits = append(credits, order.ChargeCredit{Charge: int32(i) + 1, AmountMicros: left})
		}
	}
	for _, r := range o.Returns {
		back := order.ReceiveReturn{ReturnID: r.ID, Charges: credits}
		for _, l := range r.Lines {
			if n := l.Quantity - l.Received; n > 0 {
				back.Lines = append(back.Lines, order.ReturnedLine{
					SKU: l.SKU, Line: l.Line, Quantity: n, Condition: order.Damaged,
				})
			}
		}
		if len(back.Lines) > 0 && do(back) {
			credits = nil
		}
	}
	return o.Lifecycle == order.Completed && len(credits) == 0
}
