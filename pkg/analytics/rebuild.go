package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

const (
	// DefaultFence is how long a swap may take: for so long the mirror in use takes no rows. A swap that would take
	// longer is put off, and tried again.
	DefaultFence = 10 * time.Second
	// swapAttempts is how often a swap is tried before the rebuild gives up.
	swapAttempts = 5
	// dropTimeout bounds what is left to do after a swap, also after an interruption.
	dropTimeout = time.Minute
	// quietFor is how long the progress of a mirror with other tables must stand still before its tables are swapped: a
	// projector that waits between two attempts does so for at most backoff.StoreLongest.
	quietFor = backoff.StoreLongest
)

// RebuildConfig is what a rebuild needs.
type RebuildConfig struct {
	Client *eventlog.Client
	Layout eventlog.Layout
	// Conn is the database of the mirror in use. The shadow is in its sibling, with the suffix "rebuild".
	Conn *clickhouse.Conn
	// FlushRows limits a batch in rows; 0 means the default.
	FlushRows int
	// YieldCPU is that of Config.
	YieldCPU bool
	// CompareOnly drops the shadow after it was compared with the mirror in use.
	CompareOnly bool
	// Anew drops the shadow of an earlier rebuild instead of resuming it.
	Anew bool
	// Fence limits how long the mirror in use takes no rows; 0 means DefaultFence.
	Fence time.Duration
	// Observe is called with each new state, and several times a second while the shadow is filled; nil: nobody looks.
	Observe func(RebuildState)
	Logger  *slog.Logger // nil: nothing is logged
}

// RebuildPhase is what a rebuild is doing.
type RebuildPhase string

// The phases, in their order.
const (
	RebuildFills    RebuildPhase = "fill"    // the shadow is filled from the log
	RebuildCompares RebuildPhase = "compare" // it is compared with the mirror in use
	RebuildWaits    RebuildPhase = "wait"    // a projector of another version still writes the mirror in use
	RebuildFences   RebuildPhase = "fence"   // the mirror in use takes no rows
	RebuildSwaps    RebuildPhase = "swap"    // tables are swapped
	RebuildDrops    RebuildPhase = "drop"    // the former tables are dropped
)

// RebuildState is how far a rebuild is.
type RebuildState struct {
	Phase RebuildPhase
	// Resumed is true when the shadow was filled in part by an earlier rebuild.
	Resumed bool
	// Reached and End are offsets of all partitions together: how far the shadow is, and where the log ends.
	Reached, End int64
	// Table is the one that is swapped next.
	Table string
	// Fault is why the shadow is not filled at the moment; nil: it is.
	Fault error
}

// RebuildReport says what a rebuild has found and done.
type RebuildReport struct {
	Comparison
	// Swapped is true when the shadow is the mirror in use now.
	Swapped bool `json:"swapped"`
	// Fenced is how long the mirror in use took no rows.
	Fenced time.Duration `json:"fenced_ns"`
	// Retired is how many dead letters have rows now, and are none any more.
	Retired int `json:"retired_dead_letters"`
}

// rebuild is one rebuild that is under way.
type rebuild struct {
	cfg    RebuildConfig
	id     uuid.UUID // no other rebuild has it
	shadow *shadow
	used   *inUse
	failed context.CancelCauseFunc
}

// Rebuild fills a second mirror from the start of the log, beside the one in use, compares the two, and swaps them.
// Readers see complete tables all the time, and projectors go on from the new ones (docs/adr/0023-rebuild.md).
//
// It may be killed at any time: the mirror in use is complete, and the next rebuild goes on where this one was, if its
// tables are the same.
func Rebuild(ctx context.Context, cfg RebuildConfig) (*RebuildReport, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Fence == 0 {
		cfg.Fence = DefaultFence
	}
	report, err := rebuildOnce(ctx, cfg)
	var another *anotherLogError
	if errors.As(err, &another) && !cfg.Anew {
		cfg.Logger.Warn("the shadow of an earlier rebuild is of another log: beginning anew", "why", err)
		cfg.Anew = true
		report, err = rebuildOnce(ctx, cfg)
	}
	return report, err
}

func rebuildOnce(ctx context.Context, cfg RebuildConfig) (_ *RebuildReport, err error) {
	used, err := findInUse(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s, err := openShadow(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // why the shadow could not be filled, or the interruption
		}
	}()
	r := &rebuild{cfg: cfg, id: uuid.New(), shadow: s, used: used, failed: failed}
	s.fill(ctx, failed)
	if err := r.catchUp(ctx); err != nil {
		return nil, err
	}
	r.observe(RebuildState{Phase: RebuildCompares})
	report := &RebuildReport{}
	if report.Comparison, err = r.compare(ctx); err != nil {
		return nil, err
	}
	if cfg.CompareOnly {
		return report, s.drop(ctx)
	}
	if err := r.awaitOtherWriters(ctx); err != nil {
		return nil, err
	}
	if report.Fenced, err = r.swap(ctx); err != nil {
		return nil, err
	}
	report.Swapped = true
	return report, r.finish(ctx, report)
}

