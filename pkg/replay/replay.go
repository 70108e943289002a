// Package replay computes insights over the history, keeps their tables up to date, and carries out what was decided
// about them (pkg/insight/catalog).
//
// A replay and live work are the same: a table of a version (insight.Version) is filled from where it is up to where
// the mirror is. Each analytics-projector does so for the partitions that it mirrors (Runner). The consumer group of
// the mirror is the lease: after a hand-over the next owner goes on where the table's progress in ClickHouse says, and
// one that has not noticed does no harm, since the same interval gives the same rows.
//
// The package publishes no event, and tells nobody but the catalogue.
package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// Limits of the work.
const (
	// flushInterval is the shortest time between two fills of tables that are up to date but for the newest events.
	// Together they take about one part in liveShare of the time, so where they take long they come less often, but at
	// least every longestFlushInterval.
	flushInterval        = 5 * time.Second
	longestFlushInterval = time.Minute
	liveShare            = 5
	// chunkOffsets is how many offsets, over all partitions, one fill of a history covers at most. Progress is saved
	// after each.
	chunkOffsets = 64 << 10
	// maxMirrorAge is how old the mirror may be before replays of the history wait for it, unless they have only
	// smallFill offsets to do. They wait at most patience for each chunk, so that they end even on a platform that is
	// always late.
	maxMirrorAge = 1500 * time.Millisecond
	patience     = 10 * time.Second
	smallFill    = 10_000
	// idleWait is the longest time between two looks at whether there is something to do.
	idleWait = 10 * time.Second
	// longStall is after how long the conductor says for others, which may have gone, that a replay goes on.
	longStall = 5 * time.Minute
	// stalledAfter is how long a table fails before the catalogue is told. That it goes on is told once it has worked for
	// steadyFor, which doubles with each stall of the last hour up to longestSteady: what comes and goes is stalled
	// meanwhile, and leaves about twenty decisions an hour.
	stalledAfter  = 2 * time.Second
	steadyFor     = 2 * time.Second
	longestSteady = 10 * time.Minute
)

// self is who decides what follows from the work itself.
var self = catalog.Principal{Name: "analytics-projector", Verified: true}

// Config is what a Runner needs.
type Config struct {
	Client  *eventlog.Client
	Layout  eventlog.Layout
	Conn    *clickhouse.Conn
	Catalog *catalog.Catalog
	// Mirror is the mirror of this process. Its partitions are those of the runner.
	Mirror     *analytics.Mirror
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
}

// Runner keeps the tables of versions, for the partitions that this process mirrors.
type Runner struct {
	cfg     Config
	metrics *metrics
	reports *analytics.Reports // say how far the mirror is in all partitions
	// tables are those that are being kept, by name.
	tables map[string]*table
	// partitions is whose progress the tables have loaded: the mirror and its partitions.
	partitions string
	// liveDue is when the tables that are up to date are filled again.
	liveDue time.Time
	// mirrorIsLate makes replays of the history wait. lateSince is since when; zero: it is not late.
	mirrorIsLate bool
	lateSince    time.Time
	conductor    conductor
}

// New returns a runner that does nothing yet.
func New(cfg Config) (*Runner, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(cfg.Registerer)
	return &Runner{
		cfg: cfg, metrics: m, reports: analytics.NewReports(cfg.Conn), tables: map[string]*table{},
		conductor: newConductor(),
	}, err
}

