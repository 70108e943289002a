package replay

import (
	"context"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// Answering is the table that answers questions about a replay.
type Answering struct {
	*insight.Version
	Replay *catalog.Replay
	// Filled are exclusive end offsets: the table has all events below them.
	Filled eventlog.Offsets
}

// Answering finds the table of a replay that has most. There is none (nil) before the first is created.
func (s *Service) Answering(ctx context.Context, replay *catalog.Replay) (*Answering, error) {
	return answering(ctx, s.conn, replay)
}

func answering(ctx context.Context, conn *clickhouse.Conn, replay *catalog.Replay) (*Answering, error) {
	tables, err := loadProgress(ctx, conn, replay.ID)
	if err != nil && !clickhouse.IsMissing(err) {
		return nil, err
	}
	names, err := versionTables(ctx, conn)
	if err != nil {
		return nil, err
	}
	var best *tableProgress
	for _, name := range names {
		// The table that is filled now takes over from the one before when it has all that this one has.
		p := tables[name]
		if p != nil && (best == nil || p.BegunAt.After(best.BegunAt) == p.Next.Reaches(best.Next)) {
			best = p
		}
	}
	if best == nil {
		return nil, nil
	}
	d := replay.Definition.Within(replay.From, replay.To)
	version, err := insight.NewVersion(d, best.Table)
	if err != nil {
		return nil, err
	}
	return &Answering{Version: version, Replay: replay, Filled: best.Next}, nil
}
