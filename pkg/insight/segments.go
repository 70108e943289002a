package insight

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// segmentOffsets is how many offsets of a partition are in a segment. A live table computes half a segment of each
// partition again at each fill, so they are small; a smaller one has more rows (docs/adr/0022-insights.md).
const segmentOffsets = 4_096

// Version is a definition with a table of its own, in which its answer is kept up to date. Its methods may be called
// from several goroutines.
//
// The table has a row for each combination of keys of each rollup in each segment of a partition of the log: the states
// of the aggregate functions over the events of the segment up to an offset (tableFormat). A later row of the same
// segment covers a longer prefix of it, and replaces the earlier one (ReplacingMergeTree by _upto). The same prefix
// gives the same row. So it does no harm when an interval is computed twice, by two processes at a time, or again after
// a crash. Nothing is ever added to a row.
type Version struct {
	*Definition
	// Table is the name of its table.
	Table string

	segmentOffsets int64
	// first is the stage that is kept: the entity if there is one.
	first *Stage
	// keys are the keys of the first stage that are in a rollup, rollups the sets of them that are kept.
	keys    []Column
	rollups []rollup
	// states are the aggregates that are kept for its measures, each once. The column of the n-th is stateColumn(n).
	states []aggregate
	// merged are the measures of the first stage over the states.
	merged []Column

	known facts
}

// rollup is a set of keys with the number of its rows in the table's column _rollup.
type rollup struct {
	// missing has a bit for each kept key that the rollup has not; the last key has the lowest. It is what SQL's function
	// grouping returns.
	missing uint64
	keys    Rollup
}

// TablePrefix begins the names of all tables of versions.
const TablePrefix = "insight__"

// tableFormat is how states are kept in tables of versions. A program reads no tables of another format: they are
// filled anew, beside those that are there.
//
//	1  states of aggregate functions (the name of the table does not say so)
//	2  plain numbers where parts are added up; bitmaps where orders are counted
const tableFormat = "f2"

// TableName is the name of a version's table. Several tables of one version differ in their build, such as
// insight__revenue__5ac0e1b2f3d4__f2_9d8c7b6a.
func (d *Definition) TableName(build string) string {
	return TablePrefix + d.Name + "__" + d.Fingerprint() + "__" + tableFormat + "_" + build
}

// IsTable reports whether a table is one of the definition's version, in the format that this program reads.
func (d *Definition) IsTable(name string) bool { return strings.HasPrefix(name, d.TableName("")) }

// NewVersion prepares a definition that is valid, with the name of its table.
func NewVersion(d *Definition, table string) (*Version, error) {
	v := &Version{Definition: d, Table: table, segmentOffsets: segmentOffsets, first: &d.Stage}
	if d.Entity != nil {
		v.first = d.Entity
	}
	v.keep(d.Rollups)
	for _, measure := range v.first.Measures {
		sql, err := split(measure.SQL.SQL, func(a aggregate) (string, error) {
			a, err := a.counted(&d.Source)
			if err != nil {
				return "", err
			}
			n := slices.Index(v.states, a)
			if n < 0 {
				n = len(v.states)
				v.states = append(v.states, a)
			}
			return a.merge(stateColumn(n)), nil
		})
		if err != nil {
			return nil, d.problem(measure.SQL, err.Error())
		}
		measure.SQL.SQL = sql
		v.merged = append(v.merged, measure)
	}
	return v, nil
}

// keep sets which keys are kept together; none: all keys.
func (v *Version) keep(rollups []Rollup) {
	if len(rollups) == 0 {
		rollups = []Rollup{columnNames(v.first.Keys)}
	}
	v.keys, v.rollups = nil, nil
	for _, key := range v.first.Keys {
		if slices.ContainsFunc(rollups, func(r Rollup) bool { return slices.Contains(r, key.Name) }) {
			v.keys = append(v.keys, key)
		}
	}
	for _, keys := range rollups {
		r := rollup{keys: keys}
		for _, key := range v.keys {
			r.missing <<= 1
			if !slices.Contains(keys, key.Name) {
				r.missing |= 1
			}
		}
		v.rollups = append(v.rollups, r)
	}
}

func stateColumn(n int) string { return fmt.Sprintf("_state_%d", n) }

// The columns of a version's table that say which events a row is made of.
const placeColumns = "_topic, _partition, _segment"

// begin is where the segment begins that has an offset.
func (v *Version) begin(offset int64) int64 { return offset - offset%v.segmentOffsets }

