package analytics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// errLate means that a swap would have outlasted its fence. Nothing was swapped.
var errLate = errors.New("the shadow did not catch up with the mirror in use while that took no rows")

const (
	// A shadow follows closely when it is behind by less than this fraction of a fence (1/4).
	closeFraction = 4
	// approachRounds is how often a swap waits for that before it tries all the same.
	approachRounds = 50
)

// catchUpPoll is how often a swap looks whether the shadow has caught up.
const catchUpPoll = 20 * time.Millisecond

// swap makes the shadow the mirror in use. It returns for how long the mirror took no rows.
func (r *rebuild) swap(ctx context.Context) (fenced time.Duration, err error) {
	if err := r.used.conn.AllReplicas(ctx); err != nil {
		return 0, err
	}
	for range swapAttempts {
		if err := r.approach(ctx); err != nil {
			return 0, err
		}
		fenced, err = r.trySwap(ctx)
		if !errors.Is(err, errLate) {
			return fenced, err
		}
		r.cfg.Logger.Warn("the swap is tried again", "why", err)
	}
	return 0, fmt.Errorf("%w in %d attempts: try again when less is written, or ClickHouse has less to do",
		err, swapAttempts)
}

// approach waits until the shadow follows the mirror in use closely: until it reaches what that has in a small part of
// the time that a fence lasts.
func (r *rebuild) approach(ctx context.Context) error {
	for range approachRounds {
		r.observe(RebuildState{Phase: RebuildFills, Fault: r.shadow.mirror.currentFault()})
		target, err := r.used.target(ctx, r.shadow.mirror)
		if err != nil {
			return err
		}
		began := time.Now()
		for !r.shadow.mirror.reached().Reaches(target) {
			r.observe(RebuildState{Phase: RebuildFills, Fault: r.shadow.mirror.currentFault()})
			if err := r.pause(ctx); err != nil {
				return err
			}
		}
		if time.Since(began) <= r.cfg.Fence/closeFraction {
			break
		}
	}
	return nil
}

// trySwap fences the mirror in use, lets the shadow reach all that it has, and swaps. Readers never see less than
// before: what they have seen is in the shadow. It begins to swap in the first half of the fence only.
func (r *rebuild) trySwap(ctx context.Context) (time.Duration, error) {
	present, err := r.used.conn.Tables(ctx)
	if err != nil {
		return 0, err
	}
	m, err := Migrations()
	if err != nil {
		return 0, err
	}
	var tables, fenced []string
	for _, table := range m.Tables() {
		if table.Name != tableProgress {
			tables = append(tables, table.Name)
		}
		if _, exists := present[table.Name]; exists {
			fenced = append(fenced, table.Name)
		}
	}
	r.observe(RebuildState{Phase: RebuildFences})
	began := time.Now()
	intime, cancel := context.WithTimeoutCause(ctx, r.cfg.Fence/2, errLate)
	defer cancel()
	err = r.used.conn.Fence(intime, fenced, r.cfg.Fence)
	if err == nil {
		err = r.reachInUse(intime, fenced)
	}
	if err == nil {
		err = r.claim(intime)
	}
	if err != nil {
		if r.shadow.stop == nil {
			r.shadow.fill(ctx, r.failed)
		}
		if unfenceErr := r.used.conn.Unfence(context.WithoutCancel(ctx), fenced); unfenceErr != nil {
			r.cfg.Logger.Warn("the mirror takes no rows for some seconds", "why", unfenceErr)
		}
		if ctx.Err() == nil && intime.Err() != nil {
			err = errLate
		}
		return 0, err
	}
	// The migrations come after the rows, and the progress last. A kill in between leaves complete tables, with the
	// progress of the former ones, which the new ones have reached.
	for _, table := range append(tables, clickhouse.MigrationsTable, tableProgress) {
		r.observe(RebuildState{Phase: RebuildSwaps, Table: table})
		move := r.used.conn.Exchange
		if _, exists := present[table]; !exists {
			move = r.used.conn.Take
		}
		if err := move(context.WithoutCancel(ctx), r.shadow.conn, table); err != nil { // an interruption comes too late
			return 0, fmt.Errorf("swap the table %s: the swap stops here. Tables that were swapped stay, and all are "+
				"complete; run the rebuild again: %w", table, err)
		}
	}
	return time.Since(began), nil
}

// reachInUse waits until the shadow has all rows that readers may have seen, and ends its filling.
func (r *rebuild) reachInUse(ctx context.Context, tables []string) error {
	if err := r.used.conn.AwaitInserts(ctx, tables); err != nil {
		return err
	}
	target, err := r.used.target(ctx, r.shadow.mirror)
	if err != nil {
		return err
	}
	for !r.shadow.mirror.reached().Reaches(target) {
		if err := backoff.Sleep(ctx, catchUpPoll); err != nil {
			return err
		}
	}
	return nil
}

// target is how far the mirror in use is. It may have rows behind its progress.
func (u *inUse) target(ctx context.Context, m *Mirror) (eventlog.Offsets, error) {
	if u.unusable != "" {
		return nil, nil
	}
	now, err := loadProgress(ctx, u.conn)
	if err != nil {
		return nil, err
	}
	target := now.next
	last, err := loadLastEvents(ctx, u.conn, topicPartitions(m.allPartitions()))
	for tp, e := range last {
		target.Merge(eventlog.Offsets{tp: e.offset + 1})
	}
	return target, err
}

// claim ends the filling and marks the shadow as being swapped. Of two rebuilds one can.
func (r *rebuild) claim(ctx context.Context) error {
	r.shadow.halt()
	if err := r.shadow.parkUndecoded(ctx, r.cfg.Client); err != nil {
		return err
	}
	err := r.shadow.conn.Exec(ctx, fmt.Sprintf(createSwapping, r.id), nil, nil)
	if err != nil {
		var swapper string // it may be this rebuild, whose last attempt was late
		askErr := r.shadow.conn.Each(ctx, swapperQuery, nil, nil,
			func(rows clickhouse.Rows) error { return rows.Scan(&swapper) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if askErr != nil || swapper != r.id.String() {
			return fmt.Errorf("%w (%w)", errShadowLost, err)
		}
	}
	id, err := mirrorID(ctx, r.shadow.conn)
	if err == nil && id == r.shadow.id {
		return nil
	}
	// It is the shadow of somebody else, made since.
	err = errors.Join(err, r.shadow.conn.Exec(ctx, "DROP TABLE "+tableSwapping+" SYNC", nil, nil))
	return errors.Join(errShadowLost, err)
}
