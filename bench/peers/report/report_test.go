package report

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata again")

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 100}, 3},
	} {
		given := slices.Clone(test.values)
		if m := Median(test.values); m != test.want || !slices.Equal(given, test.values) {
			t.Errorf("%v: %v", test.values, m)
		}
	}
}

// sample is a comparison of two rounds in which the machine was twice as slow in the second one.
func sample() *Table {
	cell := func(round int, workload, system string, perSecond float64) Cell {
		return Cell{
			Round: round, Workload: workload, System: system, Orders: int64(3 * perSecond), PerSecond: perSecond,
			P50: 64_000 / perSecond, P99: 200_000 / perSecond, CPUPerOrderMS: 1_500 / perSecond,
		}
	}
	return &Table{
		Machine: Machine{CPUs: 2, LoadBefore: 0.4, LoadAfter: 3.25, FsyncMS: 1.234},
		Systems: []System{
			{Name: "ours", Durable: "page cache", Ours: true},
			{Name: "ours-elsewhere", Durable: "page cache", Ours: true},
			{Name: "peer", Durable: "fsync"},
			{Name: "peer-left-out", Durable: "never"},
		},
		Workloads: []Workload{{"hot", "one SKU"}, {"bulk", "two streams"}, {"never", "not measured"}},
		Cells: []Cell{
			cell(2, "hot", "ours", 5_000), cell(2, "hot", "ours-elsewhere", 4_000), cell(2, "hot", "peer", 1_000),
			cell(1, "hot", "ours", 10_000), cell(1, "hot", "ours-elsewhere", 8_000), cell(1, "hot", "peer", 4_000),
			cell(1, "bulk", "ours", 40_000), cell(1, "bulk", "peer", 8_000),
		},
	}
}

// A ratio compares cells of one round: the median of ratios is not the ratio of medians.
func TestRatiosAreThoseOfRounds(t *testing.T) {
	table := sample()
	if r := table.Ratios("hot", "ours", "peer"); !slices.Equal(r, []float64{2.5, 5}) {
		t.Errorf("%v", r)
	}
	if r := table.Ratios("bulk", "ours-elsewhere", "peer"); r != nil {
		t.Errorf("a round without a cell has a ratio: %v", r)
	}
}

func TestTheTable(t *testing.T) {
	var out strings.Builder
	if err := sample().Write(&out); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "table.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || out.String() != string(want) {
		t.Errorf("%v\n%s", err, out.String())
	}
}
