package analytics

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// The mirror writes every column that the migrations define, apart from those that have a default.
func TestEveryColumnIsWritten(t *testing.T) {
	m, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	var r rows
	for _, written := range r.tables() {
		i := slices.IndexFunc(m.Tables(), func(defined clickhouse.Table) bool { return defined.Name == written.name })
		if i < 0 {
			t.Fatalf("no migration creates the table %s", written.name)
		}
		var want, got []string
		for _, col := range written.columns {
			got = append(got, col.Name)
		}
		for _, col := range m.Tables()[i].Columns { // one with a default may be left to ClickHouse
			if col.Default == "" || slices.Contains(got, col.Name) {
				want = append(want, col.Name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the mirror writes %v, the migrations define %v", written.name, got, want)
		}
	}
}
