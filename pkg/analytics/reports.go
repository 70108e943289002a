package analytics

import (
	"context"
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

// Await returns how far the mirror is, once that covers the position; the zero position does not wait. When ctx
// ends first, its error comes with what was reached.
func (r *Reports) Await(ctx context.Context, position eventlog.Position) (Coverage, error) {
	var reached Coverage
	for {
		p, err := r.progress(ctx)
		switch {
		case ctx.Err() != nil:
			return reached, ctx.Err()
		case err == nil:
			if reached = p.coverage(time.Now()); reached.Position.Covers(position) {
				return reached, nil
			}
		case !clickhouse.IsMissing(err) || position.IsZero(): // a mirror that is not there yet is waited for
			return reached, err
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
