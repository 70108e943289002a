package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/loadtest"
	"github.com/holdfast/holdfast/cmd/internal/run"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

func newBenchMirrorCommand() *cobra.Command {
	var lines, rows int
	var format output
	c := &cobra.Command{
		Use:   "mirror",
		Short: "Mirror order lines into ClickHouse and measure the rate",
		Long: `Fill the log of an embedded broker with imported orders of 20 lines, and mirror
it from its start into an embedded ClickHouse. For comparison ClickHouse then
copies the same rows by itself.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := benchMirror(c.Context(), lines, rows)
			if err != nil {
				return err
			}
			return printMirror(c.OutOrStdout(), format, report)
		},
	}
	c.Flags().IntVar(&lines, "lines", 1_000_000, "how many order lines to mirror")
	c.Flags().IntVar(&rows, "flush-rows", 0, "`NUMBER` of rows of a batch (default: that of analytics-projector)")
	format.flag(c.Flags())
	return c
}

func benchMirror(ctx context.Context, lines, rows int) (report *loadtest.MirrorReport, err error) {
	dir, err := os.MkdirTemp("", "holdfast-bench-")
	if err != nil {
		return nil, fmt.Errorf("temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	kafka, err := devstack.StartKafka(ctx, devstack.KafkaOptions{Dir: filepath.Join(dir, "kafka")})
	if err != nil {
		return nil, err
	}
	defer kafka.Close()
	engine, err := chdb.Start(ctx, chdb.Options{Dir: filepath.Join(dir, "clickhouse")})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	client, err := eventlog.Open(eventlog.Config{Seeds: kafka.Addrs(), Embedded: true})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	wanted := eventlog.Layout{PartitionCount: run.DefaultPartitions, ShardCount: run.DefaultShards}
	layout, err := client.EnsurePlatform(ctx, wanted)
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(engine.URL(clickhouse.DefaultDatabase))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return loadtest.Mirror(ctx, loadtest.MirrorConfig{
		Client: client, Layout: layout, Conn: conn, EnginePID: engine.PID(),
		Lines: lines, FlushRows: rows,
	})
}

func printMirror(out io.Writer, format output, r *loadtest.MirrorReport) error {
	if format == outputJSON {
		return writeJSON(out, r)
	}
	_, err := fmt.Fprintf(out, `mirror of %s order lines in %s orders, %s rows
  mirror     %.1f s: %s rows/s, %s of them lines
  copy       %s rows/s by ClickHouse's own INSERT … SELECT; the mirror runs at %.0f %% of it
  CPU        %.1f s of this process with its broker, %.1f s of ClickHouse
  disk       %.0f MB of ClickHouse
  Go heap    %.0f MB at most; %.0f live, %.0f of them before (the broker)
  ClickHouse %.0f MB at most
`, count(int64(r.Lines)), count(int64(r.Events)), count(r.Rows),
		r.Seconds, count(int64(r.RowsPerSecond)), count(int64(r.LinesPerSecond)),
		count(int64(r.CopyRowsPerSecond)), 100*r.Ratio, r.CPUSeconds, r.EngineCPUSeconds, r.EngineMB,
		r.PeakHeapMB, r.LiveHeapMB, r.IdleHeapMB, r.EnginePeakMB)
	return err
}
