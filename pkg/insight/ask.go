package insight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Limits of one answer. ComputeRows are rows of the source, which are read only where the answer is not kept.
const (
	ComputeTime   = 30 * time.Second
	ComputeRows   = 100_000_000
	ComputeMemory = 2 << 30
)

var computeSettings = clickhouse.Settings{
	"max_execution_time": int(ComputeTime.Seconds()), "max_rows_to_read": ComputeRows,
	"max_memory_usage": ComputeMemory, "max_bytes_before_external_group_by": ComputeMemory / 4,
}

// sizesAge is how long the sizes of rollups are taken as they were.
const sizesAge = time.Minute

// facts are what a version has learnt of its table.
type facts struct {
	sync.Mutex
	remembered
	// types are ClickHouse's types of keys and measures, by time zone.
	types map[string]map[string]string
	// sizes are the numbers of rows of rollups, by what they miss.
	sizes   map[uint64]uint64
	sizedAt time.Time
}

// Ask answers a question from the smallest rollup that has all keys which the question needs. If there is none, or if
// days are those of another zone, the answer is computed from the source, within ComputeTime, ComputeRows and
// ComputeMemory.
//
// With at, the answer is that of the events below these offsets, and no others; the mirror must have all of them. The
// table is trusted up to filled, which is how far it is known to be filled. What is behind that is computed from the
// source, and so are the segments that at divides.
//
// Without at (nil) the answer is what the table has, or the mirror; what was read from the table is remembered until
// filled is another (nil: it is not known, and nothing is remembered). Answers are shared: nobody may change one.
//
// Errors are QuestionError, QuestionTooLargeError, or those of ClickHouse.
func (v *Version) Ask(
	ctx context.Context, conn *clickhouse.Conn, q Question, at, filled eventlog.Offsets,
) (*Answer, error) {
	if at != nil || filled == nil {
		return v.answer(ctx, conn, q, at, filled)
	}
	asked, tableAt := fmt.Sprintf("%#v", q), eventlog.PositionOf(filled).String()
	if answer := v.known.recall(asked, tableAt); answer != nil {
		return answer, nil
	}
	answer, err := v.answer(ctx, conn, q, nil, filled)
	if err == nil && answer.Computed == "" {
		v.known.remember(asked, tableAt, answer)
	}
	return answer, err
}

// answer reads or computes an answer.
func (v *Version) answer(
	ctx context.Context, conn *clickhouse.Conn, q Question, at, filled eventlog.Offsets,
) (*Answer, error) {
	if q.Limit < 1 || q.Limit > MaxAnswerRows {
		return nil, &QuestionError{"limit", fmt.Sprintf("must be from 1 to %d", MaxAnswerRows)}
	}
	e := extent{at: at, filled: filled, growing: at != nil}
	answer, a, err := v.read(ctx, conn, q, e)
	if err == nil && e.growing && a.why == "" {
		var same bool
		if same, err = v.isFilledTo(ctx, conn, a.rollup, e); err == nil && !same {
			e.growing = false
			answer, a, err = v.read(ctx, conn, q, e)
		}
	}
	if err != nil {
		return nil, err
	}
	if a.why == "" && v.Entity == nil {
		answer.Rollup = a.rollup.keys
	}
	answer.Computed = a.why
	if answer.More {
		answer.Next, err = cursor(answer.sorted)
	}
	return answer, err
}

// read plans and reads an answer.
func (v *Version) read(ctx context.Context, conn *clickhouse.Conn, q Question, e extent) (*Answer, *asked, error) {
	a, err := v.plan(ctx, conn, q, e)
	if err != nil {
		return nil, nil, err
	}
	answer, err := a.d.read(ctx, conn, a.query, computeSettings, a.page, a.Limit)
	if err != nil {
		return nil, nil, tooMuch(err, a.why, analytics.Limits{Time: ComputeTime, Memory: ComputeMemory})
	}
	return answer, a, nil
}

// tooMuch is a QuestionTooLargeError where that is what err means.
func tooMuch(err error, why string, limits analytics.Limits) error {
	if clickhouse.IsTooMuch(err) || errors.Is(err, context.DeadlineExceeded) {
		return &QuestionTooLargeError{Why: why, Limits: limits, Err: err}
	}
	return err
}

