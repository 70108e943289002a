// Package shop is the part that all peers share: the HTTP API of Holdfast as far as a load test uses it, and orders as
// a shop would check them before it asks its database. What differs, where stock and orders are kept, is a Store.
package shop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// Store keeps stock and orders.
type Store interface {
	// Receive adds units of a SKU, which need not be known.
	Receive(ctx context.Context, sku string, quantity int64) error
	// Place takes the stock of an order and keeps the order, all or nothing, and returns its number. It returns when both
	// are as durable as the peer makes them. An order that is there already is returned again. Errors besides those of
	// the store are ErrReused and *ShortError.
	Place(ctx context.Context, o *Order) (number int64, err error)
	// Close ends its connections.
	Close()
}

// ErrReused is the error of a key that comes again with another body.
var ErrReused = errors.New("the key was used for another order")

// ShortError is the error of an order for which there is not enough stock.
type ShortError struct {
	SKU string
	// Available is how much there is.
	Available int64
}

// Error implements error.
func (e *ShortError) Error() string { return fmt.Sprintf("%s: %d available", e.SKU, e.Available) }

// Line is a line of an order.
type Line struct {
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
}

// Need is how much an order needs of a SKU, all its lines together.
type Need struct {
	SKU      string
	Quantity int64
}

// Order is an order that was checked.
type Order struct {
	// ID is derived from the idempotency key, so that one index serves both.
	ID uuid.UUID
	// Fingerprint is the hash of the body: a key that comes again with another body is noticed.
	Fingerprint [sha256.Size]byte
	CustomerID  string
	Currency    string
	TotalMicros int64
	Lines       []Line
	// Needs are in the order of SKUs, so that two orders never wait for each other.
	Needs []Need
	// Body is the request, which also goes into the outbox.
	Body []byte
}

// Limits.
const (
	maxLines    = 2_000
	maxQuantity = 1_000_000_000
	maxMicros   = 1_000_000_000_000_000
	micros      = 1_000_000
)

type orderBody struct {
	CustomerID   string     `json:"customer_id"`
	Currency     string     `json:"currency"`
	PaymentTerms string     `json:"payment_terms"`
	Lines        []lineBody `json:"lines"`
}

type lineBody struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice string `json:"unit_price"`
}

// Namespace is that of order IDs.
var Namespace = uuid.MustParse("2c0f8a0e-6a55-4c0f-9b53-6e1a4d1b7a52")

// OrderID is the ID of the order with a key.
func OrderID(key string) uuid.UUID { return uuid.NewSHA1(Namespace, []byte(key)) }

// ParseOrder reads and checks a request.
func ParseOrder(key string, body []byte) (*Order, error) {
	var b orderBody
	if err := json.Unmarshal(body, &b, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("the body is no order: %w", err)
	}
	switch {
	case key == "":
		return nil, errors.New("the header Idempotency-Key is missing")
	case b.CustomerID == "" || len(b.Currency) != 3:
		return nil, errors.New("customer_id or currency is missing")
	case len(b.Lines) == 0 || len(b.Lines) > maxLines:
		return nil, errors.New("an order has 1 to 2000 lines")
	}
	o := &Order{
		ID: OrderID(key), Fingerprint: sha256.Sum256(body), Body: body,
		CustomerID: b.CustomerID, Currency: b.Currency, Lines: make([]Line, len(b.Lines)),
	}
	for i, l := range b.Lines {
		price, err := parseMicros(l.UnitPrice)
		if err != nil || l.SKU == "" || l.Quantity < 1 || l.Quantity > maxQuantity || price > maxMicros/l.Quantity {
			return nil, fmt.Errorf("line %d: sku, quantity or unit_price is invalid", i+1)
		}
		o.Lines[i] = Line{SKU: l.SKU, Quantity: l.Quantity, UnitPriceMicros: price}
		o.TotalMicros += l.Quantity * price
	}
	o.Needs = needs(o.Lines)
	return o, nil
}

// needs adds up lines of one SKU, and sorts.
func needs(lines []Line) []Need {
	all := make([]Need, 0, len(lines))
	for _, l := range lines {
		all = append(all, Need{l.SKU, l.Quantity})
	}
	slices.SortFunc(all, func(a, b Need) int { return strings.Compare(a.SKU, b.SKU) })
	n := 0
	for _, need := range all[1:] {
		if all[n].SKU == need.SKU {
			all[n].Quantity += need.Quantity
			continue
		}
		n++
		all[n] = need
	}
	return all[:n+1]
}

// parseMicros reads a decimal of at most 6 decimals, not negative, as millionths.
func parseMicros(text string) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > 6 || whole == "" || whole[0] == '+' || whole[0] == '-' {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || n > maxMicros/micros {
		return 0, strconv.ErrRange
	}
	part := uint64(0)
	if fraction != "" {
		if part, err = strconv.ParseUint(fraction, 10, 63); err != nil {
			return 0, strconv.ErrSyntax
		}
		for range 6 - len(fraction) {
			part *= 10
		}
	}
	return int64(n*micros + part), nil
}

// appendMoney appends millionths as an amount with two decimals, half up.
func appendMoney(b []byte, amount int64) []byte {
	cents := (amount + micros/200) / (micros / 100)
	b = strconv.AppendInt(b, cents/100, 10)
	return append(b, '.', byte('0'+cents/10%10), byte('0'+cents%10))
}