// Run works until ctx is done.
func (r *Runner) Run(ctx context.Context) error {
	defer r.stopConducting(ctx)
	defer r.forgetTables()
	for {
		durable, moved := r.cfg.Mirror.Durable()
		state, decided := r.cfg.Catalog.State()
		wait := r.round(ctx, durable, state)
		if wait <= 0 && ctx.Err() == nil {
			select {
			case v := <-r.conductor.done:
				r.end(ctx, v)
			default:
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-moved:
		case <-decided:
		case v := <-r.conductor.done:
			r.end(ctx, v)
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// round gives each table one fill at most, and returns how long there is nothing to do unless something changes.
func (r *Runner) round(ctx context.Context, durable analytics.Durable, state *catalog.State) time.Duration {
	if len(durable.Next) == 0 || r.cfg.Catalog.Ready() != nil {
		r.forgetTables()
		r.stopConducting(ctx)
		return idleWait
	}
	if err := r.choose(ctx, durable, state); err != nil {
		r.cfg.Logger.Warn("the tables of insights cannot be kept", "error", err, "again_in", backoff.StoreFirst)
		return backoff.StoreFirst
	}
	r.metrics.behind(r.tables, durable.Next)
	r.watchMirror(durable.Age)
	var live, history []*table
	for _, t := range r.inOrder() {
		if t.isHistory = t.replay.Phase == catalog.Filling || t.opened && t.lacks(durable.Next); t.isHistory {
			history = append(history, t)
		} else {
			live = append(live, t)
		}
	}
	wait := r.fillLive(ctx, live, durable)
	for _, t := range history {
		if ctx.Err() != nil {
			return wait
		}
		wait = min(wait, r.fill(ctx, t, durable))
		r.noteFilled(ctx, t, durable)
	}
	return min(wait, r.conduct(ctx, durable, state))
}

// fillLive fills the tables that are to be up to date, if they are due, and returns until when they are not.
func (r *Runner) fillLive(ctx context.Context, tables []*table, durable analytics.Durable) time.Duration {
	if wait := time.Until(r.liveDue); wait > 0 && len(tables) > 0 {
		return wait
	}
	began, wait := time.Now(), idleWait
	filled := false
	for _, t := range tables {
		if ctx.Err() != nil {
			return wait
		}
		wait = min(wait, r.fill(ctx, t, durable))
		filled = filled || t.filledAt.After(began)
	}
	if !filled || wait <= 0 { // there is nothing new, or more than one fill does
		return wait
	}
	r.liveDue = began.Add(min(max(flushInterval, liveShare*time.Since(began)), longestFlushInterval))
	return time.Until(r.liveDue)
}

// watchMirror notes whether the mirror is late. After patience it lets the replays do some work.
func (r *Runner) watchMirror(age time.Duration) {
	switch late := age > maxMirrorAge; {
	case !late:
		r.mirrorIsLate, r.lateSince = false, time.Time{}
	case r.lateSince.IsZero():
		r.mirrorIsLate, r.lateSince = true, time.Now()
	case time.Since(r.lateSince) > patience:
		r.mirrorIsLate, r.lateSince = false, time.Now()
	default:
		r.mirrorIsLate = true
	}
}

// inOrder are the tables, those that readers get first.
func (r *Runner) inOrder() []*table {
	rank := map[catalog.Phase]int{catalog.Live: 0, catalog.Former: 1, catalog.Staged: 2, catalog.Filling: 3}
	tables := make([]*table, 0, len(r.tables))
	for _, t := range r.tables {
		tables = append(tables, t)
	}
	slices.SortFunc(tables, func(a, b *table) int {
		if d := rank[a.replay.Phase] - rank[b.replay.Phase]; d != 0 {
			return d
		}
		return strings.Compare(a.Table, b.Table)
	})
	return tables
}

// choose makes r.tables those that the catalogue wants to be kept.
func (r *Runner) choose(ctx context.Context, durable analytics.Durable, state *catalog.State) error {
	repairs, err := analytics.Repairs(ctx, r.cfg.Conn, durable.Mirror)
	if err != nil {
		return err
	}
	partitions := durable.Mirror.String() + " " + partitionsOf(durable.Next)
	if partitions != r.partitions { // others may have worked at them
		r.forgetTables()
		if err := createProgressTable(ctx, r.cfg.Conn); err != nil {
			return err
		}
	}
	wanted := map[string]bool{}
	for _, replay := range state.Replays() {
		if !replay.IsFed() || replay.Definition == nil {
			continue
		}
		version, err := versionOf(replay, durable.Mirror, repairs)
		if err != nil {
			return err
		}
		wanted[version.Table] = true
		if t := r.tables[version.Table]; t != nil {
			t.replay = replay
			continue
		}
		r.tables[version.Table] = &table{Version: version, replay: replay, mirror: durable.Mirror}
	}
	for name, t := range r.tables {
		if !wanted[name] {
			t.close()
			delete(r.tables, name)
		}
	}
	r.partitions = partitions
	r.metrics.kept(r.tables)
	return nil
}

func (r *Runner) forgetTables() {
	for _, t := range r.tables {
		t.close()
	}
	clear(r.tables)
}

// partitionsOf are the partitions of offsets as text.
func partitionsOf(offsets eventlog.Offsets) string {
	names := make([]string, 0, len(offsets))
	for tp := range offsets {
		names = append(names, fmt.Sprintf("%s/%d", tp.Topic, tp.Partition))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// buildOf names what a table is computed from. A table is filled anew, beside the one before, when the mirror was made
// anew, or when rows have come into it late.
func buildOf(replayID string, mirror uuid.UUID, repairs uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", replayID, mirror, repairs))
	return hex.EncodeToString(sum[:4])
}
