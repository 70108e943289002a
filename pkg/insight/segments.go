package insight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// segmentOffsets is how many offsets of a partition are in a segment.
const segmentOffsets = 65_536

// Version is a definition with a table of its own, in which its answer is kept up to date.
//
// The table has a row for each combination of keys in each segment of a partition of the log: the states of the
// aggregate functions over the events of the segment up to an offset. A later row of the same segment covers a longer
// prefix of it, and replaces the earlier one (ReplacingMergeTree by _upto). The same prefix gives the same row. So it
// does no harm when an interval is computed twice, by two processes at a time, or again after a crash. Nothing is ever
// added to a row.
type Version struct {
	*Definition
	// Table is the name of its table.
	Table string

	segmentOffsets int64
	// first is the stage that is kept: the entity if there is one.
	first *Stage
	// states are the aggregates of its measures, each once. The column of the n-th is stateColumn(n).
	states []aggregate
	// merged are the measures of the first stage over the states.
	merged []Column
}

// TablePrefix begins the names of all tables of versions.
const TablePrefix = "insight__"

// TableName is the name of a version's table. Several tables of one version differ in their build, such as
// insight__revenue__5ac0e1b2f3d4__9d8c7b6a.
func (d *Definition) TableName(build string) string {
	return TablePrefix + d.Name + "__" + d.Fingerprint() + "__" + build
}

// NewVersion prepares a definition that is valid, with the name of its table.
func NewVersion(d *Definition, table string) (*Version, error) {
	v := &Version{Definition: d, Table: table, segmentOffsets: segmentOffsets, first: &d.Stage}
	if d.Entity != nil {
		v.first = d.Entity
	}
	for _, measure := range v.first.Measures {
		sql, err := split(measure.SQL.SQL, func(a aggregate) string {
			n := slices.Index(v.states, a)
			if n < 0 {
				n = len(v.states)
				v.states = append(v.states, a)
			}
			return a.merge(stateColumn(n))
		})
		if err != nil {
			return nil, d.problem(measure.SQL, err.Error())
		}
		measure.SQL.SQL = sql
		v.merged = append(v.merged, measure)
	}
	return v, nil
}

func stateColumn(n int) string { return fmt.Sprintf("_state_%d", n) }

// The columns of a version's table that say which events a row is made of.
const placeColumns = "_topic, _partition, _segment"

// Interval are the events of a partition from one offset up to another, which is excluded.
type Interval struct {
	eventlog.TopicPartition
	From, UpTo int64
}

// rows computes rows of the table from a source. Without intervals these are all rows, and _upto is the segment's end.
func (v *Version) rows(from string, intervals ...Interval) string {
	end := fmt.Sprintf("(toInt64(_segment) + 1) * %d", v.segmentOffsets)
	where := "1"
	if len(intervals) > 0 {
		var conditions, ends []string
		for _, i := range intervals {
			place := fmt.Sprintf("topic = %s AND partition = %d", clickhouse.Literals(i.Topic), i.Partition)
			conditions = append(conditions, fmt.Sprintf("(%s AND offset >= %d AND offset < %d)",
				place, i.From/v.segmentOffsets*v.segmentOffsets, i.UpTo))
			ends = append(ends, fmt.Sprintf("%s, toInt64(%d)", place, i.UpTo))
		}
		where = strings.Join(conditions, " OR ")
		end = fmt.Sprintf("least(%s, multiIf(%s, 0))", end, strings.Join(ends, ", "))
	}
	columns := []string{
		"topic AS _topic", "partition AS _partition",
		fmt.Sprintf("toUInt32(intDiv(offset, %d)) AS _segment", v.segmentOffsets), end + " AS _upto",
	}
	groups := []string{"topic", "partition", placeColumns}
	for _, key := range v.first.Keys {
		columns = append(columns, fmt.Sprintf("(%s) AS %s", key.SQL.SQL, key.Name))
		groups = append(groups, "("+key.SQL.SQL+")")
	}
	for n, state := range v.states {
		columns = append(columns, state.state()+" AS "+stateColumn(n))
	}
	if v.Where.SQL != "" {
		where = "(" + where + ") AND (" + v.Where.SQL + ")"
	}
	return fmt.Sprintf("SELECT %s FROM (SELECT *, toTimeZone(%s, %s) AS time FROM %s) WHERE %s GROUP BY %s",
		strings.Join(columns, ", "), v.Time, clickhouse.Literals(v.Zone), from, where, strings.Join(groups, ", "))
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
	order := []string{}
	for _, key := range v.first.Keys {
		order = append(order, key.Name)
	}
	return conn.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (%s) ENGINE = ReplacingMergeTree(_upto)
		ORDER BY (%s) SETTINGS allow_nullable_key = 1, fsync_after_insert = 1, fsync_part_directory = 1`,
		v.Table, strings.Join(columns, ", "), strings.Join(append(order, placeColumns), ", ")), nil, nil)
}

// Fill computes the events of intervals from the mirror, which must have all of them, in one statement. It begins at
// the starts of the segments that the intervals begin in. A partition has one interval at most.
func (v *Version) Fill(ctx context.Context, conn *clickhouse.Conn, intervals ...Interval) error {
	if len(intervals) == 0 {
		return nil
	}
	return conn.Exec(ctx, "INSERT INTO "+v.Table+" "+v.rows(v.Source.Table+" FINAL", intervals...), planSettings, nil)
}

// Answer reads what the table says. A limit puts the rows in the order of their keys.
func (v *Version) Answer(ctx context.Context, conn *clickhouse.Conn, limit int) (*Answer, error) {
	return v.ask(ctx, conn, v.answer("(SELECT * FROM "+v.Table+" FINAL)"), nil, limit)
}

// answer is the query that puts rows of the table together.
func (v *Version) answer(rows string) string {
	merged := Stage{Measures: v.merged}
	for _, key := range v.first.Keys {
		key.SQL.SQL = key.Name
		merged.Keys = append(merged.Keys, key)
	}
	query := merged.query(rows, "")
	if v.Entity != nil {
		query = v.secondStage("(" + query + ")")
	}
	return query
}
