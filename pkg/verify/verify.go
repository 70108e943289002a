// Package verify reads the log from its start with a naive fold of its own and holds it to what must
// always be so. It shares the event schema with the rest of Holdfast, and no rule: where both would be
// wrong in the same way, nothing would be found.
//
// It owns no state: each run begins at offset 0 and keeps one small record of every order, SKU and
// reservation in memory.
package verify

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// DefaultExamples of one invariant are shown; all are counted.
const DefaultExamples = 5

// progressEvery so many events the caller is told.
const progressEvery = 10_000

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
	Replayed     = "I8"
	Mirror       = "I9"
	Money        = "I10"
	Transitions  = "I12"
	Agreement    = "I16"
	Envelope     = "ENV"
)

var names = []struct{ id, name string }{
	{Oversold, "never oversold, at any prefix of a SKU's partition"},
	{Conserved, "stock is conserved, and each reservation is accounted for"},
	{Acknowledged, "every acknowledged command is in the log"},
	{OneKey, "one key, one order, one effect"},
	{Refused, "a refusal is true, and left nothing but its outcome"},
	{Versions, "versions per aggregate are gap-free, keys and partitions right"},
	{View, "availability rows equal the fold of the log"},
	{Replayed, "ClickHouse filled again from the log is equal"},
	{Mirror, "ClickHouse equals the log"},
	{Money, "money adds up"},
	{Transitions, "only legal changes of status"},
	{Agreement, "orders and stock agree"},
	{Envelope, "every event decodes, with its CloudEvents headers"},
}

// Report is what was found.
type Report struct {
	Events int64 `json:"events"`
	Orders int   `json:"orders"`
	SKUs   int   `json:"skus"`
	// OpenOrders still wait for their first outcome.
	OpenOrders int `json:"open_orders"`
	// UnsettledOrders wait for stock of another shard to follow their last change.
	UnsettledOrders int `json:"unsettled_orders"`
	// RowsBehind are availability rows older than the log that was read.
	RowsBehind int `json:"rows_behind"`
	// Moving: events were written while the log was read, so orders, stock and views were not compared
	// at one moment.
	Moving     bool         `json:"moving"`
	Invariants []*Invariant `json:"invariants"`
}

// Clean reports whether nothing was violated.
func (r *Report) Clean() bool {
	return !slices.ContainsFunc(r.Invariants, func(i *Invariant) bool { return i.Violations > 0 })
}

// checker is one verification.
type checker struct {
	o      Options
	byID   map[string]*Invariant
	report *Report
	layout eventlog.Layout
	items  map[string]*item
	orders map[string]*order
	// skus holds each name once.
	skus map[string]string
	// keys: idempotency key of a placement → order ID.
	keys    map[string]string
	effects effects
	// succeeded are the commands that an acks file says were done, refused those that are in the log and were told not to be.
	succeeded map[ack]bool
	refused   []ack
	// generations that wrote each partition last.
	generations map[eventlog.TopicPartition]uint32
	ends        eventlog.Offsets
	rows        *rows
	// mirrored is what ClickHouse should hold; nil: nobody asks.
	mirrored *mirrorFold
}

func newChecker(layout eventlog.Layout, o Options) *checker {
	if o.Examples == 0 {
		o.Examples = DefaultExamples
	}
	if o.MirrorWait == 0 {
		o.MirrorWait = DefaultMirrorWait
	}
	c := &checker{o: o, byID: map[string]*Invariant{}, report: &Report{}, layout: layout,
		items: map[string]*item{}, orders: map[string]*order{}, skus: map[string]string{}, keys: map[string]string{}, effects: newEffects(), succeeded: map[ack]bool{},
		generations: map[eventlog.TopicPartition]uint32{}, ends: eventlog.Offsets{}, rows: newRows()}
	for _, n := range names {
		inv := &Invariant{ID: n.id, Name: n.name}
		c.byID[n.id] = inv
		c.report.Invariants = append(c.report.Invariants, inv)
	}
	return c
}

// check counts one look at an invariant. Arguments are formatted only for an example.
func (c *checker) check(id string, ok bool, format string, args ...any) {
	inv := c.byID[id]
	inv.Checked++
	if ok {
		return
	}
	inv.Violations++
	if len(inv.Examples) < c.o.Examples {
		inv.Examples = append(inv.Examples, fmt.Sprintf(format, args...))
	}
}

// Options say what to verify besides the log.
type Options struct {
	// Acks are the answers that clients got, as holdfast bench writes them; nil: there are none.
	Acks io.Reader
	// ClickHouse is the address of the mirror; empty: there is none to verify.
	ClickHouse string
	// MirrorWait bounds how long the mirror may stand still on its way to where the log was read; 0: DefaultMirrorWait.
	MirrorWait time.Duration
	// Progress is told how many events have been read; nil: nobody asks.
	Progress func(events int64)
	// Examples of an invariant that are kept; 0: DefaultExamples.
	Examples int
	// ViewWait bounds the wait for availability rows to follow a log that nobody writes; 0: no wait.
	ViewWait time.Duration
	// Settled demands that no order is open or unsettled: nothing is under way any more.
	Settled bool
}

