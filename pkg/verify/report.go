package verify

import (
	"fmt"
	"slices"
)

// The invariants, by their numbers in ARCHITECTURE.md. I11 and I13 to I15 are about processes that run, and do not show
// in a log. Envelope has no number there.
const (
	Oversold     = "I1"
	Conserved    = "I2"
	Acknowledged = "I3"
	OneKey       = "I4"
	Refused      = "I5"
	Versions     = "I6"
	View         = "I7"
	Replayed     = "I8"
	Mirror       = "I9"
	Money        = "I10"
	Transitions  = "I12"
	Agreement    = "I16"
	Places       = "I17"
	Envelope     = "ENV"
)

// names are in the order of the report.
var names = []struct{ id, name string }{
	{Oversold, "never oversold, at any point of the log"},
	{Conserved, "stock is conserved, reservations accounted for"},
	{Acknowledged, "every acknowledged command is in the log"},
	{OneKey, "one key, one order, one effect"},
	{Refused, "a refusal is true, and left only its outcome"},
	{Versions, "versions have no gaps, keys and partitions fit"},
	{View, "availability rows equal the fold of the log"},
	{Replayed, "ClickHouse filled again from the log is equal"},
	{Mirror, "ClickHouse equals the log"},
	{Money, "money adds up"},
	{Transitions, "only legal changes of status"},
	{Agreement, "orders and stock agree"},
	{Places, "goods come to known locations"},
	{Envelope, "every event decodes, and has its headers"},
}

// Report is what was found.
type Report struct {
	Events int64 `json:"events"`
	Orders int   `json:"orders"`
	SKUs   int   `json:"skus"`
	// Quarantined records of the log were passed.
	Quarantined int `json:"quarantined"`
	// OpenOrders have no outcome yet: stock has not answered.
	OpenOrders int `json:"open_orders"`
	// UnsettledOrders wait for stock of another shard to follow their last change.
	UnsettledOrders int `json:"unsettled_orders"`
	// UnplacedOrders are not in the log, or were placed by another attempt, and stock of another shard holds units for
	// them: it was asked before the order was to be written. They are placed within moments, or the units are given back
	// when their shard has a new owner.
	UnplacedOrders int `json:"unplaced_orders"`
	// RowsBehind are availability rows that are older than what was read of the log.
	RowsBehind int `json:"rows_behind"`
	// Moving says that events were written while the log was read. Orders, stock and views were then read at different
	// moments, and are not compared with each other.
	Moving bool `json:"moving"`
	// ReusedKeys placed two orders, because a client sent them again with another body whose first SKU differs. It is no
	// violation; the client's use of keys is at fault.
	ReusedKeys        int64        `json:"reused_keys"`
	ReusedKeyExamples []string     `json:"reused_key_examples,omitempty"`
	Invariants        []*Invariant `json:"invariants"`
}

// Invariant is one thing that must always hold, and how often it was checked.
type Invariant struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Checked    int64    `json:"checked"`
	Violations int64    `json:"violations"`
	Examples   []string `json:"examples,omitempty"`
	// Note says what was not checked.
	Note string `json:"note,omitempty"`
}

// Clean reports whether no invariant is violated.
func (r *Report) Clean() bool {
	return !slices.ContainsFunc(r.Invariants, func(i *Invariant) bool { return i.Violations > 0 })
}

// check counts one check of an invariant, and a violation where ok is false. The message is formatted only where it is
// kept as an example.
func (c *checker) check(id string, ok bool, format string, args ...any) {
	inv := c.byID[id]
	inv.Checked++
	if ok {
		return
	}
	inv.Violations++
	if c.found != nil {
		c.found(inv, format, args)
		return
	}
	if len(inv.Examples) < c.o.Examples {
		inv.Examples = append(inv.Examples, fmt.Sprintf(format, args...))
	}
}
