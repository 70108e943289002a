// Package report puts the cells of a comparison into one table. It knows nothing of how they were measured.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// System is a row of each workload's table.
type System struct {
	Name string
	// Durable is whether an order is sure once its client has the answer.
	Durable string
	// Ours is whether it is Holdfast, which the others are compared with.
	Ours bool
}

// Workload is a part of the table.
type Workload struct{ Name, What string }

// Cell is one measurement: a system under a workload in a round.
type Cell struct {
	Round         int     `json:"round"`
	Workload      string  `json:"workload"`
	System        string  `json:"system"`
	Orders        int64   `json:"orders"`
	PerSecond     float64 `json:"orders_per_second"`
	P50           float64 `json:"p50_ms"`
	P99           float64 `json:"p99_ms"`
	CPUPerOrderMS float64 `json:"cpu_ms_per_order"`
}

// Machine is what figures depend on. FsyncMS is how long the disk takes for a block of 8 KiB (p50).
type Machine struct {
	CPUs       int     `json:"cpus"`
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
	FsyncMS    float64 `json:"fsync_ms"`
}

// Table is a whole comparison.
type Table struct {
	Machine   Machine    `json:"machine"`
	Systems   []System   `json:"-"`
	Workloads []Workload `json:"-"`
	Cells     []Cell     `json:"cells"`
}

// Median is the median of values; 0 of none.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// of are the cells of a system under a workload, in the order of rounds.
func (t *Table) of(workload, system string) []Cell {
	var cells []Cell
	for _, c := range t.Cells {
		if c.Workload == workload && c.System == system {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(a, b Cell) int { return a.Round - b.Round })
	return cells
}

// median is that of a figure of cells.
func median(cells []Cell, figure func(Cell) float64) float64 {
	values := make([]float64, len(cells))
	for i, c := range cells {
		values[i] = figure(c)
	}
	return Median(values)
}

// Ratios are the orders a second of one system divided by those of another, of each round that has both.
func (t *Table) Ratios(workload, system, by string) []float64 {
	divisors := map[int]float64{}
	for _, c := range t.of(workload, by) {
		divisors[c.Round] = c.PerSecond
	}
	var ratios []float64
	for _, c := range t.of(workload, system) {
		if divisor := divisors[c.Round]; divisor > 0 {
			ratios = append(ratios, c.PerSecond/divisor)
		}
	}
	return ratios
}

// Write prints a table for each workload. Its figures are medians over the rounds. For each row of Holdfast it has a
// column with Holdfast's orders a second divided by those of the row: the median, and the ratio of each round.
func (t *Table) Write(out io.Writer) error {
	m := t.Machine
	fmt.Fprintf(out, "%d CPUs, load average %.1f before and %.1f after; fsync of 8 KiB: %.2f ms\n",
		m.CPUs, m.LoadBefore, m.LoadAfter, m.FsyncMS)
	for _, w := range t.Workloads {
		if !slices.ContainsFunc(t.Cells, func(c Cell) bool { return c.Workload == w.Name }) {
			continue // the comparison was ended before
		}
		if err := t.writeWorkload(out, w); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) writeWorkload(out io.Writer, w Workload) error {
	fmt.Fprintf(out, "\n%s\n", strings.ToUpper(w.What))
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(columns, "  SYSTEM\tORDERS/S\tP50 MS\tP99 MS\tCPU MS\tDURABLE")
	for _, s := range t.Systems {
		if s.Ours {
			fmt.Fprintf(columns, "\t%s IS", strings.ToUpper(s.Name))
		}
	}
	fmt.Fprintln(columns)
	for _, s := range t.Systems {
		cells := t.of(w.Name, s.Name)
		if len(cells) == 0 {
			continue
		}
		fmt.Fprintf(columns, "  %s\t%.0f\t%.2f\t%.2f\t%.3f\t%s", s.Name,
			median(cells, func(c Cell) float64 { return c.PerSecond }),
			median(cells, func(c Cell) float64 { return c.P50 }),
			median(cells, func(c Cell) float64 { return c.P99 }),
			median(cells, func(c Cell) float64 { return c.CPUPerOrderMS }), s.Durable)
		for _, ours := range t.Systems {
			if ours.Ours {
				fmt.Fprint(columns, "\t"+t.ratio(w.Name, ours, s))
			}
		}
		fmt.Fprintln(columns)
	}
	return columns.Flush()
}

// ratio is a cell of Holdfast's column: "2.61× (2.4 2.6 2.9)".
func (t *Table) ratio(workload string, ours, row System) string {
	ratios := t.Ratios(workload, ours.Name, row.Name)
	if ours.Name == row.Name || len(ratios) == 0 {
		return "–"
	}
	each := make([]string, len(ratios))
	for i, r := range ratios {
		each[i] = fmt.Sprintf("%.2f", r)
	}
	if len(each) == 1 {
		return each[0] + "×"
	}
	return fmt.Sprintf("%.2f× (%s)", Median(ratios), strings.Join(each, " "))
}