// plan finds how a question is answered: from which rollup, or from the source.
func (v *Version) plan(ctx context.Context, conn *clickhouse.Conn, q Question, e extent) (*asked, error) {
	a, err := v.resolve(q)
	if err != nil {
		return nil, err
	}
	types, err := v.types(ctx, conn, a.d.Zone)
	if err != nil {
		return nil, err
	}
	r, bounds, why, err := v.choose(ctx, conn, a)
	if err != nil {
		return nil, err
	}
	a.page, a.rollup, a.why = newPaging(a, types), r, why
	switch {
	case why != "":
		a.query = v.compute(a, types, e.at)
	case v.Entity != nil:
		entities := v.first.merged(v.merged, v.first.Keys).query(v.kept(r, "", e))
		a.query = a.d.secondStage("("+entities+")", a.conditions(v, types, bounds, false)...)
	default:
		condition := all(a.conditions(v, types, bounds, true)...)
		merged := pick(v.merged, a.d.Measures)
		a.query = v.first.merged(merged, a.d.Keys).query(v.kept(r, condition, e))
	}
	return a, nil
}

// merged is the stage with these keys and measures over states.
func (s *Stage) merged(measures, keys []Column) *Stage {
	stage := &Stage{Measures: measures}
	for _, key := range keys {
		key.SQL.SQL = key.Name
		stage.Keys = append(stage.Keys, key)
	}
	return stage
}

// pick are the columns of all with the names of some, in their order.
func pick(columns, some []Column) []Column {
	picked := make([]Column, len(some))
	for i, c := range some {
		picked[i] = columns[slices.IndexFunc(columns, func(o Column) bool { return o.Name == c.Name })]
	}
	return picked
}

// choose finds the rollup that answers, and the key that From and To are compared with. If there is none, why says so.
func (v *Version) choose(
	ctx context.Context, conn *clickhouse.Conn, a *asked,
) (r rollup, bounds *timeKey, why string, err error) {
	limited := !a.From.IsZero() || !a.To.IsZero()
	switch {
	case v.Entity != nil && limited:
		bounds = &a.bounds[0]
	case limited && len(a.bounds) == 0:
		return r, nil, "from or to is not the beginning of a day or month that is kept", nil
	}
	switch {
	case a.rezoned:
		return r, bounds, "days and months are kept in the zone " + v.Zone, nil
	case v.Entity != nil:
		return v.rollups[0], bounds, "", nil
	}
	var sizes map[uint64]uint64
	if len(v.rollups) > 1 {
		if sizes, err = v.sizes(ctx, conn); err != nil {
			return r, nil, "", err
		}
	}
	needed := columnNames(slices.Concat(a.d.Keys, a.filtered(v)))
	found := false
	try := func(candidate rollup, key *timeKey) {
		keys := needed
		if key != nil {
			keys = append(slices.Clone(needed), key.Name)
		}
		lacks := func(key string) bool { return !slices.Contains(candidate.keys, key) }
		if slices.ContainsFunc(keys, lacks) || found && sizes[candidate.missing] >= sizes[r.missing] {
			return
		}
		r, bounds, found = candidate, key, true
	}
	for _, candidate := range v.rollups {
		if !limited {
			try(candidate, nil)
		}
		for i := range a.bounds {
			try(candidate, &a.bounds[i])
		}
	}
	if !found {
		why = "no rollup has all keys of the question"
	}
	return r, bounds, why, nil
}

// conditions are those of the filters and of the times. Over kept rows keys are columns; elsewhere they are computed.
func (a *asked) conditions(v *Version, types map[string]string, bounds *timeKey, kept bool) (conditions []string) {
	sql := func(key Column) string {
		if kept {
			return key.Name
		}
		return "(" + key.SQL.SQL + ")"
	}
	for _, key := range a.filtered(v) {
		conditions = append(conditions,
			textOfType(sql(key), types[key.Name])+" IN ("+clickhouse.Literals(a.Where[key.Name]...)+")")
	}
	if bounds != nil {
		zone, _ := LoadZone(a.d.Zone) // was loaded before
		conditions = append(conditions, bounds.condition(sql(bounds.Column), a.From.In(zone), a.To.In(zone)))
	}
	if !kept {
		conditions = append(conditions, multiplied(v.Keys...)...)
		for _, c := range v.With {
			if c.SQL.mentions("arrayJoin") {
				conditions = append(conditions, "NOT ignore("+c.Name+")")
			}
		}
	}
	return conditions
}

