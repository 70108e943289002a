//go:build !noembedded

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/loadtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
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

// oversellBound ends an oversell test that does not end by itself.
const oversellBound = 10 * time.Minute

func newBenchOrdersCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "orders",
		Short: "Place orders and measure the answers",
		Long: `Place orders of --lines lines and report how many a second were answered, and
how long answers took. In a closed loop --concurrency callers place one order
after the other. In an open loop --rate orders are placed each second, and
latency counts from when an order was due.

Without --url the command starts a platform in a temporary folder, on the
embedded broker or on --kafka. On --kafka its topics have names of their own,
and are deleted at the end. With --topic-prefix or --env it joins the platform
of that name instead, which keeps the orders for ever.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.log.addCluster(c)
	flags := c.Flags()
	flags.StringVar(&f.url, "url", "",
		"`URL` of the platform, or of its replicas, comma-separated (default: start one in this process)")
	flags.Int32Var(&f.shards, "shards", 1,
		"`NUMBER` of writers of the started platform (default: one for each of --replicas)")
	flags.Lookup("shards").DefValue = "0" // the usage names the default
	flags.IntVar(&f.replicas, "replicas", 1,
		"`NUMBER` of replicas of order-api in the started platform; they share shards and callers")
	flags.IntVar(&f.load.Concurrency, "concurrency", 64, "`NUMBER` of callers at once")
	flags.Float64Var(&f.load.Rate, "rate", 0, "open loop with this `NUMBER` of orders a second (default: closed loop)")
	flags.DurationVar(&f.load.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&f.load.Warmup, "warmup", 2*time.Second, "how long to place orders before measuring")
	flags.Int64Var(&f.load.Orders, "orders", 0, "end after this `NUMBER` of orders, without a warm-up")
	flags.BoolVar(&f.load.Hot, "hot", false, "order the same SKU with every line")
	flags.IntVar(&f.load.SKUs, "skus", 1000, "`NUMBER` of SKUs that are ordered")
	flags.IntVar(&f.load.Lines, "lines", 3, "`NUMBER` of lines of an order, each of another SKU if there are enough")
	flags.BoolVar(&f.load.Bulk, "bulk", false, "send orders as lines of POST /v1/commands")
	flags.BoolVar(&f.load.OnAccount, "on-account", false, "place orders on account, which are confirmed at once")
	flags.Int64Var(&f.load.Stock, "stock", 0, "stock of each SKU (default: more than is ordered)")
	flags.Int64Var(&f.oversell, "oversell", 0,
		"place this `NUMBER` of orders at once, of one unit each, for one new SKU with --stock, "+
			"and count the outcomes; the status is 1 if they are not exact")
	flags.BoolVar(&f.quiet, "quiet", false, "show no progress")
	flags.BoolVar(&f.mirror, "mirror", false,
		"mirror the log into ClickHouse meanwhile, in the started platform")
	flags.BoolVar(&f.load.Reports, "reports", false,
		"with --mirror: measure when orders are seen in reports")
	flags.StringVar(&f.acks, "acks", "", "write the answer of each order to this `FILE`, for holdfast verify --acks")
	flags.IntSliceVar(&f.load.CPUOf, "cpu-of", nil,
		"with --url: report the CPU time of the processes with these `NUMBERS`, and of all below them (Linux)")
	flags.StringVar(&f.cpuProfile, "cpuprofile", "", "write a CPU profile of this process to this `FILE`")
	f.out.flag(flags)
	return c
}

func (f *benchFlags) run(c *cobra.Command) (err error) {
	progress := c.ErrOrStderr()
	if f.replicas < 1 || f.url != "" && c.Flags().Changed("replicas") {
		return errors.New("--replicas is a number of replicas to start, at least 1; " +
			"those of a platform that runs are named in --url")
	}
	if len(f.load.CPUOf) > 0 && f.url == "" {
		return errors.New("--cpu-of is for a platform that runs already: name it with --url")
	}
	if err := f.prepareOversell(); err != nil {
		return err
	}
	if !f.quiet && isTerminal(progress) {
		f.load.Progress = func(orders, retries int64) {
			fmt.Fprintf(progress, "\r%d orders, %d retries ", orders, retries)
		}
	}
	if f.acks != "" {
		file, err := os.OpenFile(f.acks, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("acks file: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		f.load.Acks = file
	}
	for url := range strings.SplitSeq(f.url, ",") {
		f.load.URLs = append(f.load.URLs, strings.TrimSuffix(url, "/"))
	}
	var layout eventlog.Layout
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
	}
	stopProfile, err := startProfile(f.cpuProfile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	report, err := loadtest.Run(c.Context(), f.load)
	if f.load.Progress != nil {
		fmt.Fprintln(progress)
	}
	if err != nil {
		return err
	}
	f.describe(report, layout)
	return f.show(c.OutOrStdout(), report)
}

// describe adds to the report what only this command knows of the platform.
func (f *benchFlags) describe(report *loadtest.Report, layout eventlog.Layout) {
	if len(f.load.CPUOf) > 0 {
		report.CPUIncludes = fmt.Sprintf("processes %v and those below them", f.load.CPUOf)
		return
	}
	if f.url != "" {
		report.CPUIncludes = "this process: the load generator alone"
		return
	}
	report.CPUIncludes = "this process: load generator, all services, embedded broker"
	report.Settings.Broker = "embedded"
	if f.log.Kafka != "" {
		report.CPUIncludes = "this process: load generator and all services, not the brokers"
		report.Settings.Broker = f.log.Kafka
	}
	report.Settings.Shards, report.Settings.Replicas = layout.ShardCount, f.replicas
}

// prepareOversell turns the load into an oversell test if --oversell asks for one.
func (f *benchFlags) prepareOversell() error {
	if f.oversell == 0 {
		return nil
	}
	if f.load.Stock <= 0 || f.oversell < 0 {
		return errors.New("--oversell is a number of orders, and needs --stock: how much there is of the SKU")
	}
	f.load.Hot, f.load.Lines, f.load.Orders = true, 1, f.oversell
	f.load.Duration, f.load.Refusals = oversellBound, true
	// A new SKU, because stock of an earlier run would count too.
	f.load.SKUPrefix = fmt.Sprintf("oversell-%d", time.Now().UnixNano())
	return nil
}

// startProfile starts a CPU profile if there is a file for it.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error { pprof.StopCPUProfile(); return file.Close() }, nil
}
