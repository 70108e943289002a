package replay

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// logRows are rows of a replay's source that are made from Kafka, in a database of their own. The replay does not
// depend on what the mirror says.
type logRows struct {
	*analytics.LogTables
	conn     *clickhouse.Conn
	database string
}

// The suffixes of databases with rows of the log: for replays from Kafka, and for verifications. An ID follows.
const (
	replaySuffix = "replay_"
	verifySuffix = "verify_"
)

// shortID is the part of a replay's ID that names of tables and databases have.
func shortID(replayID string) string { return replayID[:min(8, len(replayID))] }

func (l *logRows) close() {
	l.Close()
	_ = l.conn.Close() // all that was written is acknowledged
}

// logName is what the progress of the rows of the log is known by.
func (t *table) logName() string { return logNameOf(t.Table) }

func logNameOf(table string) string { return "log of " + table }

// reached is up to where a table can be filled: where the mirror is, or what was read of Kafka. Of that it reads more.
func (r *Runner) reached(ctx context.Context, t *table, durable analytics.Durable) (eventlog.Offsets, error) {
	if t.replay.Source != catalog.FromKafka || t.replay.Phase != catalog.Filling {
		if t.log != nil {
			t.log.close()
			t.log = nil
		}
		return durable.Next, nil
	}
	targets := target(t.replay)
	reached, upTo := eventlog.Offsets{}, eventlog.Offsets{}
	for tp := range durable.Next {
		if t.Source.HasTopic(tp.Topic) {
			upTo[tp] = targets[tp]
		} else {
			reached[tp] = targets[tp]
		}
	}
	if t.log == nil {
		var err error
		if t.log, err = r.openLog(ctx, t, upTo); err != nil {
			return nil, err
		}
	}
	reached.Merge(t.log.Next())
	// What was read is used first, so that the throttle and a late mirror hold up the reading, too.
	if used := len(t.behind(reached, chunkOffsets).intervals) == 0; used && !t.log.Done() && !r.mirrorIsLate {
		began := time.Now()
		if err := t.log.ReadBlock(ctx); err != nil {
			return nil, err
		}
		t.worked += time.Since(began)
		if err := saveProgress(ctx, r.cfg.Conn, t, t.logName(), t.log.Next()); err != nil {
			return nil, err
		}
	}
	reached.Merge(t.log.Next())
	return reached, nil
}

// openLog goes on where the rows of the log end.
func (r *Runner) openLog(ctx context.Context, t *table, upTo eventlog.Offsets) (*logRows, error) {
	conn, err := r.cfg.Conn.Sibling(replaySuffix + shortID(t.replay.ID))
	if err != nil {
		return nil, err
	}
	progress, err := loadProgress(ctx, r.cfg.Conn, t.replay.ID)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	from := eventlog.Offsets{}
	exists, err := tableExists(ctx, conn, t.Source.Table)
	if err != nil && !clickhouse.IsMissing(err) {
		return nil, errors.Join(err, conn.Close())
	}
	if p := progress[t.logName()]; p != nil && exists { // else somebody has dropped them
		from = p.Next
	}
	tables, err := analytics.OpenLogTables(ctx, r.cfg.Client, conn, r.cfg.Logger, t.Source.Table, from, upTo)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &logRows{LogTables: tables, conn: conn, database: conn.Database()}, nil
}