// compute is the query that answers from the source.
func (v *Version) compute(a *asked, types map[string]string, at eventlog.Offsets) string {
	var bounds *timeKey
	var times string
	switch limited := !a.From.IsZero() || !a.To.IsZero(); {
	case limited && v.Entity != nil:
		bounds = &a.bounds[0]
	case limited:
		times = between(v.Time, a.From, a.To)
	}
	rows := v.final(v.Source.Table)
	if where := all(times, belowOffsets(at)); where != "" {
		rows = "(SELECT * FROM " + rows + " WHERE " + where + ")"
	}
	return a.d.query(rows, a.conditions(v, types, bounds, false)...)
}

// between is the condition for a column of time.
func between(column string, from, to time.Time) string {
	compare := func(operator string, at time.Time) string {
		if at.IsZero() {
			return ""
		}
		const layout = "2006-01-02 15:04:05.000000"
		return fmt.Sprintf("%s %s toDateTime64('%s', 6, 'UTC')", column, operator, at.UTC().Format(layout))
	}
	return all(compare(">=", from), compare("<", to))
}

// belowOffsets is the condition for the events below offsets; nil: for all.
func belowOffsets(at eventlog.Offsets) string {
	if at == nil {
		return ""
	}
	var intervals []Interval
	for _, tp := range at.Partitions() {
		intervals = append(intervals, Interval{TopicPartition: tp, UpTo: at[tp]})
	}
	return cmp.Or(within(intervals), "0")
}

// extent says of which events an answer is, and where it has them from.
type extent struct {
	// at are the offsets below which the events are; nil: those that the table has. The table has all below filled.
	at, filled eventlog.Offsets
	// growing takes the segments that are not full yet from the table, too, as far as filled. A fill that ends meanwhile
	// replaces their rows, so isFilledTo tells afterwards whether they were there. Without it, these segments are
	// computed from their beginnings.
	growing bool
}

// kept are the rows of a rollup, as what follows FROM. The condition is about its keys.
func (v *Version) kept(r rollup, condition string, e extent) string {
	table := func(places string) string {
		// What is chosen by columns of the order may be chosen before rows are replaced.
		return v.Table + " FINAL PREWHERE " + all(fmt.Sprintf("_rollup = %d", r.missing), places, condition)
	}
	if e.at == nil {
		return table("")
	}
	columns := strings.Join(v.columnsOf(r), ", ")
	kept, computed := v.divide(e)
	var parts []string
	if len(kept) > 0 || len(computed) == 0 {
		parts = append(parts, "SELECT "+columns+" FROM "+table(cmp.Or(v.places(kept), "0")))
	}
	if len(computed) > 0 {
		rest := &Version{
			Definition: v.Definition, segmentOffsets: v.segmentOffsets, first: v.first, states: v.states,
		}
		rest.keep([]Rollup{r.keys})
		query := "SELECT " + columns + " FROM (" + rest.rows(v.final(v.Source.Table, computed...), computed...) + ")"
		if condition != "" {
			query += " WHERE " + condition
		}
		parts = append(parts, query)
	}
	return "(" + strings.Join(parts, " UNION ALL ") + ")"
}

// places is the condition for the rows of intervals that the table has from the log's beginning on: whole segments, and
// the segment that grows up to an interval's end. Rows of that are chosen before they are replaced, too: the ones of
// this end are wanted, whatever comes later.
func (v *Version) places(kept []Interval) string {
	ends := maps.Collect(byTopic(kept, func(i Interval) int64 { return i.UpTo }))
	var conditions []string
	for topic, segments := range byTopic(kept, func(i Interval) int64 { return i.UpTo / v.segmentOffsets }) {
		segment := segments.at("_partition")
		conditions = append(conditions, fmt.Sprintf("_topic = %s AND (_segment < %s OR _segment = %s AND _upto = %s)",
			clickhouse.Literals(topic), segment, segment, ends[topic].at("_partition")))
	}
	return strings.Join(conditions, " OR ")
}

