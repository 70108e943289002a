package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/loadtest"
)

// benchFlags are the settings of a load test.
type benchFlags struct {
	load                  loadtest.Config
	url, kafka, acks, out string
	cpuProfile            string
	shards                int32
	oversell              int64
}

func newBenchCommand() *cobra.Command {
	root := &cobra.Command{Use: "bench", Short: "Measure a platform under load"}
	root.AddCommand(newBenchOrdersCommand())
	return root
}

func newBenchOrdersCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "orders",
		Short: "Place orders of three lines and measure the answers",
		Long: `Places orders of three lines with unique keys, in a closed loop (--concurrency callers) or an open
one (--rate orders a second, latency from when each was meant to start). Without --url it starts a
platform of its own in a temporary directory, on the embedded broker or on --kafka.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout()) },
	}
	flags := c.Flags()
	flags.StringVar(&f.url, "url", "", "platform to load, or its replicas, comma-separated; without it one is started in this process")
	flags.StringVar(&f.kafka, "kafka", "", "brokers for the platform that is started; without it the embedded broker")
	flags.Int32Var(&f.shards, "shards", 1, "writers of the platform that is started")
	flags.IntVar(&f.load.Concurrency, "concurrency", 64, "callers at once")
	flags.Float64Var(&f.load.Rate, "rate", 0, "orders a second of an open loop; 0: closed loop")
	flags.DurationVar(&f.load.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&f.load.Warmup, "warmup", 2*time.Second, "how long to load before measuring")
	flags.Int64Var(&f.load.Orders, "orders", 0, "end after so many orders")
	flags.BoolVar(&f.load.Hot, "hot", false, "orders of one line, all for the same SKU")
	flags.IntVar(&f.load.SKUs, "skus", 1000, "SKUs that the lines spread over")
	flags.BoolVar(&f.load.Bulk, "bulk", false, "send orders as lines of POST /v1/commands")
	flags.BoolVar(&f.load.OnAccount, "on-account", false, "orders on account, confirmed at once")
	flags.Int64Var(&f.load.Stock, "stock", 0, "stock received for each SKU (default plenty)")
	flags.Int64Var(&f.oversell, "oversell", 0, "place so many orders for one SKU with --stock, and count the outcomes")
	flags.StringVar(&f.acks, "acks", "", "file for what each order was answered, for holdfast verify --acks")
	flags.StringVar(&f.cpuProfile, "cpuprofile", "", "file for a CPU profile of this process")
	flags.StringVarP(&f.out, "output", "o", "table", "table or json")
	return c
}

func (f *benchFlags) run(ctx context.Context, out io.Writer) (err error) {
	if f.out != "table" && f.out != "json" {
		return fmt.Errorf("-o is table or json, not %q", f.out)
	}
	if f.oversell > 0 {
		f.load.Hot, f.load.Orders, f.load.Warmup = true, f.oversell, 0
	}
	if f.acks != "" {
		file, err := os.OpenFile(f.acks, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return fmt.Errorf("acks file: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		f.load.Acks = file
	}
	where := "this process: the load generator alone"
	for url := range strings.SplitSeq(f.url, ",") {
		f.load.URLs = append(f.load.URLs, strings.TrimSuffix(url, "/"))
	}
	if f.url == "" {
		stack, dir, serr := f.startStack(ctx)
		if serr != nil {
			return serr
		}
		defer func() { err = errors.Join(err, stack.Close(), os.RemoveAll(dir)) }()
		f.load.URLs = []string{stack.URL()}
		where = "this process: load generator, all services, embedded broker"
		if f.kafka != "" {
			where = "this process: load generator and all services, not the brokers"
		}
	}
	if f.cpuProfile != "" {
		file, perr := os.Create(f.cpuProfile)
		if perr != nil {
			return fmt.Errorf("profile: %w", perr)
		}
		if perr := pprof.StartCPUProfile(file); perr != nil {
			return errors.Join(perr, file.Close())
		}
		defer func() { pprof.StopCPUProfile(); err = errors.Join(err, file.Close()) }()
	}
	report, err := loadtest.Run(ctx, f.load)
	if err != nil {
		return err
	}
	report.CPUIncludes = where
	if f.out == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return f.print(out, report)
}

func (f *benchFlags) startStack(ctx context.Context) (*run.Stack, string, error) {
	dir, err := os.MkdirTemp("", "holdfast-bench-")
	if err != nil {
		return nil, "", fmt.Errorf("temporary directory: %w", err)
	}
	cfg := run.StackConfig{Dir: dir, Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", Shards: f.shards, Logger: slog.New(slog.DiscardHandler)}
	if f.kafka != "" {
		cfg.KafkaSeeds = strings.Split(f.kafka, ",")
	}
	stack, err := run.StartStack(ctx, cfg)
	if err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	return stack, dir, nil
}

func (f *benchFlags) print(out io.Writer, r *loadtest.Report) error {
	loop := fmt.Sprintf("closed loop, %d callers", f.load.Concurrency)
	switch {
	case f.load.Bulk:
		loop = "bulk, two streams"
	case f.load.Rate > 0:
		loop = fmt.Sprintf("open loop, %.0f orders/s", f.load.Rate)
	}
	var answers []string
	for answer, n := range r.Answers {
		answers = append(answers, fmt.Sprintf("%s × %d", answer, n))
	}
	slices.Sort(answers)
	_, err := fmt.Fprintf(out, `%s
  orders     %d in %.1f s: %.0f orders/s
  latency    p50 %.2f ms   p99 %.2f ms   p99.9 %.2f ms   max %.1f ms
  answers    %s; %d retries
  CPU        %.3f ms an order (%s)
`, loop, r.Orders, r.Seconds, r.PerSecond, r.P50, r.P99, r.P999, r.Max, strings.Join(answers, ", "), r.Retries, r.CPUPerOrderMS, r.CPUIncludes)
	return err
}
