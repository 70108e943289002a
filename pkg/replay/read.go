package replay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// versionsKept is how many versions a Reader remembers with what they have learnt of their tables.
const versionsKept = 256

// Answering is the table that answers questions about a replay.
type Answering struct {
	*insight.Version
	Replay *catalog.Replay
	// Filled are exclusive end offsets: the table has all events below them. FilledAt is when it was last filled.
	Filled   eventlog.Offsets
	FilledAt time.Time
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
		if p := tables[name]; p != nil && (best == nil || p.replaces(best)) {
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
	return &Answering{Version: version, Replay: replay, Filled: best.Next, FilledAt: best.FilledAt}, nil
}

// replaces reports whether a table answers instead of another one of the replay. The one that is filled now takes over
// from the one before when it has all that this one has.
func (p *tableProgress) replaces(other *tableProgress) bool {
	if p.BegunAt.After(other.BegunAt) {
		return p.Next.Reaches(other.Next)
	}
	return !other.Next.Reaches(p.Next)
}

// Reader finds the versions that answer questions.
type Reader struct {
	service *Service
	reports *analytics.Reports

	mu sync.Mutex
	// versions are by table, so that the same one is the same pointer.
	versions map[string]*insight.Version
}

// NewReader returns a reader of what the service knows.
func NewReader(service *Service) *Reader {
	return &Reader{
		service: service, reports: analytics.NewReports(service.conn), versions: map[string]*insight.Version{},
	}
}

// Conn is the mirror.
func (r *Reader) Conn() *clickhouse.Conn { return r.service.conn }

// Mirrored is how far the mirror is. Tables of insights are at most as far.
func (r *Reader) Mirrored(ctx context.Context) (analytics.Reached, error) {
	return r.reports.Await(ctx, eventlog.Position{})
}

// Insights are all insights with their versions, by name.
func (r *Reader) Insights(ctx context.Context) ([]insight.Listed, error) {
	mirrored, err := r.Mirrored(ctx)
	if err != nil {
		return nil, err
	}
	all := []insight.Listed{}
	for _, i := range r.service.Insights() {
		var l insight.Listed
		for _, replay := range i.Replays {
			if !replay.IsWhole() || replay.Definition == nil {
				continue
			}
			_, provenance, err := r.find(ctx, replay, mirrored)
			if errors.Is(err, insight.ErrNoVersion) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if replay.Phase == catalog.Live {
				l.Definition, l.Live = replay.Definition, &provenance
				continue
			}
			l.Staged = append(l.Staged, provenance)
		}
		if l.Definition == nil {
			if l.Definition = i.Replays[len(i.Replays)-1].Definition; l.Definition == nil {
				continue
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// Find is the version that answers: with "" the live one, else that of a fingerprint, or of a replay. Of several with
// the same fingerprint it is the newest. Errors are insight.ErrNoInsight and insight.ErrNoVersion.
func (r *Reader) Find(ctx context.Context, name, version string) (*insight.Version, insight.Provenance, error) {
	i := r.service.Insight(name)
	if i == nil {
		return nil, insight.Provenance{}, insight.ErrNoInsight
	}
	found := i.Live
	if version != "" {
		found = nil
		for _, replay := range i.Replays {
			named := replay.ID == version || replay.Fingerprint == version
			if named && !replay.IsEnded() && replay.Phase != catalog.Queued {
				found = replay
			}
		}
	}
	if found == nil || found.Definition == nil {
		return nil, insight.Provenance{}, insight.ErrNoVersion
	}
	mirrored, err := r.Mirrored(ctx)
	if err != nil {
		return nil, insight.Provenance{}, err
	}
	return r.find(ctx, found, mirrored)
}

func (r *Reader) find(
	ctx context.Context, replay *catalog.Replay, mirrored analytics.Reached,
) (*insight.Version, insight.Provenance, error) {
	p := insight.Provenance{
		Fingerprint: replay.Fingerprint, Replay: replay.ID, State: stateOf(replay.Phase), PromotedAt: replay.PromotedAt,
		Age: -1,
	}
	a, err := answering(ctx, r.service.conn, replay)
	if err != nil {
		return nil, p, err
	}
	if a == nil { // its table was not created yet, or ClickHouse has lost it
		return nil, p, insight.ErrNoVersion
	}
	p.Position = eventlog.PositionOf(a.Filled)
	if p.Age = mirrored.Age; p.Age >= 0 && !p.Position.Reaches(mirrored.Position) {
		p.Age = max(p.Age, time.Since(a.FilledAt))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.versions) >= versionsKept {
		clear(r.versions)
	}
	if r.versions[a.Table] == nil {
		r.versions[a.Table] = a.Version
	}
	return r.versions[a.Table], p, nil
}

func stateOf(phase catalog.Phase) insight.State {
	switch phase {
	case catalog.Live:
		return insight.Live
	case catalog.Former:
		return insight.Former
	default:
		return insight.Staged
	}
}