// Run verifies the log that the client reaches.
func Run(ctx context.Context, client *eventlog.Client, o Options) (*Report, error) {
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return nil, err
	}
	c := newChecker(layout, o)
	if o.ClickHouse != "" {
		c.mirrored = newMirrorFold()
	}
	events := append(c.partitions(eventlog.TopicOrders), c.partitions(eventlog.TopicInventory)...)
	before, err := client.EndOffsets(ctx, events)
	if err != nil {
		return nil, err
	}
	// Orders first: stock is then compared with them. Rows before stock: the fold passes each one's offset.
	if err := c.readTopic(ctx, client, eventlog.TopicOrders, c.orderRecord); err != nil {
		return nil, err
	}
	if err := c.readRows(ctx, client); err != nil {
		return nil, err
	}
	if err := c.readTopic(ctx, client, eventlog.TopicInventory, c.stockRecord); err != nil {
		return nil, err
	}
	after, err := client.EndOffsets(ctx, events)
	if err != nil {
		return nil, err
	}
	c.report.Moving = !before.Covers(after)
	c.agree()
	if err := c.finishRows(ctx, client); err != nil {
		return nil, err
	}
	if c.mirrored == nil {
		for _, id := range []string{Replayed, Mirror} {
			c.byID[id].Note = "not checked without --clickhouse"
		}
	} else if err := c.mirror(ctx, client, o.ClickHouse); err != nil {
		return nil, err
	}
	if o.Acks == nil {
		c.byID[Acknowledged].Note = "not checked without --acks"
		for _, id := range []string{OneKey, Refused} {
			c.byID[id].Note = "without --acks only what the log shows by itself was checked"
		}
	} else if err := c.acks(o.Acks); err != nil {
		return nil, err
	}
	c.report.Orders, c.report.SKUs = len(c.orders), len(c.items)
	return c.report, nil
}

func (c *checker) partitions(topic string) []eventlog.TopicPartition {
	tps := make([]eventlog.TopicPartition, c.layout.PartitionCount)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: topic, Partition: int32(i)}
	}
	return tps
}

// readTopic hands an event topic's committed records to fn, from the first one ever written.
func (c *checker) readTopic(ctx context.Context, client *eventlog.Client, topic string, fn func(*eventlog.Record)) error {
	tps := c.partitions(topic)
	from, err := client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	for tp, start := range from {
		if start != 0 {
			return fmt.Errorf("%s partition %d starts at offset %d: the log's beginning is gone, and with it the truth", tp.Topic, tp.Partition, start)
		}
	}
	// To the true end: an answer may be out a moment before readers see its transaction.
	to, err := client.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	c.ends.Merge(to)
	return client.Read(ctx, from, to, func(rec *eventlog.Record) error {
		fn(rec)
		if c.mirrored != nil {
			c.mirrored.record(rec)
		}
		c.report.Events++
		if c.o.Progress != nil && c.report.Events%progressEvery == 0 {
			c.o.Progress(c.report.Events)
		}
		return nil
	})
}

// place names a record; it is formatted only when an example is.
type place eventlog.Record

// String implements fmt.Stringer.
func (p *place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

func at(rec *eventlog.Record) fmt.Stringer { return (*place)(rec) }

// envelope checks what every event carries; false when the event cannot be used.
func (c *checker) envelope(rec *eventlog.Record, meta *eventv1.Meta, id, source, name string, written int) bool {
	if meta == nil || id == "" || name == "" || len(meta.EventId) != 16 {
		c.check(Envelope, false, "%s: an event without meta, aggregate, ID or a known change", at(rec))
		return false
	}
	c.headers(rec, meta, source, name, written)
	c.check(Versions, string(rec.Key) == id, "%s: key %q on an event of %q", at(rec), rec.Key, id)
	partition := partitionOf(id, c.layout.PartitionCount)
	c.check(Versions, rec.Partition == partition, "%s: %q belongs to partition %d", at(rec), id, partition)
	if meta.Generation == c.layout.Generation {
		shard := uint32(rec.Partition % c.layout.ShardCount)
		c.check(Versions, meta.Shard == shard, "%s: written by shard %d, the partition is shard %d's", at(rec), meta.Shard, shard)
	}
	last := c.generations[rec.TopicPartition]
	c.check(Versions, meta.Generation >= last && meta.Generation <= c.layout.Generation,
		"%s: written by generation %d after generation %d, the layout's is %d", at(rec), meta.Generation, last, c.layout.Generation)
	c.generations[rec.TopicPartition] = max(last, meta.Generation)
	again := meta.IdempotencyKey != "" && meta.Cause == eventv1.Cause_CAUSE_COMMAND && c.effects.again(rec.Topic, id, meta)
	// A document that was refused has no key: it may come again under the same one.
	o := c.orders[id]
	refused := rec.Topic == eventlog.TopicOrders && o != nil && o.pastDocument() && o.status == "rejected"
	c.check(OneKey, !again || refused, "%s: key %q takes effect on %q for a second time", at(rec), meta.IdempotencyKey, id)
	return true
}
