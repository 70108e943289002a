//go:build !noembedded

package main

import (
	"fmt"
	"io"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/loadtest"
	"github.com/holdfast/holdfast/pkg/client"
)

// The goals of holdfast bench replay, for two cores. bench/README.md explains them.
const (
	goalFromLog = 1.0 / 3
	// goalMirrorRate and goalKafkaRate are lines a second of a new insight: 20 M lines in 20 s from the mirror, 541,909 in
	// 5 s from Kafka. With few lines it may take goalMirrorSeconds and goalKafkaSeconds.
	goalMirrorRate    = 1_000_000.0
	goalKafkaRate     = 541_909 / 5.0
	goalMirrorSeconds = 1.0
	goalKafkaSeconds  = 5.0
	goalP50           = 20.0
	goalP99           = 100.0
	goalOrders        = 0.85
	goalLagMS         = 2_000.0
)

// goalTable prints figures with their goals.
type goalTable struct{ *columns }

// head begins a table.
func (t goalTable) head(title string) { fmt.Fprintf(t, "\n%s\tMEASURED\tGOAL\t\n", title) }

// plain is a figure without a goal.
func (t goalTable) plain(what, measured string) { fmt.Fprintf(t, "  %s\t%s\t\t\n", what, measured) }

// atMost is a figure that should be at most its goal, atLeast one that should be at least.
func (t goalTable) atMost(what, format string, measured, goal float64) {
	t.goal(what, format, "≤ ", measured, goal, measured <= goal)
}

func (t goalTable) atLeast(what, format string, measured, goal float64) {
	t.goal(what, format, "≥ ", measured, goal, measured >= goal)
}

func (t goalTable) goal(what, format, sign string, measured, goal float64, met bool) {
	word := "missed"
	if met {
		word = "met"
	}
	fmt.Fprintf(t, "  %s\t"+format+"\t%s"+format+"\t%s\n", what, measured, sign, goal, word)
}

func printReplay(out io.Writer, r *loadtest.ReplayReport) error {
	fmt.Fprintf(out, "%s order lines in %s orders; %d CPUs, load average %.1f before and %.1f after\n",
		count(int64(r.Lines)), count(int64(r.Orders)), r.CPUs, r.LoadBefore, r.LoadAfter)
	t := goalTable{newTable(out)}
	f := r.FromLog
	t.head(fmt.Sprintf("FROM THE LOG TO A MIRROR AND %d INSIGHTS", f.Insights))
	t.plain("all are verified and live after", fmt.Sprintf("%.1f s", f.LiveSeconds))
	t.plain("all have every event after", fmt.Sprintf("%.1f s", f.Seconds))
	t.plain("lines a second until then", count(int64(f.LinesPerSecond)))
	t.plain("CPU until then, of this process and ClickHouse", fmt.Sprintf("%.1f s", f.CPUSeconds))
	t.plain("ClickHouse's own INSERT … SELECT with one aggregate, lines a second", count(int64(f.CopyLinesPerSecond)))
	t.plain("CPU of that", fmt.Sprintf("%.1f s", f.CopyCPUSeconds))
	t.atLeast("Holdfast in per cent of ClickHouse", "%.0f %%", 100*f.Ratio, 100*goalFromLog)
	t.head("REVENUE OF A YEAR BY MONTH AND COUNTRY, OVER HTTP")
	for _, q := range r.Questions {
		what := fmt.Sprintf("%s, %d rows, asked %d times", q.Question, q.Rows, q.Asked)
		if q.Raw {
			t.plain("from all lines of sales (preview), "+what+", p50", fmt.Sprintf("%.1f ms", q.P50))
			t.plain("the same, p99", fmt.Sprintf("%.1f ms", q.P99))
			continue
		}
		t.atMost("from the live insight, "+what+", p50", "%.1f ms", q.P50, goalP50)
		t.atMost("the same, p99", "%.1f ms", q.P99, goalP99)
	}
	t.head("A NEW INSIGHT OVER THE HISTORY, FROM ITS CREATION UNTIL IT IS STAGED")
	for _, n := range r.New {
		goal := max(goalMirrorSeconds, float64(r.Lines)/goalMirrorRate)
		if n.Source == client.CreateReplaySourceKafka {
			goal = max(goalKafkaSeconds, float64(r.Lines)/goalKafkaRate)
		}
		t.atMost(fmt.Sprintf("%s from %s", n.Insight, n.Source), "%.2f s", n.Seconds, goal)
	}
	if r.Load != nil {
		printLoad(t, r.Load)
	}
	printTables(t, r)
	return t.Flush()
}

func printLoad(t goalTable, l *loadtest.LoadDuringReplays) {
	t.head("ORDERS WHILE REPLAYS RUN AT FULL SPEED")
	for i := range l.PerSecond {
		t.plain(fmt.Sprintf("pair %d, orders a second without and with replays", i+1),
			fmt.Sprintf("%.0f, %.0f", l.PerSecond[i], l.PerSecondReplaying[i]))
	}
	t.atLeast("orders with replays in per cent of those without", "%.0f %%", 100*l.Ratio, 100*goalOrders)
	for _, lag := range []struct {
		what string
		*loadtest.Visibility
	}{{"without", l.Lag}, {"with", l.LagReplaying}} {
		what := fmt.Sprintf("from an order until a report has it, p99, %s replays, at %.0f orders a second",
			lag.what, l.LagRate)
		if lag.Visibility == nil {
			t.plain(what, "too short to see")
			continue
		}
		t.atMost(what, "%.0f ms", lag.P99, goalLagMS)
	}
	t.plain("replays of the whole history meanwhile", count(int64(l.Replays)))
}

func printTables(t goalTable, r *loadtest.ReplayReport) {
	fmt.Fprint(t, "\nDISK\tROWS\tMB\tBYTES A LINE\n")
	for _, kept := range r.Tables {
		name := kept.Table
		if kept.Insight {
			name = "insight " + name
		}
		fmt.Fprintf(t, "  %s\t%s\t%.1f\t%.1f\n", name, count(int64(kept.Rows)), kept.MB, kept.BytesPerLine)
	}
	fmt.Fprint(t, "\nMEMORY AT MOST, BEFORE THE ORDERS\tMB\n")
	fmt.Fprintf(t, "  this process: broker, all services, the bench\t%.0f\n", r.PeakMB)
	fmt.Fprintf(t, "  ClickHouse\t%.0f\n", r.EnginePeakMB)
}
