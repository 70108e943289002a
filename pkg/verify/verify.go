// Package verify reads the log from its start and checks the invariants that ARCHITECTURE.md numbers I1, I2 and so on.
// It shares the event schema with the rest of Holdfast, and no rule and no table: a mistake that both sides share would
// not be found. Where it needs a rule, such as the rounding of money, it has its own.
//
// Its files are of three kinds:
//
//   - What reads: verify.go runs a verification, read.go reads topics, and report.go gathers what was found.
//   - What folds: orders.go, documents.go, shipments.go, amendments.go, returns.go and payments.go fold the events of
//     orders; stock.go, transfers.go, reservations.go and backorders.go those of stock. They check I10 (money), I12
//     (changes of status, transitions.go) and I2 (conservation) on the way.
//   - What checks: envelope.go headers and versions of events (ENV, I6), keys.go idempotency keys (I4), oversold.go
//     what stock promises and refuses (I1, I5), levels.go the levels that events state (I2), allocation.go allocation
//     rules and agreement.go orders against stock (I16), rows.go the availability topic (I7), acks.go the answers that
//     clients got (I3 to I5), mirror.go, mirrorsums.go and mirrorchange.go ClickHouse (I9), and refill.go a copy of
//     ClickHouse that is filled again (I8).
//
// It keeps nothing between runs. In memory it has one small record of every order, SKU and reservation.
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
	c.report.Orders, c.report.SKUs = len(c.orders), len(c.items)
	return c.report, nil
}

// checker is one verification.
type checker struct {
	o      Options
	layout eventlog.Layout
	report *Report
	byID   map[string]*Invariant

	items    map[string]*item  // by SKU
	orders   map[string]*order // by ID
	skuNames map[string]string // each name once
	placedBy map[string]string // idempotency key of a placement → order ID
	effects  effects
	// generations are the layout's generations that wrote to each partition last.
	generations map[eventlog.TopicPartition]uint32
	ends        eventlog.Offsets // up to where the log was read
	rows        *rows
	// mirrorSums is what ClickHouse should have; nil: it is not verified.
	mirrorSums *mirrorSums
}

func newChecker(layout eventlog.Layout, o Options) *checker {
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
		items:       map[string]*item{},
		orders:      map[string]*order{},
		skuNames:    map[string]string{},
		placedBy:    map[string]string{},
		effects:     newEffects(),
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
