package order

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/money"
)

// Limits of the rules. Lengths are bytes of UTF-8, quantities are units.
const (
	// MaxLines bounds the lines of an order, a document or a shipment.
	MaxLines = 2_000
	// MaxQuantity bounds the quantity of one line.
	MaxQuantity = 1_000_000_000
	// MaxFulfilments bounds the shipments of one order.
	MaxFulfilments = 1_000
	// MaxOrderIDBytes and the following bound names and texts.
	MaxOrderIDBytes    = 128
	MaxSKUBytes        = 64
	MaxCustomerIDBytes = 128
	MaxCountryBytes    = 64
	MaxReferenceBytes  = 255
	MaxReasonBytes     = 255
	MaxFulfilmentBytes = 64
)

// plain reports whether s is UTF-8 without control characters and outer spaces.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s) && strings.TrimSpace(s) == s
}

// checkText refuses a text that is too long or not UTF-8.
func checkText(field, s string, maxBytes int) error {
	if len(s) > maxBytes || !utf8.ValidString(s) {
		return refuse("invalid_"+field, "/"+field, "at most "+strconv.Itoa(maxBytes)+" bytes of UTF-8")
	}
	return nil
}

// heading is what an order and a past document have in common besides lines.
type heading struct{ orderID, customerID, country, reference string }

func (h heading) check() error {
	if len(h.orderID) > MaxOrderIDBytes || !plain(h.orderID) {
		return refuse(CodeInvalidOrderID, "/order_id", "at most 128 bytes of text without control characters or outer spaces")
	}
	if err := checkText("customer_id", h.customerID, MaxCustomerIDBytes); err != nil {
		return err
	}
	if err := checkText("country", h.country, MaxCountryBytes); err != nil {
		return err
	}
	return checkText("reference", h.reference, MaxReferenceBytes)
}

// priceLines checks lines and adds them up (ORD-2 to ORD-4).
func priceLines(lines []PlaceLine, currency string) (subtotalMicros, totalMicros int64, err error) {
	if len(lines) < 1 || len(lines) > MaxLines {
		return 0, 0, refuse(CodeInvalidLines, "/lines", "an order has 1 to 2000 lines")
	}
	if _, ok := money.Lookup(currency); !ok { // before any line
		return 0, 0, unknownCurrency()
	}
	for i := range lines {
		line := &lines[i]
		switch {
		case !validSKU(line.SKU):
			return 0, 0, invalidSKU(i)
		case line.Quantity < 1 || line.Quantity > MaxQuantity:
			return 0, 0, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is 1 to 1000000000 units")
		case line.UnitPriceMicros < 0:
			return 0, 0, refuse(CodeInvalidPrice, linePointer(i, "unit_price"), "a price is not negative")
		}
		amount, err := money.Multiply(line.UnitPriceMicros, line.Quantity)
		if err == nil {
			subtotalMicros, err = money.Add(subtotalMicros, amount)
		}
		if err != nil {
			return 0, 0, refuse(CodeAmountOverflow, linePointer(i, "unit_price"), "the amount is too large")
		}
	}
	if totalMicros, err = roundTotal(subtotalMicros, currency); err != nil {
		return 0, 0, err
	}
	return subtotalMicros, totalMicros, nil
}

func validSKU(sku string) bool { return sku != "" && len(sku) <= MaxSKUBytes && plain(sku) }

func invalidSKU(line int) *Error {
	return refuse(CodeInvalidSKU, linePointer(line, "sku"), "a SKU is 1 to 64 bytes of text without control characters or outer spaces")
}

// roundTotal rounds what lines add up to, once, to the currency's minor unit (ORD-4).
func roundTotal(micros int64, currency string) (int64, error) {
	unit, ok := money.Lookup(currency)
	if !ok {
		return 0, unknownCurrency()
	}
	rounded, err := unit.Round(micros)
	if err != nil {
		return 0, refuse(CodeAmountOverflow, "/lines", "the amount is too large")
	}
	return rounded, nil
}

func unknownCurrency() *Error {
	return refuse(CodeUnknownCurrency, "/currency", "not an ISO 4217 currency")
}

func linePointer(line int, field string) string {
	return "/lines/" + strconv.Itoa(line) + "/" + field
}
