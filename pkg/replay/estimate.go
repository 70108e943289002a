package replay

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// Limits of a sample.
const (
	// sampleOffsets is how many offsets of each partition a sample computes.
	sampleOffsets = 16 << 10
	// sampleTime is how long it may take, and sampleDropTime the drop of its table. The conductor sweeps a table that
	// nobody has dropped, after dropDelay.
	sampleTime     = 10 * time.Second
	sampleDropTime = 5 * time.Second
)

// Basis says what an estimate comes from.
type Basis string

// What an estimate comes from.
const (
	// FromReplay is the newest replay of the whole history of the same insight that was filled without a throttle.
	FromReplay Basis = "replay"
	// FromSample is a part of the history that was computed to find out.
	FromSample Basis = "sample"
	// FromNothing means that the source has no rows.
	FromNothing Basis = "nothing"
	// Unknown means that a sample would have taken too long. There is no Duration and there are no Bytes.
	Unknown Basis = "unknown"
)

// Estimate is what a replay of a definition would take.
type Estimate struct {
	// Offsets of the history, over all partitions of the topics that the source has rows of.
	Offsets int64
	// SourceRows are the rows of the source.
	SourceRows int64
	// Duration and Bytes, on the disk, grow with the offsets. Bytes are at most so many: rows of the same keys are put
	// together where they are in one segment.
	Duration time.Duration
	Bytes    int64
	Basis    Basis
	// ReplayID is the replay of FromReplay.
	ReplayID string
	// SampleOffsets is how many offsets FromSample has computed.
	SampleOffsets int64
}

// Position is where the log ends now.
func (s *Service) Position(ctx context.Context) (eventlog.Position, error) {
	offsets, err := s.client.StableOffsets(ctx, s.layout.AllPartitions())
	return eventlog.PositionOf(offsets), err
}

// Estimate says what a replay of a definition would take, whose SQL is valid, up to a position. A sample that is not
// computed at sampleUntil is given up: the estimate is Unknown then.
func (s *Service) Estimate(
	ctx context.Context, d *insight.Definition, end eventlog.Position, sampleUntil time.Time,
) (*Estimate, error) {
	e := &Estimate{Basis: FromNothing}
	offsets := end.Offsets()
	maps.DeleteFunc(offsets, func(tp eventlog.TopicPartition, _ int64) bool { return !d.Source.HasTopic(tp.Topic) })
	for _, offset := range offsets {
		e.Offsets += offset
	}
	err := s.conn.Each(ctx, "SELECT count() FROM "+d.Source.Table, nil, nil, func(rows clickhouse.Rows) error {
		var n uint64
		err := rows.Scan(&n)
		e.SourceRows = int64(n)
		return err
	})
	if err != nil || e.Offsets == 0 || e.SourceRows == 0 {
		return e, err
	}
	if known := s.comparable(d.Name); known != nil {
		return e, s.estimateFromReplay(ctx, e, known, d.Source)
	}
	sampling, cancel := context.WithTimeout(ctx, min(sampleTime, time.Until(sampleUntil)))
	defer cancel()
	err = s.estimateFromSample(sampling, e, d, offsets)
	if err != nil && sampling.Err() != nil && ctx.Err() == nil {
		return &Estimate{Offsets: e.Offsets, SourceRows: e.SourceRows, Basis: Unknown}, nil
	}
	return e, err
}

// comparable is the newest replay of an insight that says how long another one takes; nil: none does.
func (s *Service) comparable(name string) *catalog.Replay {
	replays := s.Replays(name)
	for _, r := range slices.Backward(replays) {
		if r.IsWhole() && r.Filled != nil && r.Filled.Seconds > 0 && r.EventsPerSecond == 0 && !r.IsPartial() &&
			r.Source == catalog.FromMirror && r.Definition != nil {
			return r
		}
	}
	return nil
}

func (s *Service) estimateFromReplay(
	ctx context.Context, e *Estimate, r *catalog.Replay, source insight.Source,
) error {
	var history, kept int64
	for tp, offset := range r.PinnedOffsets() {
		if source.HasTopic(tp.Topic) {
			history += offset
		}
	}
	tables, err := loadProgress(ctx, s.conn, r.ID)
	if err != nil || history == 0 {
		return err
	}
	for name, progress := range tables {
		bytes, err := tableBytes(ctx, s.conn, name)
		if err != nil {
			return err
		}
		var offsets int64
		for tp, offset := range progress.Next {
			if source.HasTopic(tp.Topic) {
				offsets += offset
			}
		}
		if offsets > 0 {
			kept = max(kept, bytes*e.Offsets/offsets)
		}
	}
	e.Basis, e.ReplayID, e.Bytes = FromReplay, r.ID, kept
	e.Duration = time.Duration(r.Filled.Seconds * float64(e.Offsets) / float64(history) * float64(time.Second))
	return nil
}

// estimateFromSample computes the first offsets of each partition into a table of its own.
func (s *Service) estimateFromSample(
	ctx context.Context, e *Estimate, d *insight.Definition, end eventlog.Offsets,
) error {
	v, err := insight.NewVersion(d, d.TableName("sample"+uuid.NewString()[:8]))
	if err != nil {
		return err
	}
	var intervals []insight.Interval
	for tp, offset := range end {
		if offset > 0 {
			i := insight.Interval{TopicPartition: tp, UpTo: min(offset, sampleOffsets)}
			intervals = append(intervals, i)
			e.SampleOffsets += i.UpTo
		}
	}
	if err := v.Create(ctx, s.conn); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleDropTime)
		defer cancel()
		_ = s.conn.Exec(ctx, "DROP TABLE IF EXISTS "+v.Table+" SYNC", nil, nil) // the sweep does it otherwise
	}()
	began := time.Now()
	if err := v.Fill(ctx, s.conn, intervals...); err != nil {
		return err
	}
	took := time.Since(began)
	bytes, err := tableBytes(ctx, s.conn, v.Table)
	share := float64(e.Offsets) / float64(e.SampleOffsets)
	e.Basis, e.Bytes = FromSample, int64(float64(bytes)*share)
	e.Duration = time.Duration(float64(took) * share)
	return err
}

// tableBytes is how much a table takes on the disk.
func tableBytes(ctx context.Context, conn *clickhouse.Conn, table string) (bytes int64, err error) {
	err = conn.Each(ctx, "SELECT sum(bytes_on_disk) FROM system.parts "+
		"WHERE active AND database = currentDatabase() AND table = {table:String}", nil,
		clickhouse.Parameters{"table": table}, func(rows clickhouse.Rows) error {
			var n uint64
			err := rows.Scan(&n)
			bytes = int64(n)
			return err
		})
	return bytes, err
}
