package insight

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// paging puts rows in an order, and divides them into pages. A page begins after the sort values of the last row of the
// page before.
type paging struct {
	sort  []sortValue
	after string
}

// sortValue is a value that rows are sorted by.
type sortValue struct {
	sql, typ   string
	descending bool
}

// byKeys is the order of the keys, without pages.
func byKeys(keys []Column) paging {
	var p paging
	for _, key := range keys {
		p.sort = append(p.sort, sortValue{sql: key.Name})
	}
	return p
}

// newPaging is the order of a question: by the column that it names, then by the keys. So each row has its place.
func newPaging(a *asked, types map[string]string) paging {
	p := paging{after: a.After}
	name, descending := strings.CutPrefix(a.Order, "-")
	if name != "" {
		p.sort = append(p.sort, sortValues(name, types[name], descending)...)
	}
	for _, key := range a.d.Keys {
		if key.Name != name {
			p.sort = append(p.sort, sortValues(key.Name, types[key.Name], false)...)
		}
	}
	return p
}

var (
	wrappedType = regexp.MustCompile(`^(?:LowCardinality|Nullable)\((.*)\)$`)
	// sortedType is a type whose values can be read again from their texts.
	sortedType = regexp.MustCompile(`^(String|U?Int\d+|Float\d+|Decimal\(.*\)|Date|Date32|DateTime.*)$`)
)

// plainType is a type without Nullable and LowCardinality.
func plainType(typ string) (plain string, nullable bool) {
	for {
		nullable = nullable || strings.HasPrefix(typ, "Nullable(")
		m := wrappedType.FindStringSubmatch(typ)
		if m == nil {
			return typ, nullable
		}
		typ = m[1]
	}
}

// sortValues are the values that a column is sorted by. NULL, and what is no finite number, come last.
func sortValues(name, typ string, descending bool) []sortValue {
	plain, nullable := plainType(typ)
	value := sortValue{sql: name, typ: plain, descending: descending}
	none := ""
	if nullable {
		none = "isNull(" + name + ")"
		value.sql = fmt.Sprintf("ifNull(%s, defaultValueOfTypeName(%s))", name, clickhouse.Literals(plain))
	}
	if strings.HasPrefix(plain, "Float") {
		none = "NOT isFinite(ifNull(" + name + ", nan))"
		value.sql = "if(" + none + ", 0, " + value.sql + ")"
	}
	if !sortedType.MatchString(plain) {
		value.sql, value.typ = "toString("+value.sql+")", "String"
	}
	if none == "" {
		return []sortValue{value}
	}
	return []sortValue{{sql: "toUInt8(" + none + ")", typ: "UInt8"}, value}
}

// columns are the sort values as texts.
func (p paging) columns() []string {
	columns := make([]string, len(p.sort))
	for i, value := range p.sort {
		columns[i] = fmt.Sprintf("toString(%s) AS _sort_%d", value.sql, i)
	}
	return columns
}

func (p paging) orderBy() string {
	if len(p.sort) == 0 {
		return ""
	}
	terms := make([]string, len(p.sort))
	for i, value := range p.sort {
		terms[i] = value.sql
		if value.descending {
			terms[i] += " DESC"
		}
	}
	return " ORDER BY " + strings.Join(terms, ", ")
}

// where is the condition for the rows of this page and of those that follow. For rows sorted by revenue and country:
// less revenue, or the same revenue and a greater country.
func (p paging) where() (string, error) {
	if p.after == "" {
		return "", nil
	}
	var after []string
	if err := json.Unmarshal([]byte(p.after), &after); err != nil || len(after) != len(p.sort) {
		return "", &QuestionError{"cursor", "is not one of this question"}
	}
	var pages []string
	var same []string
	for i, value := range p.sort {
		literal := clickhouse.Literals(after[i])
		if value.typ != "String" { // NULL, and no rows, for a text that is no value
			literal = fmt.Sprintf("accurateCastOrNull(%s, %s)", literal, clickhouse.Literals(value.typ))
		}
		operator := ">"
		if value.descending {
			operator = "<"
		}
		beyond := fmt.Sprintf("%s %s %s", value.sql, operator, literal)
		pages = append(pages, all(slices.Concat(same, []string{beyond})...))
		same = append(same, value.sql+" = "+literal)
	}
	if len(pages) == 0 {
		return "0", nil
	}
	return "(" + strings.Join(pages, ") OR (") + ")", nil
}

// cursor is the place after a row with these sort values.
func cursor(sortTexts []string) (string, error) {
	text, err := json.Marshal(sortTexts)
	if err != nil {
		return "", fmt.Errorf("make a cursor: %w", err)
	}
	return string(text), nil
}

// textOfType is a key as answers show it, in a form that an index serves.
func textOfType(sql, typ string) string {
	plain, nullable := plainType(typ)
	if plain != "String" {
		sql = "toString(" + sql + ")"
	}
	if nullable {
		sql = "ifNull(" + sql + ", '')"
	}
	return sql
}
