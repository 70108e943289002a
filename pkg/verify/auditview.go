package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

const (
	// saveAfter is how many records may have changed since the last save, saveEvery how long ago that may be.
	saveAfter = 10_000
	saveEvery = time.Second
	// maxNames is how many names of SKUs are kept once for all orders that are in memory.
	maxNames = 100_000
	// layoutTimeout bounds the question for a layout that an event is ahead of.
	layoutTimeout = 10 * time.Second
	// maxLogged is how many violations of one invariant are logged at a save; all are counted.
	maxLogged = 20
)

// auditView is the auditor as the runtime drives it. The runtime folds in one goroutine; another one saves and compares
// from time to time.
type auditView struct {
	cfg        AuditorConfig
	partitions []eventlog.TopicPartition

	mu      sync.Mutex
	disk    *disk
	checker *checker // nil: it has not begun
	marks   marks
	reached eventlog.Offsets // up to where was folded
	folding *eventlog.Record // nil: it compares what is due
	found   map[*Invariant]*finds
	savedAt time.Time

	publishedMu sync.Mutex
	published   marks // as of the last save
}

// Begin drops what was not saved, and returns where the records are. Records of another log are deleted.
func (v *auditView) Begin(ctx context.Context, _ eventlog.Offsets) (eventlog.Offsets, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	ids, err := v.cfg.Client.TopicIDs(ctx, eventlog.TopicOrders, eventlog.TopicInventory)
	if err != nil {
		return nil, err
	}
	start, end, err := v.bounds(ctx)
	if err != nil {
		return nil, err
	}
	v.disk.begin()
	v.marks = marks{next: eventlog.Offsets{}, progress: map[int32]int64{}}
	saved := v.disk.read(keyMark, "", v.marks.code)
	if v.disk.err != nil {
		return nil, v.disk.err
	}
	mine := marks{env: v.cfg.Client.Config().Env, topics: []id{ids[0], ids[1]}, checked: make([]counts, len(names))}
	if why := v.otherLog(&mine, end); saved && why != "" {
		v.cfg.Logger.Warn("the auditor's records are not of this log; it reads the log from its start",
			"why", why, "dir", v.cfg.Dir)
		if err := v.disk.empty(); err != nil {
			return nil, err
		}
		saved = false
	}
	if !saved {
		mine.next, mine.progress = eventlog.Offsets{}, map[int32]int64{}
		mine.generations, mine.tick = map[eventlog.TopicPartition]uint32{}, 1
		v.marks = mine
	}
	v.placeRows(start, end)
	v.begin()
	return v.reached.Clone(), nil
}

// bounds are where the partitions start and end, uncommitted records included.
func (v *auditView) bounds(ctx context.Context) (start, end eventlog.Offsets, err error) {
	if start, err = v.cfg.Client.StartOffsets(ctx, v.partitions); err == nil {
		end, err = v.cfg.Client.EndOffsets(ctx, v.partitions)
	}
	return start, end, err
}

// otherLog says why the saved records are not those of the log; "" where they are.
func (v *auditView) otherLog(mine *marks, end eventlog.Offsets) string {
	saved := &v.marks
	switch {
	case saved.env != mine.env:
		return fmt.Sprintf("they are of the platform %q, not %q", saved.env, mine.env)
	case !slices.Equal(saved.topics, mine.topics):
		return "its topics were deleted and created again"
	case len(saved.checked) != len(names):
		return "they have other invariants"
	}
	for tp, next := range saved.next {
		if tp.Topic != eventlog.TopicAvailability && next > end[tp] {
			return fmt.Sprintf("they reach %s/%d@%d, the log ends at %d", tp.Topic, tp.Partition, next, end[tp])
		}
	}
	return ""
}

// placeRows begins with the start of the availability topic where it was made again, or lost its start.
func (v *auditView) placeRows(start, end eventlog.Offsets) {
	for _, tp := range v.partitions {
		if tp.Topic != eventlog.TopicAvailability {
			continue
		}
		next := v.marks.next[tp]
		if next > end[tp] {
			next = 0
			delete(v.marks.progress, tp.Partition)
		}
		v.marks.next[tp] = max(next, start[tp])
	}
}

// begin makes the checker that goes on where the marks are.
func (v *auditView) begin() {
	c := newCheckerOn(v.cfg.Layout, Options{}, v.disk)
	c.found = v.find
	c.newerLayout = v.newerLayout
	c.generations = maps.Clone(v.marks.generations)
	c.rows.progress = maps.Clone(v.marks.progress)
	c.report.Events, c.report.ReusedKeys = v.marks.events, v.marks.reusedKeys
	c.reused = v.findReuse
	for i, inv := range c.report.Invariants {
		inv.Checked, inv.Violations = v.marks.checked[i].checks, v.marks.checked[i].violations
	}
	v.checker, v.found, v.savedAt = c, map[*Invariant]*finds{}, time.Now()
	v.reached = eventlog.Offsets{}
	for _, tp := range v.partitions {
		v.reached[tp] = v.marks.next[tp]
	}
	v.publish()
}

