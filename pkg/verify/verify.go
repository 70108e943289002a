// Package verify reads the log from its start with a naive fold of its own and holds it to what must
// always be so. It shares the event schema with the rest of Holdfast, and no rule: where both would be
// wrong in the same way, nothing would be found.
package verify

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// maxExamples of one invariant are shown; all are counted.
const maxExamples = 5

// Invariant is one thing that must hold.
type Invariant struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Checked    int64    `json:"checked"`
	Violations int64    `json:"violations"`
	Examples   []string `json:"examples,omitempty"`
	// Note says what was left out.
	Note string `json:"note,omitempty"`
}

// The invariants, in the order of the report.
const (
	Oversold     = "I1"
	Conserved    = "I2"
	Acknowledged = "I3"
	OneKey       = "I4"
	Refused      = "I5"
	Versions     = "I6"
	View         = "I7"
	Money        = "I10"
	Transitions  = "I12"
	Agreement    = "I16"
	Envelope     = "ENV"
)

var names = []struct{ id, name string }{
	{Oversold, "never oversold, at any prefix of a SKU's partition"},
	{Conserved, "stock is conserved, and each reservation is accounted for"},
	{Acknowledged, "every acknowledged order is in the log"},
	{OneKey, "one key, one order"},
	{Refused, "a refusal left nothing but the outcome that records it"},
	{Versions, "versions per aggregate are gap-free, keys and partitions right"},
	{View, "availability rows equal the fold of the log"},
	{Money, "money adds up"},
	{Transitions, "only legal changes of status"},
	{Agreement, "orders and stock agree"},
	{Envelope, "every event decodes, with its CloudEvents headers"},
}

// Report is what was found.
type Report struct {
	Events     int64        `json:"events"`
	Orders     int          `json:"orders"`
	SKUs       int          `json:"skus"`
	OpenOrders int          `json:"open_orders"`
	Invariants []*Invariant `json:"invariants"`
}

// Clean reports whether nothing was violated.
func (r *Report) Clean() bool {
	return !slices.ContainsFunc(r.Invariants, func(i *Invariant) bool { return i.Violations > 0 })
}

// checker is one verification.
type checker struct {
	byID   map[string]*Invariant
	report *Report
	layout eventlog.Layout
	items  map[string]*item
	orders map[string]*order
	keys   map[string]string // idempotency key of a placement → order ID
}

func newChecker(layout eventlog.Layout) *checker {
	c := &checker{byID: map[string]*Invariant{}, report: &Report{}, layout: layout,
		items: map[string]*item{}, orders: map[string]*order{}, keys: map[string]string{}}
	for _, n := range names {
		inv := &Invariant{ID: n.id, Name: n.name}
		c.byID[n.id] = inv
		c.report.Invariants = append(c.report.Invariants, inv)
	}
	return c
}

// check counts one look at an invariant.
func (c *checker) check(id string, ok bool, format string, args ...any) {
	inv := c.byID[id]
	inv.Checked++
	if ok {
		return
	}
	inv.Violations++
	if len(inv.Examples) < maxExamples {
		inv.Examples = append(inv.Examples, fmt.Sprintf(format, args...))
	}
}

// Options say what to verify besides the log.
type Options struct {
	// Acks are the answers that clients got, as holdfast bench writes them; nil: there are none.
	Acks io.Reader
	// Progress is told how many events have been read; nil: nobody asks.
	Progress func(events int64)
}

// Run verifies the log that the client reaches.
func Run(ctx context.Context, client *eventlog.Client, o Options) (*Report, error) {
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return nil, err
	}
	c := newChecker(layout)
	// Orders first: stock is then compared with them.
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		if err := c.readTopic(ctx, client, topic, o.Progress); err != nil {
			return nil, err
		}
	}
	c.agree()
	if err := c.view(ctx, client); err != nil {
		return nil, err
	}
	if o.Acks == nil {
		for _, id := range []string{Acknowledged, OneKey, Refused} {
			c.byID[id].Note = "without --acks only what the log shows by itself was checked"
		}
	} else if err := c.acks(o.Acks); err != nil {
		return nil, err
	}
	c.report.Orders, c.report.SKUs = len(c.orders), len(c.items)
	return c.report, nil
}

func (c *checker) readTopic(ctx context.Context, client *eventlog.Client, topic string, progress func(int64)) error {
	tps := make([]eventlog.TopicPartition, c.layout.PartitionCount)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: topic, Partition: int32(i)}
	}
	from, err := client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	for tp, start := range from {
		if start != 0 {
			return fmt.Errorf("%s partition %d starts at offset %d: the log's beginning is gone, and with it the truth", tp.Topic, tp.Partition, start)
		}
	}
	to, err := client.StableOffsets(ctx, tps)
	if err != nil {
		return err
	}
	return client.Read(ctx, from, to, func(rec *eventlog.Record) error {
		if topic == eventlog.TopicOrders {
			c.orderRecord(rec)
		} else {
			c.stockRecord(rec)
		}
		c.report.Events++
		if progress != nil && c.report.Events%10_000 == 0 {
			progress(c.report.Events)
		}
		return nil
	})
}

func at(rec *eventlog.Record) string {
	return fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset)
}

// envelope checks what every event carries; false when the event cannot be used.
func (c *checker) envelope(rec *eventlog.Record, meta *eventv1.Meta, id, source, field string) bool {
	if meta == nil || id == "" || field == "" || len(meta.EventId) != 16 {
		c.check(Envelope, false, "%s: an event without meta, aggregate, ID or a known change", at(rec))
		return false
	}
	c.check(Versions, string(rec.Key) == id, "%s: key %q on an event of %q", at(rec), rec.Key, id)
	c.check(Versions, rec.Partition == partitionOf(id, c.layout.PartitionCount), "%s: %q belongs to partition %d", at(rec), id, partitionOf(id, c.layout.PartitionCount))
	c.headers(rec, meta, source, field)
	return true
}
