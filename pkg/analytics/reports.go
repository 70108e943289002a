package analytics

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// awaitPoll is how often Await asks ClickHouse how far the mirror is.
const awaitPoll = 100 * time.Millisecond

// Reports reads the mirror.
type Reports struct {
	conn *clickhouse.Conn
	// checked is true once the server and the tables were found to be what the queries need. It is false again after a
	// query has failed.
	checked atomic.Bool
	// whole are the limits of a report with all rows.
	whole Limits
}

// NewReports returns the reports of the mirror in conn's database.
func NewReports(conn *clickhouse.Conn) *Reports { return &Reports{conn: conn, whole: WholeAnswer} }

// progress checks the server and the tables if necessary, and reads how far the mirror is.
func (r *Reports) progress(ctx context.Context) (*progress, error) {
	if !r.checked.Load() {
		m, err := Migrations()
		if err != nil {
			return nil, err
		}
		if err := r.conn.Check(ctx, m); err != nil {
			return nil, err
		}
		r.checked.Store(true)
	}
	p, err := loadProgress(ctx, r.conn)
	if err != nil {
		r.checked.Store(false)
	}
	return p, err
}

// Reached says which events an answer includes.
type Reached struct {
	// Position is how far the mirror was before the query. The answer includes all events before it, and may include
	// later ones.
	Position eventlog.Position
	// Age is how long ago the mirror last had all events of the log; below 0: it never had.
	Age time.Duration
}

// StalledError is the error for a mirror that has stopped before it reached the position that Await waits for.
type StalledError struct {
	Reached, Wanted eventlog.Position
	Unmoved         time.Duration
}

// Error implements error.
func (e *StalledError) Error() string {
	return fmt.Sprintf("the mirror in ClickHouse is at %q and has not moved for %v on its way to %s: "+
		"is analytics-projector running? Its log and its /readyz say what is in its way",
		e.Reached, e.Unmoved, e.Wanted)
}

// Await waits until the mirror has reached the position, and returns how far it is then. With the zero position it does
// not wait. When ctx ends first, it returns the context's error and how far the mirror was.
func (r *Reports) Await(ctx context.Context, position eventlog.Position) (Reached, error) {
	return r.AwaitMoving(ctx, position, math.MaxInt64)
}

// AwaitMoving is Await, but returns a StalledError once the mirror has not moved for as long as patience.
func (r *Reports) AwaitMoving(
	ctx context.Context, position eventlog.Position, patience time.Duration,
) (Reached, error) {
	return await(ctx, position, patience, func(ctx context.Context) (Reached, error) {
		p, err := r.progress(ctx)
		if err != nil {
			return Reached{}, err
		}
		return p.coverage(time.Now()), nil
	})
}

// await calls ask, which returns how far the mirror is, until the mirror has reached the position.
func await(
	ctx context.Context,
	position eventlog.Position,
	patience time.Duration,
	ask func(context.Context) (Reached, error),
) (Reached, error) {
	var reached Reached
	moved := time.Now()
	for {
		now, err := ask(ctx)
		switch {
		case ctx.Err() != nil:
			return reached, ctx.Err()
		case err == nil:
			if !now.Position.Equal(reached.Position) { // going back counts as well: a rebuilt mirror fills again
				moved = time.Now()
			}
			if reached = now; reached.Position.Reaches(position) {
				return reached, nil
			}
		case !clickhouse.IsMissing(err) || position.IsZero(): // tables that do not exist yet are waited for
			return reached, err
		}
		if time.Since(moved) >= patience {
			return reached, &StalledError{Reached: reached.Position, Wanted: position, Unmoved: patience}
		}
		if err := backoff.Sleep(ctx, awaitPoll); err != nil {
			return reached, err
		}
	}
}

// coverage is the coverage of an answer that is read now. The mirror is as old as its oldest partition.
func (p *progress) coverage(now time.Time) Reached {
	c := Reached{Position: eventlog.PositionOf(p.next)}
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