// newerLayout asks for the layout, because an event is of a newer generation than the one that is known.
func (v *auditView) newerLayout() eventlog.Layout {
	ctx, cancel := context.WithTimeout(context.Background(), layoutTimeout)
	defer cancel()
	layout, err := v.cfg.Client.ReadLayout(ctx)
	if err != nil {
		v.disk.keep(fmt.Errorf("an event is of a newer layout: %w", err))
		return v.checker.layout
	}
	v.cfg.Layout = layout
	return layout
}

// Fold checks a record. What it cannot decode is a violation, and does not stop it.
func (v *auditView) Fold(rec *eventlog.Record) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.checker
	v.folding = rec
	switch rec.Topic {
	case eventlog.TopicOrders:
		c.foldOrder(rec)
		c.report.Events++
	case eventlog.TopicInventory:
		c.foldStock(rec)
		c.report.Events++
	default:
		c.foldRow(rec)
	}
	v.folding = nil
	v.reached[rec.TopicPartition] = rec.Offset + 1 // a tick may save before the flush
	return v.disk.err
}

// Flush saves when much has changed, or the last save is a while ago.
func (v *auditView) Flush(_ context.Context, reached eventlog.Offsets) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reached = reached.Clone()
	changed := len(v.checker.accounts.changed) + len(v.checker.items.changed)
	if changed < saveAfter && time.Since(v.savedAt) < saveEvery {
		return nil
	}
	return v.save()
}

// save commits all that has changed, with how far that is, in one batch. Violations are logged before: one may be
// logged twice, and is counted once.
func (v *auditView) save() error {
	c, m := v.checker, &v.marks
	c.accounts.save(func(id string, a *account) {
		a.due = m.tick
		v.disk.writeDue(m.tick, dueOrder, id)
	})
	c.items.save(func(sku string, it *item) {
		it.due = m.tick
		v.disk.writeDue(m.tick, dueSKU, sku)
	})
	c.keys.save()
	if len(c.skuNames) > maxNames {
		clear(c.skuNames)
	}
	m.next.Merge(v.reached)
	m.generations, m.progress, m.events = c.generations, c.rows.progress, c.report.Events
	m.reusedKeys = c.report.ReusedKeys
	for i, inv := range c.report.Invariants {
		m.checked[i] = counts{inv.Checked, inv.Violations}
	}
	v.disk.write(keyMark, "", m.code)
	v.logViolations()
	if err := v.disk.commit(); err != nil {
		return fmt.Errorf("the auditor's records: %w", err)
	}
	v.savedAt = time.Now()
	v.publish()
	return nil
}

// finds are the violations of an invariant since the last save.
type finds struct {
	n    int
	some [][]any // what is logged of the first ones
}

// find notes a violation.
func (v *auditView) find(inv *Invariant, format string, args []any) {
	f := v.found[inv]
	if f == nil {
		f = &finds{}
		v.found[inv] = f
	}
	if f.n++; f.n > maxLogged {
		return
	}
	line := []any{"invariant", inv.ID, "name", inv.Name, "detail", fmt.Sprintf(format, args...)}
	if rec := v.folding; rec != nil {
		line = append(line, "topic", rec.Topic, "partition", rec.Partition, "offset", rec.Offset)
	}
	f.some = append(f.some, line)
}

// findReuse logs that a client has used a key for two requests.
func (v *auditView) findReuse(detail string) {
	v.cfg.Logger.Warn("an idempotency key was used for two requests, and placed two orders", "detail", detail)
}

// logViolations logs a line for each violation since the last save.
func (v *auditView) logViolations() {
	for inv, f := range v.found {
		for _, line := range f.some {
			v.cfg.Logger.Error("an invariant is violated", line...)
		}
		if f.n > maxLogged {
			v.cfg.Logger.Error("an invariant is violated again and again; the others are counted only",
				"invariant", inv.ID, "others", f.n-maxLogged)
		}
	}
	clear(v.found)
}

func (v *auditView) publish() {
	v.publishedMu.Lock()
	defer v.publishedMu.Unlock()
	v.published = v.marks
	v.published.next, v.published.checked = v.reached.Clone(), slices.Clone(v.marks.checked)
}

// snapshot is what was saved last.
func (v *auditView) snapshot() marks {
	v.publishedMu.Lock()
	defer v.publishedMu.Unlock()
	if v.published.checked == nil {
		return marks{checked: make([]counts, len(names))}
	}
	return v.published
}

func (v *auditView) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var err error
	if v.checker != nil && v.disk.err == nil {
		err = v.save()
	}
	return errors.Join(err, v.disk.close())
}
