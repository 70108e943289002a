//go:build !noembedded

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/loadtest"
	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"
	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// benchReplay are the settings of a measurement of insights.
type benchReplay struct {
	lines, pairs int
	duration     time.Duration
	cpuProfile   string
	quiet        bool
	format       output
}

func newBenchReplayCommand() *cobra.Command {
	var b benchReplay
	c := &cobra.Command{
		Use:   "replay",
		Short: "Measure replays, questions to insights, and orders meanwhile",
		Long: `Fill the log of an embedded broker with imported orders of 20 lines. Mirror it
into an embedded ClickHouse with all ready insights, then start the platform on
it, compute new insights, ask questions, and place orders with and without
replays. Each figure has a goal beside it; bench/README.md says what they mean.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if b.lines < 1 || b.pairs < 1 {
				return errors.New("bench replay: --lines and --pairs are at least 1")
			}
			stopProfile, err := startProfile(b.cpuProfile)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stopProfile()) }()
			report, err := b.run(c)
			if err != nil {
				return err
			}
			if b.format == outputJSON {
				return writeJSON(c.OutOrStdout(), report)
			}
			return printReplay(c.OutOrStdout(), report)
		},
	}
	c.Flags().IntVar(&b.lines, "lines", 1_000_000, "`NUMBER` of order lines in the log")
	c.Flags().IntVar(&b.pairs, "pairs", 3, "`NUMBER` of pairs of runs with orders: without replays, and with")
	c.Flags().DurationVar(&b.duration, "duration", 5*time.Second, "how long each run with orders is; 0 leaves them out")
	c.Flags().StringVar(&b.cpuProfile, "cpuprofile", "", "write a CPU profile of this process to this `FILE`")
	c.Flags().BoolVar(&b.quiet, "quiet", false, "show no progress")
	b.format.flag(c.Flags())
	return c
}

// run measures first the way from the log to insights, with nothing else in the way, and then a whole platform on the
// same data.
func (b *benchReplay) run(c *cobra.Command) (report *loadtest.ReplayReport, err error) {
	dir, err := os.MkdirTemp("", "holdfast-bench-")
	if err != nil {
		return nil, fmt.Errorf("temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	out := c.ErrOrStderr()
	if b.quiet {
		out = io.Discard
	}
	progress := &partProgress{out: out}
	defer progress.close()
	report = loadtest.NewReplayReport(b.lines)
	if err := b.fromLog(c.Context(), dir, report, progress.show); err != nil {
		return nil, err
	}
	if err := b.onPlatform(c.Context(), dir, report, progress.show); err != nil {
		return nil, err
	}
	report.End()
	return report, nil
}

// fromLog fills the log, and measures how soon insights have it.
func (b *benchReplay) fromLog(
	ctx context.Context, dir string, report *loadtest.ReplayReport, progress func(string),
) error {
	s, err := startStores(ctx, dir)
	if err != nil {
		return err
	}
	defer s.close()
	if err := report.FillLog(ctx, s.client, s.layout, progress); err != nil {
		return err
	}
	projector := analytics.Config{
		Service: run.Service{
			Log: s.log, Layout: s.layout, Listen: "127.0.0.1:0",
			Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
		},
		ClickHouse: s.engine.URL(clickhouse.DefaultDatabase), Alone: true, ReadyInsights: true,
	}
	err = report.MeasureFromLog(ctx, loadtest.FromLogConfig{
		Client: s.client, Conn: s.conn, EnginePID: s.engine.PID(), Progress: progress,
		Project: func(ctx context.Context) error { return analytics.Run(ctx, projector) },
	})
	if err != nil {
		return err
	}
	report.NoteMemory(s.engine.PID())
	return report.MeasureTables(ctx, s.conn)
}

// onPlatform measures what a platform does with these insights.
func (b *benchReplay) onPlatform(
	ctx context.Context, dir string, report *loadtest.ReplayReport, progress func(string),
) (err error) {
	progress("the platform starts, and reads the log")
	s, err := stack.Start(ctx, stack.Config{
		Dir: dir, Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouse: stack.EmbeddedClickHouse,
		ClickHouseListen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
		Waiting: func(reason error) { progress("the platform starts: " + firstLine(reason.Error())) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := report.MeasureQuestions(ctx, s.URL(), progress); err != nil {
		return err
	}
	if err := report.MeasureNewInsights(ctx, s.URL(), progress); err != nil {
		return err
	}
	report.NoteMemory(s.EnginePID())
	if b.duration == 0 {
		return nil
	}
	return report.MeasureLoad(ctx, loadtest.LoadConfig{
		URLs: s.CommandURLs(), ReportsURL: s.URL(), Pairs: b.pairs, Duration: b.duration, Progress: progress,
	})
}