// isFilledTo reports whether the segments that grow are filled as far as the extent says, and no further. If so, no
// query until now has missed rows of them: a later fill would have left rows with a greater end.
func (v *Version) isFilledTo(ctx context.Context, conn *clickhouse.Conn, r rollup, e extent) (bool, error) {
	kept, _ := v.divide(e)
	growing := slices.DeleteFunc(kept, func(i Interval) bool { return i.UpTo%v.segmentOffsets == 0 })
	ends := eventlog.Offsets{}
	for _, i := range growing {
		ends[i.TopicPartition] = i.UpTo
	}
	var conditions []string
	for topic, segments := range byTopic(growing, func(i Interval) int64 { return i.UpTo / v.segmentOffsets }) {
		conditions = append(conditions, fmt.Sprintf("_topic = %s AND _segment >= %s",
			clickhouse.Literals(topic), segments.at("_partition")))
	}
	if len(conditions) == 0 {
		return true, nil
	}
	same := true
	err := conn.Each(ctx, fmt.Sprintf("SELECT _topic, _partition, max(_upto) FROM %s PREWHERE _rollup = %d AND (%s) "+
		"GROUP BY _topic, _partition", v.Table, r.missing, strings.Join(conditions, " OR ")), nil, nil,
		func(rows clickhouse.Rows) error {
			var tp eventlog.TopicPartition
			var upTo int64
			err := rows.Scan(&tp.Topic, &tp.Partition, &upTo)
			end, grows := ends[tp]
			same = same && (!grows || upTo == end)
			return err
		})
	return same, err
}

// columnsOf are the columns of a rollup: its keys, and the states.
func (v *Version) columnsOf(r rollup) []string {
	columns := slices.Clone([]string(r.keys))
	for n := range v.states {
		columns = append(columns, stateColumn(n))
	}
	if len(columns) == 0 {
		return []string{"_rollup"}
	}
	return columns
}

// divide divides the events below at, of topics that the source has rows of: into intervals from the log's beginning
// that the table has, and those that have to be computed.
func (v *Version) divide(e extent) (kept, computed []Interval) {
	for _, tp := range e.at.Partitions() {
		if !v.Source.HasTopic(tp.Topic) {
			continue
		}
		at, filled := e.at[tp], e.filled[tp]
		end := v.begin(min(at, filled))
		if e.growing && filled <= at {
			end = filled
		}
		if end > 0 {
			kept = append(kept, Interval{TopicPartition: tp, UpTo: end})
		}
		if end < at {
			computed = append(computed, Interval{TopicPartition: tp, From: end, UpTo: at})
		}
	}
	return kept, computed
}

// types are ClickHouse's types of the keys and measures in a zone.
func (v *Version) types(ctx context.Context, conn *clickhouse.Conn, zone string) (map[string]string, error) {
	v.known.Lock()
	defer v.known.Unlock()
	if types := v.known.types[zone]; types != nil {
		return types, nil
	}
	d := *v.Definition
	d.Zone = zone
	types, err := d.types(ctx, conn)
	if err != nil {
		return nil, err
	}
	if v.known.types == nil {
		v.known.types = map[string]map[string]string{}
	}
	v.known.types[zone] = types
	return types, nil
}

// sizes are the numbers of rows of the rollups, as they were within sizesAge.
func (v *Version) sizes(ctx context.Context, conn *clickhouse.Conn) (map[uint64]uint64, error) {
	v.known.Lock()
	defer v.known.Unlock()
	if v.known.sizes != nil && time.Since(v.known.sizedAt) < sizesAge {
		return v.known.sizes, nil
	}
	sizes := map[uint64]uint64{}
	err := conn.Each(ctx, "SELECT _rollup, count() FROM "+v.Table+" GROUP BY _rollup", nil, nil,
		func(rows clickhouse.Rows) error {
			var missing, size uint64
			err := rows.Scan(&missing, &size)
			sizes[missing] = size
			return err
		})
	if err != nil {
		return nil, err
	}
	v.known.sizes, v.known.sizedAt = sizes, time.Now()
	return sizes, nil
}
