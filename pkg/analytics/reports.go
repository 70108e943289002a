package analytics

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// awaitPoll is how often a reader that waits for a position asks how far the mirror is.
const awaitPoll = 100 * time.Millisecond

// Reports answers from the mirror.
type Reports struct {
	conn *clickhouse.Conn
	// fit once server and tables were seen to be what the queries need, until a query fails.
	fit atomic.Bool
}

// NewReports reads the mirror behind conn.
func NewReports(conn *clickhouse.Conn) *Reports { return &Reports{conn: conn} }

// progress is how far the mirror is, if it is one that can be asked.
func (r *Reports) progress(ctx context.Context) (*progress, error) {
	if !r.fit.Load() {
		m, err := Migrations()
		if err != nil {
			return nil, err
		}
		if err := r.conn.Check(ctx, m); err != nil {
			return nil, err
		}
		r.fit.Store(true)
	}
	p, err := loadProgress(ctx, r.conn)
	if err != nil {
		r.fit.Store(false)
	}
	return p, err
}

// Coverage is what an answer is made of.
type Coverage struct {
	// Position is up to where the mirror held the log before the question: the answer holds it, and may hold more.
	Position eventlog.Position
	// Age is how long ago the mirror was last known to hold all of the log; below 0: it never was.
	Age time.Duration
}

// StalledError says that a mirror that was waited for has not moved for a while.
type StalledError struct {
	Reached, Wanted eventlog.Position
	Unmoved         time.Duration
}

// Error implements error.
func (e *StalledError) Error() string {
	return fmt.Sprintf("the mirror in ClickHouse is at %q and has not moved for %v on its way to %s: is analytics-projector running? Its log and its /readyz say what is in its way",
		e.Reached, e.Unmoved, e.Wanted)
}

// Await returns how far the mirror is, once that covers the position; the zero position does not wait. When ctx
// ends first, its error comes with what was reached.
func (r *Reports) Await(ctx context.Context, position eventlog.Position) (Coverage, error) {
	return r.AwaitMoving(ctx, position, math.MaxInt64)
}

// AwaitMoving is Await for as long as the mirror moves on: once it has not for so long, the error is a StalledError.
func (r *Reports) AwaitMoving(ctx context.Context, position eventlog.Position, patience time.Duration) (Coverage, error) {
	return await(ctx, position, patience, func(ctx context.Context) (Coverage, error) {
		p, err := r.progress(ctx)
		if err != nil {
			return Coverage{}, err
		}
		return p.coverage(time.Now()), nil
	})
}

// await asks again and again how far the mirror is.
func await(ctx context.Context, position eventlog.Position, patience time.Duration, ask func(context.Context) (Coverage, error)) (Coverage, error) {
	var reached Coverage
	moved := time.Now()
	for {
		now, err := ask(ctx)
		switch {
		case ctx.Err() != nil:
			return reached, ctx.Err()
		case err == nil:
			if !now.Position.Equal(reached.Position) { // back is a move too: a rebuilt mirror fills again
				moved = time.Now()
			}
			if reached = now; reached.Position.Covers(position) {
				return reached, nil
			}
		case !clickhouse.IsMissing(err) || position.IsZero(): // a mirror that is not there yet is waited for
			return reached, err
		}
		if time.Since(moved) >= patience {
			return reached, &StalledError{Reached: reached.Position, Wanted: position, Unmoved: patience}
		}
		select {
		case <-ctx.Done():
			return reached, ctx.Err()
		case <-time.After(awaitPoll):
		}
	}
}

// coverage: the mirror is as old as its oldest partition.
func (p *progress) coverage(now time.Time) Coverage {
	c := Coverage{Position: eventlog.PositionOf(p.next)}
	if len(p.currentAt) == 0 {
		c.Age = -1
	}
	for _, at := range p.currentAt {
		if !at.After(neverCurrent) {
			c.Age = -1
			break
		}
		c.Age = max(c.Age, now.Sub(at))
	}
	return c
}
