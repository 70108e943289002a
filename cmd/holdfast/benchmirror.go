//go:build !noembedded

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
	s, err := startStores(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return loadtest.Mirror(ctx, loadtest.MirrorConfig{
		Client: s.client, Layout: s.layout, Conn: s.conn, EnginePID: s.engine.PID(),
		Lines: lines, FlushRows: rows,
	})
}

// stores are an embedded broker and an embedded ClickHouse, without any service. They keep their data where a stack
// keeps its own.
type stores struct {
	kafka  *devstack.Kafka
	engine *chdb.Server
	log    eventlog.Config
	client *eventlog.Client
	layout eventlog.Layout
	conn   *clickhouse.Conn
}

func startStores(ctx context.Context, dir string) (_ *stores, err error) {
	s := &stores{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.kafka, err = devstack.StartKafka(ctx, devstack.KafkaOptions{Dir: filepath.Join(dir, "kafka")})
	if err != nil {
		return nil, err
	}
	if s.engine, err = chdb.Start(ctx, chdb.Options{Dir: filepath.Join(dir, "clickhouse")}); err != nil {
		return nil, err
	}
	s.log = eventlog.Config{Seeds: s.kafka.Addrs(), Embedded: true}
	if s.client, err = eventlog.Open(s.log); err != nil {
		return nil, err
	}
	wanted := eventlog.NewLayout(run.DefaultPartitions, run.DefaultShards)
	if s.layout, err = s.client.EnsurePlatform(ctx, wanted); err != nil {
		return nil, err
	}
	s.conn, err = clickhouse.Open(s.engine.URL(clickhouse.DefaultDatabase))
	return s, err
}

func (s *stores) close() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing is written that was not acknowledged
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.engine != nil {
		s.engine.Close()
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
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
