package insight

import (
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// ViewPrefix begins the names of views. Tables of versions begin with TablePrefix, which is longer.
const ViewPrefix = "insight_"

// maxViewName is the longest name of a view in bytes: ClickHouse makes a file of it. A longer one gets a number.
const maxViewName = 200

// reservedView is a table of pkg/replay that a view would be named like.
const reservedView = ViewPrefix + "progress"

// View is a SELECT with the answer of a version, for tools that read ClickHouse.
type View struct {
	Name string
	// Keys are the keys of its rows, as far as it has some.
	Keys Rollup
	SQL  string
}

// Views are those of a version. Each row has other keys, and columns are the keys and then the measures, so that no
// tool adds up what is kept twice. A version with several rollups has one view for each, such as
// insight_revenue_by_month_country_currency; any other has one, such as insight_rfm. Money is a Decimal in units of
// the currency, and what has no value is NULL.
func (v *Version) Views() []View {
	if v.Entity != nil {
		entities := v.first.merged(v.merged, v.first.Keys).query(v.kept(v.rollups[0], "", extent{}))
		query := v.secondStage("(" + entities + ")")
		return []View{{Name: ViewPrefix + v.Name, Keys: columnNames(v.Keys), SQL: v.view(query, v.Keys)}}
	}
	views := make([]View, len(v.rollups))
	for i, r := range v.rollups {
		name := ViewPrefix + v.Name
		if len(v.rollups) > 1 {
			name += "_by_" + strings.Join(r.keys, "_")
		}
		if len(r.keys) == 0 {
			name = ViewPrefix + v.Name + "_total"
		}
		if len(name) > maxViewName {
			name = fmt.Sprintf("%s%s_%d", ViewPrefix, v.Name, i+1)
		}
		keys := columnsNamed(v.Keys, r.keys)
		query := v.first.merged(v.merged, keys).query(v.kept(r, "", extent{}))
		views[i] = View{Name: name, Keys: r.keys, SQL: v.view(query, keys)}
	}
	return views
}

// view is a query with money as decimals, and with NULL for numbers that are none.
func (v *Version) view(query string, keys []Column) string {
	columns := columnNames(keys)
	for _, m := range v.Measures {
		value := "answer." + m.Name
		switch m.Unit {
		case Money:
			value = "toDecimal128(" + value + ", 6) / 1000000"
		case Ratio, Duration:
			value = "if(isFinite(" + value + "), " + value + ", NULL)"
		case Count, Text:
		}
		columns = append(columns, value+" AS "+m.Name)
	}
	return fmt.Sprintf("SELECT %s FROM (%s) AS answer SETTINGS prefer_column_name_to_alias = 1, "+
		"do_not_merge_across_partitions_select_final = 1", strings.Join(columns, ", "), query)
}

// Statement makes the view, or replaces the one of its name at one moment. The comment says what it is of.
func (w View) Statement(comment string) string {
	return "CREATE OR REPLACE VIEW " + w.Name + " AS " + w.SQL + " COMMENT " + clickhouse.Literals(comment)
}

// checkView refuses a name whose view would be named like a table of Holdfast.
func (d *Definition) checkView() error {
	if ViewPrefix+d.Name == reservedView {
		return &Problem{File: d.File, Field: "name", Message: fmt.Sprintf(
			"%s is taken: the view of the insight would be named like the table %s", d.Name, reservedView)}
	}
	return nil
}
