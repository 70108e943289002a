package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// viewComment begins the comments of the views that the conductor makes. It touches no others.
const viewComment = "Holdfast insight "

// views is what the conductor remembers of them.
type views struct {
	// live are the live replays by insight when views were made, and at is when all of them were looked at last: another
	// table may have taken the place of one.
	live map[string]string
	at   time.Time
	// failed is true while they cannot be made. Tables that they may be of are not dropped then.
	failed bool
	// taken are names that something else has.
	taken map[string]bool
}

// heldView is a view or table whose name begins like a view's.
type heldView struct{ engine, comment string }

// keepViews keeps the views of live versions, if there may be something to do: a version has gone live, or is no more.
func (r *Runner) keepViews(ctx context.Context, state *catalog.State) {
	live := map[string]string{}
	for _, i := range state.Insights() {
		if i.Live != nil && i.Live.Definition != nil {
			live[i.Name] = i.Live.ID
		}
	}
	c := &r.conductor.views
	all := time.Since(c.at) > r.conductor.pace.sweep
	if !all && (c.failed || maps.Equal(live, c.live)) {
		return
	}
	before := c.live
	if c.live = live; all {
		before, c.at = nil, time.Now()
	}
	err := r.makeViews(ctx, state, before)
	switch c.failed = err != nil && !clickhouse.IsDenied(err); {
	case err != nil && ctx.Err() == nil:
		r.cfg.Logger.Warn("views of insights cannot be kept", "error", err, "again_in", r.conductor.pace.sweep)
	}
}

// makeViews makes the views of live versions, replaces those of which another version or another table answers now, and
// drops those that are of none. Insights of which the same replay was live before are left as they are.
func (r *Runner) makeViews(ctx context.Context, state *catalog.State, before map[string]string) error {
	held, err := heldViews(ctx, r.cfg.Conn)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, i := range state.Insights() {
		if i.Live == nil || i.Live.Definition == nil {
			continue
		}
		if before[i.Name] != i.Live.ID {
			err := r.viewsOf(ctx, i.Live, held, wanted)
			if err == nil {
				continue
			}
			if !errors.Is(err, insight.ErrComputing) {
				return err
			}
		}
		for name, view := range held { // what is there stays
			wanted[name] = wanted[name] || view.isOf(i.Name)
		}
	}
	for name, view := range held {
		if !view.isOurs() || wanted[name] {
			continue
		}
		if err := r.cfg.Conn.Exec(ctx, "DROP VIEW IF EXISTS "+name+" SYNC", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// viewsOf makes the views of a replay that is live, unless they are there, and notes their names. Of a replay that is
// computed again there are none (insight.ErrComputing) until its table has the history.
func (r *Runner) viewsOf(
	ctx context.Context, live *catalog.Replay, held map[string]heldView, wanted map[string]bool,
) error {
	a, err := answering(ctx, r.cfg.Conn, live)
	if err != nil {
		return err
	}
	if a == nil || !a.Filled.Reaches(target(live)) {
		return insight.ErrComputing
	}
	comment := fmt.Sprintf("%s%s: version %s, replay %s, table %s", viewComment, live.Insight, live.Fingerprint, live.ID,
		a.Table)
	for _, view := range a.Views() {
		there, exists := held[view.Name]
		taken := wanted[view.Name] || exists && !there.isOurs()
		if taken && !r.conductor.views.taken[view.Name] {
			r.cfg.Logger.Warn("an insight has no view: something else has its name", "view", view.Name, "insight", live.Insight)
		}
		if r.conductor.views.taken[view.Name] = taken; taken {
			continue
		}
		wanted[view.Name] = true
		if there.comment == comment {
			continue
		}
		if err := r.cfg.Conn.Exec(ctx, view.Statement(comment), nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (v heldView) isOurs() bool {
	return v.engine == "View" && strings.HasPrefix(v.comment, viewComment)
}

// isOf reports whether it is a view of an insight.
func (v heldView) isOf(name string) bool {
	return v.isOurs() && strings.HasPrefix(v.comment, viewComment+name+":")
}

// heldViews are the views and tables whose names begin like a view's, but for tables of versions.
func heldViews(ctx context.Context, conn *clickhouse.Conn) (map[string]heldView, error) {
	held := map[string]heldView{}
	err := conn.Each(ctx, "SELECT name, engine, comment FROM system.tables WHERE database = currentDatabase() "+
		"AND startsWith(name, {prefix:String}) AND NOT startsWith(name, {tables:String})", nil,
		clickhouse.Parameters{"prefix": insight.ViewPrefix, "tables": insight.TablePrefix},
		func(rows clickhouse.Rows) error {
			var name string
			var view heldView
			err := rows.Scan(&name, &view.engine, &view.comment)
			held[name] = view
			return err
		})
	return held, err
}
