package replay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

const (
	// conductInterval is how often the conductor looks how far others are, while there is a replay.
	conductInterval = 500 * time.Millisecond
	// sweepInterval is how often it looks for tables that nobody needs, and dropDelay how long it leaves them to readers
	// that have not noticed.
	sweepInterval = 10 * time.Second
	dropDelay     = 30 * time.Second
	// logRowsDelay is the same for rows of the log. Nobody reads them.
	logRowsDelay = 5 * time.Second
	// verifyAttempts is how often a verification is tried that fails by an error, as opposed to a difference.
	verifyAttempts = 5
)

// conductorTP is the partition whose owner is the conductor: the one replica that says when a replay is filled,
// verifies, promotes, and drops tables. Should there be two for a moment, then the second decision has no effect.
var conductorTP = eventlog.TopicPartition{Topic: eventlog.TopicOrders}

// conductor is what the conductor remembers.
type conductor struct {
	// verifying is the replay that is being verified; empty: none. done gets its result.
	verifying string
	cancel    context.CancelFunc
	done      chan verification
	// raw are the rows that verifications were compared with lately; nil: none. While a replay is being verified they
	// belong to its verification.
	raw *rawRows

	// attempts are how often a verification was begun, of replays that could not be verified yet.
	attempts map[string]int
	retryAt  time.Time
	// refused are the replays that could not be promoted by themselves. Somebody has to decide.
	refused map[string]bool

	views views

	pace    pace
	sweptAt time.Time
	// reached is where the mirror was at the last sweep.
	reached eventlog.Offsets
	// unwanted is since when tables are not needed.
	unwanted map[string]time.Time
}

// pace says how long the conductor waits: between two sweeps, with tables that nobody needs, and with rows that a
// verification was compared with.
type pace struct{ sweep, drop, rawRows time.Duration }

func newConductor() conductor {
	return conductor{
		done: make(chan verification, 1), attempts: map[string]int{}, refused: map[string]bool{},
		unwanted: map[string]time.Time{}, views: views{taken: map[string]bool{}},
		pace: pace{sweepInterval, dropDelay, rawRowsKept},
	}
}

// conduct does the conductor's work if this replica is the one. It returns how long there is none.
func (r *Runner) conduct(ctx context.Context, durable analytics.Durable, state *catalog.State) time.Duration {
	if !r.conducts(durable) {
		r.stopConducting(ctx)
		return idleWait
	}
	if v := r.conductor.verifying; v != "" {
		if replay := state.Replay(v); replay == nil || !replay.Verifying || replay.IsEnded() {
			r.conductor.stop() // somebody has discarded it
		}
	}
	wait := r.conductor.pace.sweep
	for _, replay := range byUrgency(state.Replays(), r.conductor.hasRaw) {
		if replay.Definition == nil || replay.IsEnded() {
			continue
		}
		switch {
		case replay.Phase == catalog.Filling: // others may fill the last of it: the next round looks again
		case replay.Verifying && r.conductor.verifying == "" && time.Now().After(r.conductor.retryAt):
			r.startVerification(ctx, replay)
		case replay.Promote && replay.Phase == catalog.Staged && replay.PromotedAt.IsZero():
			r.promote(ctx, replay)
		default:
			continue
		}
		wait = conductInterval
	}
	r.keepViews(ctx, state)
	if time.Since(r.conductor.sweptAt) > r.conductor.pace.sweep && !r.conductor.views.failed {
		if err := r.sweep(ctx, durable, state); err != nil {
			r.cfg.Logger.Warn("tables of insights that nobody needs cannot be dropped", "error", err)
		}
		r.conductor.sweptAt = time.Now()
	}
	return wait
}

// byUrgency puts what people have asked for before the ready insights, and among these the ones first whose source was
// read from the log lately. There is one verification at a time.
func byUrgency(replays []*catalog.Replay, wasRead func(table string) bool) []*catalog.Replay {
	rank := func(r *catalog.Replay) (rank int) {
		if r.By == self {
			rank += 2
		}
		if r.Definition == nil || !wasRead(r.Definition.Source.Table) {
			rank++
		}
		return rank
	}
	slices.SortStableFunc(replays, func(a, b *catalog.Replay) int { return rank(a) - rank(b) })
	return replays
}

// hasRaw reports whether rows of a source were kept from the verification before.
func (c *conductor) hasRaw(table string) bool {
	return c.verifying == "" && c.raw != nil && c.raw.Has(table)
}

// noteFilled stages a replay once all replicas have gone through its history. Only the conductor does so.
func (r *Runner) noteFilled(ctx context.Context, t *table, durable analytics.Durable) {
	if !r.conducts(durable) || !t.opened || t.lacks(durable.Next) {
		return
	}
	if state, _ := r.cfg.Catalog.State(); state.Replay(t.replay.ID).Phase != catalog.Filling {
		return
	}
	progress, err := loadProgress(ctx, r.cfg.Conn, t.replay.ID)
	if err != nil {
		return // who fills has the same error, and tells
	}
	p := progress[t.Table]
	if p == nil || !p.Next.Reaches(target(t.replay)) {
		return
	}
	seconds, err := workedSeconds(ctx, r.cfg.Conn, t.replay.ID, t.Table)
	if err != nil {
		return
	}
	var events int64
	for _, offset := range target(t.replay) {
		events += offset
	}
	r.decide(ctx, catalog.Decision{Type: catalog.ReplayFilled, ReplayID: t.replay.ID, Filled: &catalog.Filled{
		Events: events, Seconds: seconds,
	}})
}

