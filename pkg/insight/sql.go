package insight

import (
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// planSettings make a query mean what its definition says: a name is first a column, then a key or a measure, and a
// time without a zone is of UTC, whatever the server's zone is.
var planSettings = clickhouse.Settings{
	"prefer_column_name_to_alias": 1, "do_not_merge_across_partitions_select_final": 1,
	"session_timezone": "UTC",
}

// query is the definition as one plain SELECT over rows: a table, or a query in brackets.
func (d *Definition) query(rows string) string {
	from := fmt.Sprintf("(SELECT *, toTimeZone(%s, %s) AS time FROM %s)", d.Time, clickhouse.Literals(d.Zone), rows)
	if d.Entity != nil {
		return d.secondStage("(" + d.Entity.query(from, d.Where.SQL) + ")")
	}
	return d.Stage.query(from, d.Where.SQL)
}

// secondStage asks the entities, which are the rows of a query in brackets.
func (d *Definition) secondStage(entities string) string {
	if len(d.Overall) > 0 {
		overall := Stage{Measures: d.Overall}
		entities = "(SELECT * FROM " + entities + " AS entity CROSS JOIN (" + overall.query(entities, "") + ") AS overall)"
	}
	for _, c := range d.With {
		entities = fmt.Sprintf("(SELECT *, (%s) AS %s FROM %s)", c.SQL.SQL, c.Name, entities)
	}
	return d.Stage.query(entities, "")
}

func (s *Stage) query(from, where string) string {
	var columns, keys []string
	for _, c := range s.Keys {
		columns = append(columns, fmt.Sprintf("(%s) AS %s", c.SQL.SQL, c.Name))
		keys = append(keys, "("+c.SQL.SQL+")")
	}
	for _, c := range s.Measures {
		columns = append(columns, fmt.Sprintf("(%s) AS %s", c.SQL.SQL, c.Name))
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + from
	if where != "" {
		query += " WHERE (" + where + ")"
	}
	if len(keys) > 0 {
		query += " GROUP BY " + strings.Join(keys, ", ")
	}
	return query
}

// rowsOf are rows of the source as a query in brackets. A column that a row leaves out has its type's empty value.
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
		}
		columns[i] = fmt.Sprintf("CAST(%s, %s) AS %s", value, clickhouse.Literals(c.Type), c.Name)
	}
	return "SELECT " + strings.Join(columns, ", ")
}
