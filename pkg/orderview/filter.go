package orderview

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// Filter selects orders: those that have all that is set.
type Filter struct {
	CustomerID, Status, PaymentStatus, FulfilmentStatus, ReturnStatus string
	// Kind is order, imported_order or credit_note.
	Kind                         string
	SKU                          string // of one of the lines, also of a cancelled one
	Reference, Country, Currency string
	Number                       uint64 // 0: any
	Metadata                     Metadata
	// MinTotal and MaxTotal bound the total in micro-units of Currency, both included; nil: no bound.
	MinTotal, MaxTotal *int64
	// Placed is when the order was placed; Changed when its last event was recorded; Deadline when it has to be paid.
	Placed, Changed, Deadline TimeRange
}

// TimeRange is from From, included, to To, excluded. A zero time is no bound.
type TimeRange struct{ From, To time.Time }

func (r *TimeRange) isSet() bool { return !r.From.IsZero() || !r.To.IsZero() }

func (r *TimeRange) has(at time.Time) bool {
	return (r.From.IsZero() || !at.Before(r.From)) && (r.To.IsZero() || at.Before(r.To))
}

// prefixes are those of the indexes that have the orders of the filter; none: no index has them. The first is that of
// the index that has the fewest in most shops.
func (f *Filter) prefixes() (all [][]byte) {
	add := func(kind byte, value string) {
		if value != "" {
			all = append(all, indexPrefix(nil, kind, value))
		}
	}
	add(keyReference, f.Reference)
	add(keyCustomer, f.CustomerID)
	for key, value := range f.Metadata {
		add(keyMetadata, metadataValue(key, value))
	}
	add(keySKU, f.SKU)
	add(keyStatus, f.Status)
	return all
}

// bounds are where the orders of the filter begin and end in an index with a prefix, newest first: behind after, which
// is a cursor, or from the newest on.
func (f *Filter) bounds(prefix, after []byte) (lower, upper []byte) {
	lower, upper = append(prefix[:len(prefix):len(prefix)], after...), upperBound(prefix)
	// The order of a time is under its inverse, so the newest comes first.
	inverted := func(at time.Time, more uint64) []byte {
		return binary.BigEndian.AppendUint64(prefix[:len(prefix):len(prefix)], uint64(math.MaxInt64-at.UnixMicro())+more)
	}
	if !f.Placed.To.IsZero() {
		if to := inverted(ceilMicros(f.Placed.To), 1); string(to) > string(lower) {
			lower = to
		}
	}
	if !f.Placed.From.IsZero() {
		upper = inverted(ceilMicros(f.Placed.From), 1)
	}
	if string(upper) < string(lower) { // the page before had the last order
		upper = lower
	}
	return lower, upper
}

// ceilMicros is the first whole microsecond that is not before a time.
func ceilMicros(at time.Time) time.Time {
	if whole := at.Truncate(time.Microsecond); !whole.Equal(at) {
		return whole.Add(time.Microsecond)
	}
	return at
}

// selects reports whether the filter, but for its number, selects an order.
func (f *Filter) selects(o *Order) bool {
	for _, member := range [...]struct{ want, has string }{
		{f.CustomerID, o.CustomerID}, {f.Status, o.Status}, {f.PaymentStatus, o.PaymentStatus},
		{f.FulfilmentStatus, o.FulfilmentStatus}, {f.ReturnStatus, o.ReturnStatus}, {f.Kind, o.Kind},
		{f.Reference, o.Reference}, {f.Country, o.Country}, {f.Currency, o.Currency},
	} {
		if member.want != "" && member.want != member.has {
			return false
		}
	}
	for key, value := range f.Metadata {
		if o.Metadata[key] != value {
			return false
		}
	}
	return f.selectsLines(o) && f.selectsTimes(o) &&
		(f.MinTotal == nil || o.totalMicros >= *f.MinTotal) && (f.MaxTotal == nil || o.totalMicros <= *f.MaxTotal)
}

func (f *Filter) selectsLines(o *Order) bool {
	if f.SKU == "" {
		return true
	}
	for i := range o.Lines {
		if o.Lines[i].SKU == f.SKU {
			return true
		}
	}
	return false
}

func (f *Filter) selectsTimes(o *Order) bool {
	return f.Placed.has(o.Timeline[0].OccurredAt) && f.Changed.has(o.Timeline[len(o.Timeline)-1].RecordedAt) &&
		(!f.Deadline.isSet() || !o.deadline.IsZero() && f.Deadline.has(o.deadline))
}

// Words of the filter's members, in the order in which the API lists them.
var (
	paymentStatuses = []string{
		"not_required", "pending", "authorized", "partially_captured", "captured", "partially_refunded", "refunded", "voided",
		"failed",
	}
	fulfilmentStatuses = []string{"unfulfilled", "partially_fulfilled", "fulfilled", "delivered"}
	returnStatuses     = []string{"none", "requested", "partially_received", "received"}
	kinds              = []string{"order", "imported_order", "credit_note"}
)

// PaymentStatuses are all that an order can have.
func PaymentStatuses() []string { return slices.Clone(paymentStatuses) }

// FulfilmentStatuses are all that an order can have; a credit note has none.
func FulfilmentStatuses() []string { return slices.Clone(fulfilmentStatuses) }

// ReturnStatuses are all that an order can have.
func ReturnStatuses() []string { return slices.Clone(returnStatuses) }

// Kinds are those of orders and past documents.
func Kinds() []string { return slices.Clone(kinds) }
