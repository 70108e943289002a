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

// knownFor is how long a Reader takes the table of a replay, and how far it is, as it was. It is much shorter than
// dropDelay. What is known stays true meanwhile: tables only grow, so an answer has all events of its position.
const knownFor = 250 * time.Millisecond

// Answering is the table that answers questions about a replay.
type Answering struct {
	*insight.Version
	Replay *catalog.Replay
	// Filled are exclusive end offsets: the table has all events below them. FilledAt is when it was last filled.
	Filled   eventlog.Offsets
	FilledAt time.Time
}

// Answering finds the table of a replay that has most, of those that this program reads. There is none (nil) before the
// first is created.
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
	d := replay.Definition.Within(replay.From, replay.To)
	var best *tableProgress
	for _, name := range names {
		if p := tables[name]; p != nil && d.IsTable(name) && (best == nil || p.replaces(best)) {
			best = p
		}
	}
	if best == nil {
		return nil, nil
	}
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
	// known is what was found lately, by replay.
	known map[string]known
	now   func() time.Time
}

// known is the table of a replay, and how far the mirror was when it was looked for.
type known struct {
	*Answering
	mirrored analytics.Reached
	at       time.Time
}

// NewReader returns a reader of what the service knows.
func NewReader(service *Service) *Reader {
	return &Reader{
		service: service, reports: analytics.NewReports(service.conn), versions: map[string]*insight.Version{},
		known: map[string]known{}, now: time.Now,
	}
}

// Ready returns nil once it is known which versions there are.
func (r *Reader) Ready() error { return r.service.Ready() }

// Conn is the mirror.
func (r *Reader) Conn() *clickhouse.Conn { return r.service.conn }

// Mirrored is how far the mirror is. Tables of insights are at most as far.
func (r *Reader) Mirrored(ctx context.Context) (analytics.Reached, error) {
	return r.reports.Await(ctx, eventlog.Position{})
}

// Insights are all insights with their versions, by name.
func (r *Reader) Insights(ctx context.Context) ([]insight.Listed, error) {
	at := r.now()
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
			k, err := r.find(ctx, replay, mirrored, at)
			if err != nil {
				return nil, err
			}
			_, provenance, err := r.describe(replay, k)
			if errors.Is(err, insight.ErrNoVersion) || errors.Is(err, insight.ErrComputing) {
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
// the same fingerprint it is the live one, or the newest; parts of the history have only the ID. Errors are
// insight.ErrNoInsight, insight.ErrNoVersion and insight.ErrComputing.
func (r *Reader) Find(ctx context.Context, name, version string) (*insight.Version, insight.Provenance, error) {
	i := r.service.Insight(name)
	if i == nil {
		return nil, insight.Provenance{}, insight.ErrNoInsight
	}
	found := i.Live
	if version != "" {
		found = nil
		for _, replay := range i.Replays {
			if replay.ID == version && !replay.IsEnded() && replay.Phase != catalog.Queued {
				found = replay
			}
			same := replay.Fingerprint == version && replay.IsWhole() && !replay.IsPartial()
			if same && (found == nil || found.Phase != catalog.Live) {
				found = replay
			}
		}
	}
	if found == nil || found.Definition == nil {
		return nil, insight.Provenance{}, insight.ErrNoVersion
	}
	k, err := r.lookUp(ctx, found)
	if err != nil {
		return nil, insight.Provenance{}, err
	}
	return r.describe(found, k)
}

// lookUp finds the table of a replay, or takes what was found lately: a dashboard asks the same insight many things at
// once, and looking takes longer than many an answer.
func (r *Reader) lookUp(ctx context.Context, replay *catalog.Replay) (known, error) {
	r.mu.Lock()
	k, ok := r.known[replay.ID]
	r.mu.Unlock()
	if ok && r.now().Sub(k.at) < knownFor {
		return k, nil
	}
	at := r.now()
	mirrored, err := r.Mirrored(ctx)
	if err != nil {
		return k, err
	}
	if k, err = r.find(ctx, replay, mirrored, at); err != nil || k.Answering == nil {
		return k, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= versionsKept {
		clear(r.known)
	}
	r.known[replay.ID] = k
	return k, nil
}

// find finds the table of a replay; without one, Answering is nil.
func (r *Reader) find(
	ctx context.Context, replay *catalog.Replay, mirrored analytics.Reached, at time.Time,
) (known, error) {
	a, err := answering(ctx, r.service.conn, replay)
	return known{Answering: a, mirrored: mirrored, at: at}, err
}

// describe is the version of a replay, and what an answer of it is of. A replay without a table has no version, if it
// was not created yet. Otherwise ClickHouse has lost it, or it is of another release: it is computed again.
func (r *Reader) describe(replay *catalog.Replay, k known) (*insight.Version, insight.Provenance, error) {
	p := insight.Provenance{
		Fingerprint: replay.Fingerprint, Replay: replay.ID, State: stateOf(replay.Phase),
		PromotedAt: replay.PromotedAt, Age: -1,
	}
	switch {
	case k.Answering == nil && replay.Filled != nil:
		return nil, p, insight.ErrComputing
	case k.Answering == nil:
		return nil, p, insight.ErrNoVersion
	}
	p.Position, p.UpTo = eventlog.PositionOf(k.Filled), eventlog.PositionOf(replay.UpToOffsets())
	whole := k.Filled.Reaches(target(replay))
	if !whole && replay.IsWhole() { // ClickHouse has lost the table
		return nil, p, insight.ErrComputing
	}
	if whole && k.mirrored.Age >= 0 {
		p.Age = k.mirrored.Age + r.now().Sub(k.at)
		if !k.Filled.Reaches(within(replay, k.mirrored.Position.Offsets())) {
			p.Age = max(p.Age, r.now().Sub(k.FilledAt))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.versions) >= versionsKept {
		clear(r.versions)
	}
	if r.versions[k.Table] == nil {
		r.versions[k.Table] = k.Version
	}
	return r.versions[k.Table], p, nil
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
