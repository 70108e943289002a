package verify

import (
	"strings"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// moneyLine is what a row of order_lines or sales says: micros are below 0 for what an order costs less. charge is the
// place of a charge in its order, from 1.
type moneyLine struct {
	kind, sku               string
	charge                  uint32
	quantity, price, micros int64
}

// ofLine are the rows of a line: its goods, and what it has of discounts and taxes.
func ofLine(sku string, quantity, price, discount, tax int64) (rows []moneyLine) {
	if quantity != 0 || discount|tax == 0 {
		rows = append(rows, moneyLine{kind: "goods", sku: sku, quantity: quantity, price: price, micros: quantity * price})
	}
	if discount != 0 {
		rows = append(rows, moneyLine{kind: "discount", sku: sku, micros: -discount})
	}
	if tax != 0 {
		rows = append(rows, moneyLine{kind: "tax", sku: sku, micros: tax})
	}
	return rows
}

func ofCharge(number uint32, name string, amount, tax int64) []moneyLine {
	rows := []moneyLine{{kind: "charge", sku: name, charge: number, micros: amount}}
	if tax != 0 {
		rows = append(rows, moneyLine{kind: "tax", sku: name, charge: number, micros: tax})
	}
	return rows
}

// moneyOf are the rows that an event has in order_lines.
func moneyOf(ev *eventv1.OrderEvent) (rows []moneyLine) {
	sign := int64(1)
	var lines []*eventv1.OrderLine
	var charges []*eventv1.Charge
	var credits []*eventv1.ChargeCredit
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2:
		lines, charges = c.OrderPlacedV2.Lines, c.OrderPlacedV2.Charges
	case *eventv1.OrderEvent_OrderImportedV2:
		lines, charges = c.OrderImportedV2.Lines, c.OrderImportedV2.Charges
	case *eventv1.OrderEvent_CreditNoteImportedV2:
		lines, charges, sign = c.CreditNoteImportedV2.Lines, c.CreditNoteImportedV2.Charges, -1
	case *eventv1.OrderEvent_LinesCancelledV2:
		for _, l := range c.LinesCancelledV2.Lines {
			rows = append(rows, ofLine(l.Sku, -l.Quantity, l.UnitPriceMicros, -l.DiscountMicros, -l.TaxMicros)...)
		}
		credits = c.LinesCancelledV2.Charges
	case *eventv1.OrderEvent_ReturnReceivedV3:
		for _, l := range c.ReturnReceivedV3.Lines {
			rows = append(rows, ofLine(l.Sku, -l.Quantity, l.UnitPriceMicros, -l.DiscountMicros, -l.TaxMicros)...)
		}
		credits = c.ReturnReceivedV3.Charges
	case *eventv1.OrderEvent_OrderAmendedV2:
		rows, credits = amendedMoney(c.OrderAmendedV2.Lines), c.OrderAmendedV2.Charges
	}
	for _, l := range lines {
		discount, tax := l.OrderDiscountMicros, taxSum(l.Taxes)
		for _, d := range l.Discounts {
			discount += d.AmountMicros
		}
		rows = append(rows, ofLine(l.Sku, sign*l.Quantity, l.UnitPriceMicros, sign*discount, sign*tax)...)
	}
	for i, c := range charges {
		name := enumWord(strings.TrimPrefix(c.Kind.String(), "CHARGE_KIND_"), "")
		rows = append(rows, ofCharge(uint32(i+1), name, sign*c.AmountMicros, sign*taxSum(c.Taxes))...)
	}
	for _, c := range credits {
		rows = append(rows, ofCharge(c.Charge, "", -c.AmountMicros, -c.TaxMicros)...)
	}
	return rows
}

// amendedMoney is what an amendment adds to lines, and what it removes from them. Where the price changes, the whole
// line is removed at the old price and added at the new one.
func amendedMoney(amended []*eventv1.AmendedLine) (rows []moneyLine) {
	for _, l := range amended {
		quantity, discount, tax := l.Quantity, l.DiscountMicros, l.TaxMicros
		if l.UnitPriceMicros == l.FormerUnitPriceMicros || l.FormerQuantity == 0 {
			quantity -= l.FormerQuantity
			discount -= l.FormerDiscountMicros
			tax -= l.FormerTaxMicros
		} else {
			rows = append(rows, ofLine(l.Sku, -l.FormerQuantity, l.FormerUnitPriceMicros, -l.FormerDiscountMicros,
				-l.FormerTaxMicros)...)
		}
		if quantity != 0 || discount != 0 || tax != 0 {
			rows = append(rows, ofLine(l.Sku, quantity, l.UnitPriceMicros, discount, tax)...)
		}
	}
	return rows
}

func taxSum(taxes []*eventv1.Tax) (micros int64) {
	for _, t := range taxes {
		micros += t.AmountMicros
	}
	return micros
}

func worth(rows []moneyLine) (micros int64) {
	for _, row := range rows {
		micros += row.micros
	}
	return micros
}