// target is where a replay's history ends, in the topics that its source has rows of.
func target(replay *catalog.Replay) eventlog.Offsets {
	return within(replay, replay.PinnedOffsets())
}

// within are the offsets of the topics that a replay's source has rows of, as far as the replay goes.
func within(replay *catalog.Replay, offsets eventlog.Offsets) eventlog.Offsets {
	limited, upTo := eventlog.Offsets{}, replay.UpToOffsets()
	for tp, offset := range offsets {
		if upTo != nil {
			offset = min(offset, upTo[tp])
		}
		if replay.Definition == nil || replay.Definition.Source.HasTopic(tp.Topic) {
			limited[tp] = offset
		}
	}
	return limited
}

// promote does what a replay that goes live by itself needs next.
func (r *Runner) promote(ctx context.Context, replay *catalog.Replay) {
	switch {
	case replay.Verifying || r.conductor.refused[replay.ID]:
	case replay.Verified == nil:
		r.decide(ctx, catalog.Decision{Type: catalog.VerifyRequested, ReplayID: replay.ID})
	case replay.Verified.Green && replay.Verified.Against != r.liveID(replay.Insight):
		// Another version went live meanwhile.
		r.decide(ctx, catalog.Decision{Type: catalog.VerifyRequested, ReplayID: replay.ID})
	default:
		d := catalog.Decision{Type: catalog.Promoted, ReplayID: replay.ID, By: self}
		_, err := r.cfg.Catalog.Decide(ctx, d)
		var refusal *catalog.Refusal
		if errors.As(err, &refusal) {
			r.conductor.refused[replay.ID] = true
			r.cfg.Logger.Warn("a replay does not go live by itself", "replay", replay.ID, "why", err)
		}
	}
}

// liveID is the replay that is live; empty: there is none.
func (r *Runner) liveID(name string) string {
	state, _ := r.cfg.Catalog.State()
	if i := state.Insight(name); i != nil && i.Live != nil {
		return i.Live.ID
	}
	return ""
}

func (r *Runner) startVerification(ctx context.Context, replay *catalog.Replay) {
	state, _ := r.cfg.Catalog.State()
	i := state.Insight(replay.Insight)
	if i == nil { // it was dropped meanwhile
		return
	}
	live := i.Live
	ctx, r.conductor.cancel = context.WithCancel(ctx)
	r.conductor.verifying = replay.ID
	done := r.conductor.done
	go func() {
		began := time.Now()
		v, err := r.verify(ctx, replay, live)
		v.Seconds = time.Since(began).Seconds()
		done <- verification{replay.ID, v, err}
	}()
}

// verification is the end of a verification.
type verification struct {
	replayID string
	result   *catalog.Verified
	err      error // why there is no result
}

// end notes the result of a verification. One that was interrupted is begun again by the next conductor. One that
// failed by an error is tried again.
func (r *Runner) end(ctx context.Context, v verification) {
	c := &r.conductor
	c.cancel()
	c.verifying = ""
	if ctx.Err() != nil {
		return
	}
	if v.err != nil {
		c.attempts[v.replayID]++
		r.cfg.Logger.Warn("a replay could not be verified", "replay", v.replayID, "error", v.err)
		if c.attempts[v.replayID] < verifyAttempts {
			c.retryAt = time.Now().Add(backoff.StoreFirst << c.attempts[v.replayID])
			return
		}
		v.result.Problem = v.err.Error()
	}
	delete(c.attempts, v.replayID)
	delete(c.refused, v.replayID)
	r.decide(ctx, catalog.Decision{Type: catalog.ReplayVerified, ReplayID: v.replayID, Verified: v.result})
}

// stopConducting interrupts a verification, and drops what it was compared with.
func (r *Runner) stopConducting(ctx context.Context) {
	r.conductor.stop()
	r.dropRawRows(ctx)
}

// stop interrupts a verification, and waits for it.
func (c *conductor) stop() {
	if c.verifying != "" {
		c.cancel()
		<-c.done
		c.verifying = ""
	}
}

