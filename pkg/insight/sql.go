package insight

import (
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// planSettings make a query mean what its definition says: a name is first a column, then a key or a measure, a time
// without a zone is of UTC, whatever the server's zone is, and a key that a rollup has not has its type's empty value.
// Rows that replace each other are equal, so the index by offset may leave some of them out; before version 25.6 it is
// used with FINAL only where that is said.
var planSettings = clickhouse.Settings{
	"prefer_column_name_to_alias": 1, "do_not_merge_across_partitions_select_final": 1,
	"session_timezone": "UTC", "force_grouping_standard_compatibility": 1, "group_by_use_nulls": 0,
	"use_skip_indexes_if_final": 1,
}

// query is the definition as one plain SELECT over rows: a table, or a query in brackets. Conditions choose among the
// rows that the keys are computed of.
func (d *Definition) query(rows string, conditions ...string) string {
	from := d.timed(rows)
	if d.Entity != nil {
		return d.secondStage("("+d.Entity.query(from, d.Where.SQL)+")", conditions...)
	}
	return d.Stage.query(from, append([]string{d.Where.SQL}, conditions...)...)
}

// timed are rows of the source with the column time.
func (d *Definition) timed(rows string) string {
	return fmt.Sprintf("(SELECT *, toTimeZone(%s, %s) AS time FROM %s)", d.Time, clickhouse.Literals(d.Zone), rows)
}

// final are the rows of a table of the source that the definition is about, each once; with intervals, only theirs.
// Rows that replace each other are equal and have one place, so those that are not chosen may be left out before: their
// other columns, such as body, are not read.
func (d *Definition) final(table string, intervals ...Interval) string {
	where := d.Where.SQL
	if d.Where.mentions("time") {
		where = ""
	}
	if chosen := all(within(intervals), where); chosen != "" {
		return table + " FINAL PREWHERE " + chosen
	}
	return table + " FINAL"
}

// secondStage asks the entities, which are the rows of a query in brackets.
func (d *Definition) secondStage(entities string, conditions ...string) string {
	if len(d.Overall) > 0 {
		overall := Stage{Measures: d.Overall}
		entities = "(SELECT * FROM " + entities + " AS entity CROSS JOIN (" + overall.query(entities) + ") AS overall)"
	}
	for _, c := range d.With {
		entities = fmt.Sprintf("(SELECT *, (%s) AS %s FROM %s)", c.SQL.SQL, c.Name, entities)
	}
	return d.Stage.query(entities, conditions...)
}

// query groups the rows of from which fulfil all conditions; an empty one is none.
func (s *Stage) query(from string, conditions ...string) string {
	var columns, keys []string
	for _, c := range s.Keys {
		columns = append(columns, fmt.Sprintf("(%s) AS %s", c.SQL.SQL, c.Name))
		keys = append(keys, "("+c.SQL.SQL+")")
	}
	for _, c := range s.Measures {
		columns = append(columns, fmt.Sprintf("(%s) AS %s", c.SQL.SQL, c.Name))
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + from
	if where := all(conditions...); where != "" {
		query += " WHERE " + where
	}
	if len(keys) > 0 {
		query += " GROUP BY " + strings.Join(keys, ", ")
	}
	return query
}

// all is the condition that all conditions are fulfilled. Empty ones are left out.
func all(conditions ...string) string {
	var parts []string
	for _, condition := range conditions {
		if condition != "" {
			parts = append(parts, "("+condition+")")
		}
	}
	return strings.Join(parts, " AND ")
}

// multiplied are conditions that are fulfilled. They are for questions without some of the keys. Where a key is an
// arrayJoin, each row is several; it stays so with them, or else what a measure says would depend on what else is asked
// for.
func multiplied(columns ...Column) (conditions []string) {
	for _, c := range columns {
		if c.SQL.mentions("arrayJoin") {
			conditions = append(conditions, "NOT ignore("+c.SQL.SQL+")")
		}
	}
	return conditions
}

// rowsOf are rows of the source as a query in brackets. A column that a row leaves out has its type's empty value. Such
// rows are in no log: that an order begins somewhere else than others is made up.
func (s *Source) rowsOf(rows []map[string]string) string {
	selects := make([]string, 0, len(rows)+1)
	for _, row := range rows {
		selects = append(selects, s.rowOf(row))
	}
	if len(rows) == 0 {
		selects = append(selects, s.rowOf(nil)+" WHERE 0")
	}
	return "(" + strings.Join(selects, " UNION ALL ") + ")"
}

func (s *Source) rowOf(row map[string]string) string {
	columns := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		value := fmt.Sprintf("defaultValueOfTypeName(%s)", clickhouse.Literals(c.Type))
		if text, ok := row[c.Name]; ok {
			value = clickhouse.Literals(text)
		} else if c.Name == orderOffset {
			value = "bitShiftRight(cityHash64(" + clickhouse.Literals(row["order_id"]) + "), 24)"
		}
		columns[i] = fmt.Sprintf("CAST(%s, %s) AS %s", value, clickhouse.Literals(c.Type), c.Name)
	}
	return "SELECT " + strings.Join(columns, ", ")
}
