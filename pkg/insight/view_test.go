package insight_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/insight"
)

// The views of all ready insights say what their answers say, whatever the server's settings are: the same keys, each
// once, and the same numbers, money as exact decimals.
func TestViewsSayWhatAnswersSay(t *testing.T) {
	conn := database(t)
	h := newHistory(200)
	end := h.insert(t, conn)
	eachReadyInsight(t, conn, end, func(d *insight.Definition, v *insight.Version) {
		for _, view := range v.Views() {
			for range 2 { // it may be there already
				if err := conn.Exec(t.Context(), view.Statement("it's of "+d.Name), nil, nil); err != nil {
					t.Fatalf("%s: %v", view.Name, err)
				}
			}
			q := insight.Question{By: slices.Concat([]string{}, view.Keys), Limit: insight.MaxAnswerRows}
			answer, err := v.Ask(t.Context(), conn, q, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", view.Name, err)
			}
			for _, row := range answer.Rows {
				for _, m := range d.Measures {
					if m.Unit == insight.Money {
						row[m.Name] = withoutZeros(row[m.Name])
					}
				}
			}
			got, want := viewRows(t, conn, d, view), answerLines(answer)
			if !slices.Equal(got, want) || len(want) == 0 && d.Source.Table == "sales" {
				t.Errorf("%s says\n%.500s\nand the answer is\n%.500s", view.Name, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}

// withoutZeros is a decimal without zeros at its end.
func withoutZeros(decimal string) string {
	if !strings.Contains(decimal, ".") {
		return decimal
	}
	return strings.TrimSuffix(strings.TrimRight(decimal, "0"), ".")
}

// viewRows are the rows of a view as answerLines has them.
func viewRows(t *testing.T, conn *clickhouse.Conn, d *insight.Definition, view insight.View) []string {
	t.Helper()
	names := slices.Clone([]string(view.Keys))
	for _, m := range d.Measures {
		names = append(names, m.Name)
	}
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = fmt.Sprintf("ifNull(toString(%s), '')", name)
	}
	money := map[string]bool{}
	for _, m := range d.Measures {
		money[m.Name] = m.Unit == insight.Money
	}
	answer := &insight.Answer{}
	err := conn.Each(t.Context(), "SELECT "+strings.Join(texts, ", ")+" FROM "+view.Name, nil, nil,
		func(rows clickhouse.Rows) error {
			values, targets := make([]string, len(names)), make([]any, len(names))
			for i := range values {
				targets[i] = &values[i]
			}
			err := rows.Scan(targets...)
			row := map[string]string{}
			for i, name := range names {
				if row[name] = values[i]; money[name] {
					row[name] = withoutZeros(values[i])
				}
			}
			answer.Rows = append(answer.Rows, row)
			return err
		})
	if err != nil {
		t.Fatalf("%s: %v", view.Name, err)
	}
	return answerLines(answer)
}

// An insight with several rollups has a view for each, so that nobody adds up what is kept twice.
func TestNamesOfViews(t *testing.T) {
	const text = "name: units\ndescription: Units.\nsource: sales\nkeys: {sku: sku, country: country}\n" +
		"measures: {units: sum(quantity)}\n"
	for rollups, want := range map[string][]string{
		"":                                   {"insight_units sku,country"},
		"rollups: [[sku]]\n":                 {"insight_units sku"},
		"rollups: [[sku], [sku, country]]\n": {"insight_units_by_sku sku", "insight_units_by_sku_country sku,country"},
		"rollups: [[], [country]]\n":         {"insight_units_total ", "insight_units_by_country country"},
	} {
		d, err := insight.Parse("units.yaml", []byte(text+rollups))
		if err != nil {
			t.Fatal(err)
		}
		v, err := insight.NewVersion(d, d.TableName("test"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, view := range v.Views() {
			names = append(names, view.Name+" "+strings.Join(view.Keys, ","))
		}
		if !slices.Equal(names, want) {
			t.Errorf("%q has the views %q, want %q", rollups, names, want)
		}
	}
}

// A view is a file: a name that is too long for one has a number instead. One that is taken is refused.
func TestNamesThatAreNoneOfViews(t *testing.T) {
	var keys, names []string
	for i := range 4 {
		names = append(names, fmt.Sprint(strings.Repeat("k", 60), i))
		keys = append(keys, fmt.Sprintf("%s: \"substring(sku, %d)\"", names[i], i+1))
	}
	all := strings.Join(names, ", ")
	text := "name: units\ndescription: Units.\nsource: sales\nkeys: {" + strings.Join(keys, ", ") + "}\n" +
		"measures: {units: sum(quantity)}\nrollups: [[" + names[0] + "], [" + all + "]]\n"
	d, err := insight.Parse("units.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := insight.NewVersion(d, d.TableName("test"))
	if err != nil {
		t.Fatal(err)
	}
	if name := v.Views()[1].Name; name != "insight_units_2" {
		t.Errorf("the view is named %s", name)
	}
	taken, err := insight.Parse("f.yaml", []byte(strings.Replace(text, "name: units", "name: progress", 1)))
	if err != nil {
		t.Fatal(err) // logs may have it
	}
	if err := taken.Validate(t.Context(), database(t)); err == nil ||
		!strings.Contains(err.Error(), "f.yaml: name: progress is taken") {
		t.Errorf("an insight whose view is a table: %v", err)
	}
}