// finish drops the former tables. The swap is done, so an error here leaves a complete mirror.
func (r *rebuild) finish(ctx context.Context, report *RebuildReport) error {
	r.observe(RebuildState{Phase: RebuildDrops})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	// A retry may have settled a letter by rows of the former tables, after the shadow's were parked.
	parkErr := r.shadow.parkUndecoded(ctx, r.cfg.Client)
	err := r.shadow.drop(ctx)
	if err != nil {
		err = fmt.Errorf("the mirror is rebuilt and in use, but its former tables remain in the database %s, "+
			"which the next rebuild drops: %w", r.shadow.conn.Database(), err)
	}
	retired, retireErr := retireLetters(ctx, r.cfg.Client, r.cfg.Conn, r.cfg.Logger)
	report.Retired = retired
	return errors.Join(err, parkErr, retireErr)
}

func (r *rebuild) observe(s RebuildState) {
	if r.cfg.Observe == nil {
		return
	}
	s.Resumed = r.shadow.resumed
	s.Reached, s.End = r.shadow.mirror.filled()
	r.cfg.Observe(s)
}

// catchUp waits until the shadow has had all events of the log.
func (r *rebuild) catchUp(ctx context.Context) error {
	for {
		fault := r.shadow.mirror.currentFault()
		r.observe(RebuildState{Phase: RebuildFills, Fault: fault})
		if r.shadow.mirror.Ready() == nil {
			return nil
		}
		if err := r.pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits for the next look at how far the rebuild is.
func (r *rebuild) pause(ctx context.Context) error {
	if err := backoff.Sleep(ctx, progressPoll); err != nil {
		return context.Cause(ctx)
	}
	return r.used.watch(ctx)
}

// awaitOtherWriters waits until nobody writes the mirror in use, if it has other tables than this program. Projectors
// write tables by their names: rows of another version must not get into the new ones.
func (r *rebuild) awaitOtherWriters(ctx context.Context) error {
	if r.used.sameTables || r.used.empty() {
		return nil
	}
	for time.Since(r.used.moved) < quietFor {
		r.observe(RebuildState{Phase: RebuildWaits, Fault: r.shadow.mirror.currentFault()})
		if err := r.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// inUse is the mirror that readers use during a rebuild.
type inUse struct {
	conn *clickhouse.Conn
	// sameTables: its tables are this program's, so projectors of this version may write it.
	sameTables bool
	// why it is of no use for a comparison, and holds nothing that the shadow must reach: it is of another log, or has
	// no rows. Empty: it is of use.
	unusable string
	// seen is its progress when it was looked at last; nil: it has none. moved is when it was seen to change last.
	seen  *progress
	moved time.Time
	// watched is when it was looked at last.
	watched time.Time
}

// findInUse looks at the mirror in use. Tables of a newer program are an error.
func findInUse(ctx context.Context, cfg RebuildConfig) (*inUse, error) {
	u := &inUse{conn: cfg.Conn}
	m, err := Migrations()
	if err != nil {
		return nil, err
	}
	applied, err := cfg.Conn.Applied(ctx, m)
	var other *clickhouse.SchemaError
	if err != nil && (!errors.As(err, &other) || other.Newer) {
		return nil, err
	}
	u.sameTables = err == nil && applied == m.Count()
	if u.seen, err = loadProgress(ctx, cfg.Conn); err != nil {
		if present, tablesErr := cfg.Conn.Tables(ctx); tablesErr == nil && len(present) == 0 {
			return nil, err // there is nothing to rebuild, and the error says who makes the tables
		}
		return u.without(err)
	}
	if len(u.seen.next) == 0 {
		u.unusable = "the mirror in use is empty"
		return u, nil
	}
	tps := topicPartitions((&Mirror{cfg: Config{Layout: cfg.Layout}}).allPartitions())
	last, err := loadLastEvents(ctx, cfg.Conn, tps)
	if err != nil {
		return u.without(err)
	}
	end, err := cfg.Client.EndOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	checked := &Mirror{cfg: Config{Client: cfg.Client, Conn: cfg.Conn}}
	err = checked.checkSameLog(ctx, u.seen.next, last, end)
	var another *anotherLogError
	if errors.As(err, &another) {
		u.unusable, err = "the mirror in use is of another log: it "+another.what, nil
	}
	return u, err
}

// without is a mirror whose tables cannot be read.
func (u *inUse) without(err error) (*inUse, error) {
	var refused *clickhouse.Error
	if !errors.As(err, &refused) || refused.Code == 0 {
		return nil, err
	}
	u.unusable, u.seen = "the mirror in use cannot be read: "+err.Error(), nil
	return u, nil
}

// empty reports whether there is nothing that somebody could be filling.
func (u *inUse) empty() bool { return u.seen == nil }

// watch looks whether somebody writes the mirror in use.
func (u *inUse) watch(ctx context.Context) error {
	if u.seen == nil || time.Since(u.watched) < beatInterval/2 {
		return nil
	}
	now, err := loadProgress(ctx, u.conn)
	if err != nil {
		return err
	}
	if u.watched.IsZero() || !now.equal(u.seen) {
		u.moved = time.Now()
	}
	u.seen, u.watched = now, time.Now()
	return nil
}
