package main

import (
	"context"
	"crypto/rand"
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

	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/loadtest"
)

// benchFlags are the settings of a load test.
type benchFlags struct {
	load       loadtest.Config
	log        logFlags
	url, acks  string
	out        output
	cpuProfile string
	shards     int32
	replicas   int
	oversell   int64
	quiet      bool
	mirror     bool
}

// deleteTimeout bounds the deletion of the topics of a load test.
const deleteTimeout = 30 * time.Second

// oversellBound ends an oversell test that does not come to an end by itself.
const oversellBound = 10 * time.Minute

func newBenchCommand() *cobra.Command {
	root := &cobra.Command{Use: "bench", Short: "Measure a platform under load"}
	root.AddCommand(newBenchOrdersCommand(), newBenchMirrorCommand())
	return root
}

func newBenchOrdersCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "orders",
		Short: "Place orders of three lines and measure the answers",
		Long: `Places orders of three lines with unique keys, in a closed loop (--concurrency callers) or an open
one (--rate orders a second, latency from when each was meant to start). Without --url it starts a
platform of its own in a temporary directory, on the embedded broker or on --kafka.

On --kafka that platform has topics, groups and transactional ids under a name that nothing else in the cluster has, and its
topics are deleted at the end. With --topic-prefix or --env it is the platform of that name instead: it is shared with the
replicas that run it, and keeps the orders for ever.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.log.addCluster(c)
	flags := c.Flags()
	flags.StringVar(&f.url, "url", "", "platform to load, or its replicas, comma-separated; without it one is started in this process")
	flags.Int32Var(&f.shards, "shards", 1, "writers of the platform that is started (default one for each of --replicas)")
	flags.IntVar(&f.replicas, "replicas", 1, "replicas of order-api in the platform that is started; they share the shards, and callers spread over them")
	flags.Lookup("shards").DefValue = "0" // the help says it
	flags.IntVar(&f.load.Concurrency, "concurrency", 64, "callers at once")
	flags.Float64Var(&f.load.Rate, "rate", 0, "orders a second of an open loop; 0: closed loop")
	flags.DurationVar(&f.load.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&f.load.Warmup, "warmup", 2*time.Second, "how long to load before measuring")
	flags.Int64Var(&f.load.Orders, "orders", 0, "end after so many orders, without a warm-up")
	flags.BoolVar(&f.load.Hot, "hot", false, "every line for the same SKU")
	flags.IntVar(&f.load.SKUs, "skus", 1000, "SKUs that the lines spread over")
	flags.BoolVar(&f.load.Bulk, "bulk", false, "send orders as lines of POST /v1/commands")
	flags.BoolVar(&f.load.OnAccount, "on-account", false, "orders on account, confirmed at once")
	flags.Int64Var(&f.load.Stock, "stock", 0, "stock received for each SKU (default plenty)")
	flags.Int64Var(&f.oversell, "oversell", 0, "place so many orders of one unit for one new SKU with --stock, at once, and count the outcomes; status 1 if they are not exact")
	flags.BoolVar(&f.quiet, "quiet", false, "show no progress")
	flags.BoolVar(&f.mirror, "mirror", false, "let the platform that is started mirror the log into ClickHouse meanwhile")
	flags.BoolVar(&f.load.Reports, "reports", false, "with --mirror: follow orders into reports and measure when they are seen")
	flags.StringVar(&f.acks, "acks", "", "file for what each order was answered, for holdfast verify --acks")
	flags.StringVar(&f.cpuProfile, "cpuprofile", "", "file for a CPU profile of this process")
	f.out.flag(flags)
	return c
}

func (f *benchFlags) run(c *cobra.Command) (err error) {
	ctx, out, progress := c.Context(), c.OutOrStdout(), c.ErrOrStderr()
	if f.replicas < 1 || f.url != "" && c.Flags().Changed("replicas") {
		return errors.New("--replicas is a number of replicas to start, at least 1; those of a platform that runs are named in --url")
	}
	if err := f.prepareOversell(); err != nil {
		return err
	}
	if !f.quiet && isTerminal(progress) {
		f.load.Progress = func(orders, retries int64) { fmt.Fprintf(progress, "\r%d orders, %d retries ", orders, retries) }
	}
	if f.acks != "" {
		file, err := os.OpenFile(f.acks, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return fmt.Errorf("acks file: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		f.load.Acks = file
	}
	var layout eventlog.Layout
	where := "this process: the load generator alone"
	for url := range strings.SplitSeq(f.url, ",") {
		f.load.URLs = append(f.load.URLs, strings.TrimSuffix(url, "/"))
	}
	if f.url == "" {
		stack, stop, serr := f.startStack(c)
		if serr != nil {
			return serr
		}
		defer func() { err = errors.Join(err, stop()) }()
		f.load.URLs = stack.CommandURLs()
		if f.mirror {
			f.load.ReportsURL = stack.URL()
		}
		layout = stack.Layout()
		where = "this process: load generator, all services, embedded broker"
		if f.log.Kafka != "" {
			where = "this process: load generator and all services, not the brokers"
		}
	}
	stopProfile, err := f.profile()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	report, err := loadtest.Run(ctx, f.load)
	if f.load.Progress != nil {
		fmt.Fprintln(progress)
	}
	if err != nil {
		return err
	}
	report.CPUIncludes = where
	if f.url == "" {
		report.Settings.Shards, report.Settings.Replicas, report.Settings.Broker = layout.ShardCount, f.replicas, "embedded"
		if f.log.Kafka != "" {
			report.Settings.Broker = f.log.Kafka
		}
	}
	return f.show(out, report)
}

// prepareOversell makes the load an oversell test, if it is to be one.
func (f *benchFlags) prepareOversell() error {
	if f.oversell == 0 {
		return nil
	}
	if f.load.Stock <= 0 || f.oversell < 0 {
		return errors.New("--oversell is a number of orders, and needs --stock: how much there is of the SKU")
	}
	f.load.Hot, f.load.Lines, f.load.Orders, f.load.Duration, f.load.Refusals = true, 1, f.oversell, oversellBound, true
	// A SKU of its own: an earlier run's stock would count too.
	f.load.SKUPrefix = fmt.Sprintf("oversell-%d", time.Now().UnixNano())
	return nil
}

// profile begins a CPU profile, if there is to be one.
func (f *benchFlags) profile() (stop func() error, err error) {
	if f.cpuProfile == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(f.cpuProfile)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error { pprof.StopCPUProfile(); return file.Close() }, nil
}

// failed is an error when orders were answered with one: a rate without them would be told for more than it is.
func failed(r *loadtest.Report) error {
	if r.Errors == 0 {
		return nil
	}
	return fmt.Errorf("%d orders got no answer that counts: %s", r.Errors, counts(r.Answers))
}

// show prints the report, and says by its error whether all orders were placed, and an oversell test came out as it must.
func (f *benchFlags) show(out io.Writer, report *loadtest.Report) error {
	if f.out == outputJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(report); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else if err := f.print(out, report); err != nil {
		return err
	}
	if f.oversell == 0 {
		return failed(report)
	}
	reserved, refused := report.Answers["201"], report.Answers["409"]
	if f.out == outputTable {
		fmt.Fprintf(out, "  oversell   %d orders for %d in stock: exactly %d reserved, %d refused with 409\n", f.oversell, f.load.Stock, reserved, refused)
	}
	if reserved != min(f.oversell, f.load.Stock) || reserved+refused != f.oversell {
		return fmt.Errorf("%d reserved and %d refused of %d orders for %d in stock", reserved, refused, f.oversell, f.load.Stock)
	}
	return failed(report)
}

// startStack starts the platform to load. stop ends it and removes what it leaves.
func (f *benchFlags) startStack(c *cobra.Command) (_ *stack.Stack, stop func() error, err error) {
	log, err := f.log.clusterConfig(c, "env", "topic-prefix")
	if err != nil {
		return nil, nil, err
	}
	temporary := len(log.Seeds) > 0 && !c.Flags().Changed("env") && !c.Flags().Changed("topic-prefix")
	if temporary {
		log.Env = "bench-" + strings.ToLower(rand.Text())
		log.TopicPrefix = log.Env + "."
	}
	dir, err := os.MkdirTemp("", "holdfast-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("temporary directory: %w", err)
	}
	cfg := stack.Config{
		Dir: dir, Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", Log: log, Shards: f.shards, Replicas: f.replicas,
		Logger: slog.New(slog.DiscardHandler),
	}
	if !c.Flags().Changed("shards") {
		cfg.Shards = int32(f.replicas)
	}
	if cfg.ClickHouse = stack.NoClickHouse; f.mirror {
		cfg.ClickHouse, cfg.ClickHouseListen = stack.EmbeddedClickHouse, "127.0.0.1:0"
	}
	remove := func() error {
		err := os.RemoveAll(dir)
		if temporary {
			err = errors.Join(err, deletePlatform(c.Context(), log))
		}
		return err
	}
	stack, err := stack.Start(c.Context(), cfg)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	stop = func() error { return errors.Join(stack.Close(), remove()) }
	if there := stack.Layout().ShardCount; c.Flags().Changed("shards") && there != f.shards {
		err := fmt.Errorf("the number of shards of the platform is %d, so that figures would not be for --shards %d; leave --shards out, or name another platform", there, f.shards)
		return nil, nil, errors.Join(err, stop())
	}
	return stack, stop, nil
}

// deletePlatform deletes the topics of a load test, one that was interrupted too.
func deletePlatform(ctx context.Context, cfg eventlog.Config) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	client, err := eventlog.Open(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.DeletePlatform(ctx); err != nil {
		return fmt.Errorf("the topics of this run begin with %s and are still there: %w", cfg.TopicPrefix, err)
	}
	return nil
}

func (f *benchFlags) print(out io.Writer, r *loadtest.Report) error {
	loop := fmt.Sprintf("closed loop, %d callers", f.load.Concurrency)
	switch {
	case f.load.Bulk:
		loop = "bulk, two streams"
	case f.load.Rate > 0:
		loop = fmt.Sprintf("open loop, %.0f orders/s", f.load.Rate)
	}
	retries := fmt.Sprintf("%d retries", r.Retries)
	if r.Retries > 0 {
		retries += " (" + counts(r.RetriedFor) + ")"
	}
	if r.NotStarted > 0 {
		retries += fmt.Sprintf("; %d WERE DUE AND NEVER SENT: the latencies show too little, raise --concurrency", r.NotStarted)
	}
	set := r.Settings
	_, err := fmt.Fprintf(out, `%s; lines an order: %d, SKUs: %d
  orders     %d in %.1f s: %.0f orders/s
  latency    p50 %.2f ms   p99 %.2f ms   p99.9 %.2f ms   max %.1f ms
  answers    %s; %s
  errors     %d
  CPU        %.3f ms an order (%s); %d CPUs, %s
`, loop, set.Lines, set.SKUs, r.Orders, r.Seconds, r.PerSecond, r.P50, r.P99, r.P999, r.Max, counts(r.Answers), retries, r.Errors,
		r.CPUPerOrderMS, r.CPUIncludes, set.CPUs, set.GoVersion)
	if err == nil && set.Replicas > 1 {
		_, err = fmt.Fprintf(out, "  replicas   %d of order-api, %d shards\n", set.Replicas, set.Shards)
	}
	if err == nil && r.ReportsBehindMS > 0 {
		_, err = fmt.Fprintf(out, "  reports    held the last order %.0f ms after the end\n", r.ReportsBehindMS)
	}
	if v := r.Visible; err == nil && v != nil {
		_, err = fmt.Fprintf(out, "  visible    %d orders followed into a report, from their answer: p50 %.0f ms   p99 %.0f ms   max %.0f ms\n", v.Orders, v.P50, v.P99, v.Max)
	}
	return err
}

// counts lists how often there was what, sorted.
func counts(of map[string]int64) string {
	var all []string
	for what, n := range of {
		all = append(all, fmt.Sprintf("%s × %d", what, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