// sweep drops tables that nobody needs: of replays that have ended, and those that others have replaced.
func (r *Runner) sweep(ctx context.Context, durable analytics.Durable, state *catalog.State) error {
	reached, err := r.reports.Await(ctx, eventlog.Position{})
	if err != nil {
		return err
	}
	needed, err := r.needed(ctx, durable, state)
	if err != nil {
		return err
	}
	names, err := versionTables(ctx, r.cfg.Conn)
	if err != nil {
		return err
	}
	c := &r.conductor
	c.reached = reached.Position.Offsets()
	for _, name := range names {
		if !c.mayDrop(name, needed[name], c.pace.drop) {
			continue
		}
		// The table goes last: the next sweep finds it if this one ends in between.
		if err := forget(ctx, r.cfg.Conn, name); err != nil {
			return err
		}
		if err := r.cfg.Conn.Exec(ctx, "DROP TABLE IF EXISTS "+name+" SYNC", nil, nil); err != nil {
			return err
		}
		delete(c.unwanted, name)
		r.cfg.Logger.Info("a table of an insight was dropped: nobody needs it", "table", name)
	}
	return r.dropLogRows(ctx)
}

// mayDrop reports whether a table or database has not been needed for a delay. It remembers since when.
func (c *conductor) mayDrop(name string, needed bool, delay time.Duration) bool {
	since, known := c.unwanted[name]
	switch {
	case needed:
		delete(c.unwanted, name)
		return false
	case !known:
		c.unwanted[name] = time.Now()
		return false
	}
	return time.Since(since) > delay
}

// dropLogRows drops the rows of the log that no replay and no verification needs any more. While something is to be
// verified, another conductor, which has not noticed, may need those that it has made.
func (r *Runner) dropLogRows(ctx context.Context) error {
	c := &r.conductor
	if c.verifying == "" && c.raw != nil && time.Since(c.raw.usedAt) > c.pace.rawRows {
		r.dropRawRows(ctx)
	}
	state, _ := r.cfg.Catalog.State()
	needed := func(name string) bool {
		if c.verifying == "" && c.raw != nil && name == c.raw.database {
			return true
		}
		isVerified := strings.HasPrefix(name, r.cfg.Conn.Database()+"_"+verifySuffix)
		return slices.ContainsFunc(state.Replays(), func(replay *catalog.Replay) bool {
			atWork := replay.Phase == catalog.Filling || replay.Phase == catalog.Paused || replay.Phase == catalog.Queued
			return atWork && strings.HasSuffix(name, replaySuffix+shortID(replay.ID)) ||
				replay.Verifying && !replay.IsEnded() && isVerified
		})
	}
	for _, suffix := range []string{replaySuffix, verifySuffix} {
		prefix := r.cfg.Conn.Database() + "_" + suffix
		databases, err := databasesOf(ctx, r.cfg.Conn, prefix)
		if err != nil {
			return err
		}
		for _, name := range databases {
			if !r.conductor.mayDrop(name, needed(name), logRowsDelay) {
				continue
			}
			delete(r.conductor.unwanted, name)
			conn, err := r.cfg.Conn.Sibling(strings.TrimPrefix(name, r.cfg.Conn.Database()+"_"))
			if err != nil {
				return err
			}
			err = conn.DropDatabase(ctx)
			if err = errors.Join(err, conn.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

// databasesOf are the databases whose names begin so.
func databasesOf(ctx context.Context, conn *clickhouse.Conn, prefix string) (names []string, err error) {
	err = conn.Each(ctx, "SELECT name FROM system.databases WHERE startsWith(name, {prefix:String})", nil,
		clickhouse.Parameters{"prefix": prefix}, func(rows clickhouse.Rows) error {
			var name string
			err := rows.Scan(&name)
			names = append(names, name)
			return err
		})
	return names, err
}

// needed are the tables that are filled, and those that readers get until these are.
func (r *Runner) needed(
	ctx context.Context, durable analytics.Durable, state *catalog.State,
) (map[string]bool, error) {
	needed := map[string]bool{}
	repairs, err := analytics.Repairs(ctx, r.cfg.Conn, durable.Mirror)
	if err != nil {
		return nil, err
	}
	for _, replay := range state.Replays() {
		if replay.IsEnded() {
			continue
		}
		progress, err := loadProgress(ctx, r.cfg.Conn, replay.ID)
		if err != nil {
			return nil, err
		}
		if replay.Definition == nil { // a newer release can read it, and fills its tables
			for name := range progress {
				needed[name] = true
			}
			continue
		}
		version, err := versionOf(replay, durable.Mirror, repairs)
		if err != nil {
			return nil, err
		}
		needed[version.Table] = true
		// Once the present table has all that the mirror had a while ago, the ones before are of no use.
		reached := within(replay, r.conductor.reached)
		if p := progress[version.Table]; p != nil && len(reached) > 0 && p.Next.Reaches(reached) {
			continue
		}
		for name := range progress {
			needed[name] = true
		}
	}
	return needed, nil
}

// versionTables are the names of all tables of versions.
func versionTables(ctx context.Context, conn *clickhouse.Conn) (names []string, err error) {
	err = conn.Each(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() "+
		"AND startsWith(name, {prefix:String}) AND endsWith(engine, 'MergeTree') ORDER BY name", nil,
		clickhouse.Parameters{"prefix": insight.TablePrefix}, func(rows clickhouse.Rows) error {
			var name string
			err := rows.Scan(&name)
			names = append(names, name)
			return err
		})
	return names, err
}
