package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
)

const (
	// rawRowsKept is how long the rows that a verification was compared with are kept for the next one, at least.
	rawRowsKept = 30 * time.Second
	// rawRowsDropTime limits how long a process that ends waits for them to be dropped. Otherwise the next sweep drops
	// them.
	rawRowsDropTime = 5 * time.Second
)

// rawRows are rows of a source that were made from Kafka, for verifications to compare with. They are kept for a while,
// so that verifications of several insights of one source read the log once.
type rawRows struct {
	*logRows
	usedAt time.Time
}

// rawRows returns rows of a source that have all events below at, and perhaps later ones. What is there already is
// read on from where it is; rows of another source are dropped.
func (r *Runner) rawRows(ctx context.Context, source insight.Source, at eventlog.Offsets) (*rawRows, error) {
	c := &r.conductor
	if c.raw != nil && !c.raw.Has(source.Table) {
		r.dropRawRows(ctx)
	}
	upTo := eventlog.Offsets{}
	for tp, offset := range at {
		if source.HasTopic(tp.Topic) {
			upTo[tp] = offset
		}
	}
	if c.raw == nil {
		var err error
		if c.raw, err = r.openRawRows(ctx, source, upTo); err != nil {
			return nil, err
		}
	}
	err := c.raw.Continue(upTo)
	for err == nil && !c.raw.Done() {
		err = c.raw.ReadBlock(ctx)
	}
	if err != nil { // nobody knows what of the last block is there
		r.dropRawRows(ctx)
		return nil, err
	}
	c.raw.usedAt = time.Now()
	return c.raw, nil
}

func (r *Runner) openRawRows(ctx context.Context, source insight.Source, upTo eventlog.Offsets) (*rawRows, error) {
	// Another conductor, which has not noticed, may verify at the same time.
	conn, err := r.cfg.Conn.Sibling(fmt.Sprintf("%s%s_%08x", verifySuffix, source.Table, rand.Uint32()))
	if err != nil {
		return nil, err
	}
	tables, err := analytics.OpenLogTables(ctx, r.cfg.Client, conn, r.cfg.Logger, source.Table, nil, upTo)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	rows := &logRows{LogTables: tables, conn: conn, database: conn.Database()}
	return &rawRows{logRows: rows, usedAt: time.Now()}, nil
}

// dropRawRows drops the rows that verifications were compared with. None may be at work but the caller's own.
func (r *Runner) dropRawRows(ctx context.Context) {
	raw := r.conductor.raw
	if raw == nil {
		return
	}
	r.conductor.raw = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rawRowsDropTime)
	defer cancel()
	if err := raw.conn.DropDatabase(ctx); err != nil {
		r.cfg.Logger.Warn("rows of the log are left after a verification, for the next sweep", "database", raw.database,
			"error", err)
	}
	raw.close()
}
