// Package verify reads the log from its start and checks the invariants that ARCHITECTURE.md numbers I1, I2 and so on.
// It shares the event schema with the rest of Holdfast, and no rule and no table: a mistake that both sides share would
// not be found. Where it needs a rule, such as the rounding of money, it has its own.
//
// Its files are of four kinds:
//
//   - What reads: verify.go runs a verification, read.go reads topics, and report.go gathers what was found.
//   - What folds: orders.go, documents.go, shipments.go, amendments.go, returns.go and payments.go fold the events of
//     orders; stock.go, transfers.go, reservations.go and backorders.go those of stock. They check I10 (money), I12
//     (changes of status, transitions.go) and I2 (conservation) on the way.
//   - What checks: envelope.go headers and versions of events (ENV, I6), keys.go idempotency keys (I4), oversold.go
//     what stock promises and refuses (I1, I5), levels.go the levels that events state (I2), allocation.go allocation
//     rules and agreement.go orders against stock (I16), places.go locations (I17), rows.go the availability topic
//     (I7), acks.go the answers that clients got (I3 to I5), mirror.go, mirrorsums.go and mirrorchange.go ClickHouse
//     (I9), and refill.go a copy of ClickHouse that is filled again (I8).
//   - What follows: auditor.go is the service, auditview.go folds and saves, due.go compares orders and stock when
//     nothing
//     of them is under way, followrows.go compares rows, auditmetrics.go tells what was found; state.go, keys.go,
//     disk.go, coding.go and marks.go keep its records on disk.
//
// A verification of a whole log keeps nothing between runs. In memory it has one small record of every order, SKU and
// reservation. The auditor's memory is bounded.
package verify

import (
	"context"
	"io"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// DefaultExamples is how many violations of one invariant are shown; all are counted.
const DefaultExamples = 5

// Options say what to verify besides the log.
type Options struct {
	// Acks are the answers that clients got, as holdfast bench writes them; nil: there are none. They are read a second
	// time where a refused command is found in the log.
	Acks io.ReadSeeker
	// ClickHouse is the address of the mirror; empty: the mirror is not verified.
	ClickHouse string
	// MirrorWait is how long the mirror may make no progress before it has what was read of the log; 0:
	// DefaultMirrorWait.
	MirrorWait time.Duration
	// Progress is called with the number of events that were read; nil: nobody asks.
	Progress func(events int64)
	// Examples of an invariant's violations that are kept; 0: DefaultExamples.
	Examples int
	// ViewWait bounds the wait for availability rows to follow a log that nobody writes; 0: no wait.
	ViewWait time.Duration
	// Settled makes orders that are open or unsettled violations: nothing is expected to be under way.
	Settled bool
}

// Run verifies the log that the client reaches.
func Run(ctx context.Context, client *eventlog.Client, o Options) (*Report, error) {
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return nil, err
	}
	c := newChecker(layout, o)
	c.placesUsed = map[string]placeUse{}
	if o.ClickHouse != "" {
		c.mirrorSums = newMirrorSums()
	}
	if err := c.readLog(ctx, client); err != nil {
		return nil, err
	}
	quarantined, err := client.Quarantines(ctx)
	if err != nil {
		return nil, err
	}
	c.report.Quarantined = len(quarantined)
	c.checkAgreement()
	if err := c.checkPlaces(ctx, client); err != nil {
		return nil, err
	}
	if err := c.checkRows(ctx, client); err != nil {
		return nil, err
	}
	if c.mirrorSums == nil {
		for _, id := range []string{Replayed, Mirror} {
			c.byID[id].Note = "not checked without --clickhouse"
		}
	} else if err := c.checkMirror(ctx, client, o.ClickHouse); err != nil {
		return nil, err
	}
	if o.Acks == nil {
		c.byID[Acknowledged].Note = "not checked without --acks"
		for _, id := range []string{OneKey, Refused} {
			c.byID[id].Note = "without --acks only what the log shows by itself was checked"
		}
	} else if err := c.checkAcks(o.Acks); err != nil {
		return nil, err
	}
	c.report.Orders, c.report.SKUs = c.countOrders(), len(c.items.recent)
	return c.report, nil
}

// checker is one verification.
type checker struct {
	o      Options
	layout eventlog.Layout
	report *Report
	byID   map[string]*Invariant

	items    table[item, *item]       // by SKU
	accounts table[account, *account] // by order ID
	skuNames map[string]string        // each name once
	keys     keys
	// generations are the layout's generations that wrote to each partition last.
	generations map[eventlog.TopicPartition]uint32
	ends        eventlog.Offsets // up to where the log was read
	rows        *rows
	// placesUsed are the locations that commands used first for an item; nil: nobody asks.
	placesUsed map[string]placeUse
	// mirrorSums is what ClickHouse should have; nil: it is not verified.
	mirrorSums *mirrorSums
	// found is told of each violation, and newerLayout asked for the layout when an event has a newer generation; nil:
	// nobody follows the log.
	found       func(inv *Invariant, format string, args []any)
	newerLayout func() eventlog.Layout
	// reused is told of each key that was used for two requests; nil: examples are kept.
	reused func(detail string)
}

func newChecker(layout eventlog.Layout, o Options) *checker { return newCheckerOn(layout, o, nil) }

// newCheckerOn is newChecker with records on a disk; nil: all are in memory.
func newCheckerOn(layout eventlog.Layout, o Options, disk *disk) *checker {
	if o.Examples == 0 {
		o.Examples = DefaultExamples
	}
	if o.MirrorWait == 0 {
		o.MirrorWait = DefaultMirrorWait
	}
	c := &checker{
		o:           o,
		layout:      layout,
		report:      &Report{},
		byID:        map[string]*Invariant{},
		items:       newTable[item](disk, keyItem),
		accounts:    newTable[account](disk, keyAccount),
		skuNames:    map[string]string{},
		keys:        newKeys(disk),
		generations: map[eventlog.TopicPartition]uint32{},
		ends:        eventlog.Offsets{},
		rows:        newRows(),
	}
	for _, n := range names {
		inv := &Invariant{ID: n.id, Name: n.name}
		c.byID[n.id] = inv
		c.report.Invariants = append(c.report.Invariants, inv)
	}
	return c
}