// rows computes rows of the table from rows of a source, which are those of the intervals. Without intervals these are
// all rows, and _upto is the segment's end.
func (v *Version) rows(from string, intervals ...Interval) string {
	end := fmt.Sprintf("(toInt64(_segment) + 1) * %d", v.segmentOffsets)
	if len(intervals) > 0 {
		var ends []string
		for topic, upTo := range byTopic(intervals, func(i Interval) int64 { return i.UpTo }) {
			ends = append(ends, fmt.Sprintf("topic = %s, toInt64(%s)", clickhouse.Literals(topic), upTo.at("partition")))
		}
		end = fmt.Sprintf("least(%s, multiIf(%s, 0))", end, strings.Join(ends, ", "))
	}
	columns := []string{
		"topic AS _topic", "partition AS _partition",
		fmt.Sprintf("toUInt32(intDiv(offset, %d)) AS _segment", v.segmentOffsets), end + " AS _upto",
	}
	var keys []string
	for _, key := range v.keys {
		columns = append(columns, fmt.Sprintf("(%s) AS %s", key.SQL.SQL, key.Name))
		keys = append(keys, "("+key.SQL.SQL+")")
	}
	rollup := "toUInt64(0)"
	if len(v.rollups) > 1 {
		rollup = "toUInt64(grouping(" + strings.Join(keys, ", ") + "))"
	}
	columns = append(columns, rollup+" AS _rollup")
	for n, state := range v.states {
		columns = append(columns, state.state()+" AS "+stateColumn(n))
	}
	conditions := append([]string{v.Where.SQL}, multiplied(v.first.Keys...)...)
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s GROUP BY %s",
		strings.Join(columns, ", "), v.timed(from), cmp.Or(all(conditions...), "1"), v.groups())
}

// groups are what rows are grouped by: the keys of each rollup.
func (v *Version) groups() string {
	sets := make([]string, len(v.rollups))
	for i, r := range v.rollups {
		set := []string{"topic", "partition", placeColumns}
		for _, key := range v.keys {
			if slices.Contains(r.keys, key.Name) {
				set = append(set, "("+key.SQL.SQL+")")
			}
		}
		sets[i] = strings.Join(set, ", ")
	}
	if len(sets) == 1 {
		return sets[0]
	}
	return "GROUPING SETS ((" + strings.Join(sets, "), (") + "))"
}

// Create creates the table, unless it exists.
func (v *Version) Create(ctx context.Context, conn *clickhouse.Conn) error {
	described, err := conn.Describe(ctx, v.rows(v.Source.rowsOf(nil)), planSettings)
	if err != nil {
		return v.sqlProblem(Expression{}, err)
	}
	var columns []string
	for _, c := range described {
		columns = append(columns, c.Name+" "+c.Type)
	}
	return conn.Exec(ctx, v.definition(columns), nil, nil)
}

// definition creates the table with columns, each a name and a type. A part below 256 MiB is one file: a fill writes
// less than that, and a question opens one file of each part, and not two for each of some twenty columns.
func (v *Version) definition(columns []string) string {
	order := slices.Concat([]string{"_rollup"}, columnNames(v.keys), []string{placeColumns})
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (%s) ENGINE = ReplacingMergeTree(_upto)
		ORDER BY (%s) SETTINGS allow_nullable_key = 1, fsync_after_insert = 1, fsync_part_directory = 1,
		min_bytes_for_wide_part = 268435456`,
		v.Table, strings.Join(columns, ", "), strings.Join(order, ", "))
}

// Fill computes the events of intervals from the mirror, which must have all of them, in one statement. It begins at
// the starts of the segments that the intervals begin in. A partition has one interval at most.
func (v *Version) Fill(ctx context.Context, conn *clickhouse.Conn, intervals ...Interval) error {
	return v.fill(ctx, conn, v.Source.Table, intervals)
}

// FillFrom is Fill from the source's table in another database.
func (v *Version) FillFrom(ctx context.Context, conn *clickhouse.Conn, database string, intervals ...Interval) error {
	return v.fill(ctx, conn, v.Source.in(database), intervals)
}

// fillSettings are those of a fill. Its rows have different keys. To look before they are written whether one replaces
// another would take a third of the CPU, for nothing.
var fillSettings = func() clickhouse.Settings {
	settings := maps.Clone(planSettings)
	settings["optimize_on_insert"] = 0
	return settings
}()

func (v *Version) fill(ctx context.Context, conn *clickhouse.Conn, table string, intervals []Interval) error {
	if len(intervals) == 0 {
		return nil
	}
	whole := slices.Clone(intervals)
	for i := range whole {
		whole[i].From = v.begin(whole[i].From)
	}
	return conn.Exec(ctx, "INSERT INTO "+v.Table+" "+v.rows(v.final(table, whole...), whole...), fillSettings, nil)
}
