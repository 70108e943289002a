//go:build !noembedded

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"
	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/orderapi"
	"github.com/holdfast/holdfast/cmd/internal/run/queryapi"
	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/service"
)

// logName is the file of the platform's log in its data folder.
const logName = "holdfast.log"

// devFlags are the embedded platform's settings.
type devFlags struct {
	log                          logFlags
	dir, listen, kafkaListen     string
	adminListen                  string
	clickHouse, clickHouseListen string
	shards, partitions           int32
	paymentWindow                time.Duration
	rounding                     string
	timeZone                     string
	allowedHosts                 []string
	access                       string
}

func (f *devFlags) add(c *cobra.Command, dir string) {
	f.log.addCluster(c)
	flags := c.Flags()
	flags.StringVar(&f.dir, "dir", dir, "`FOLDER` of all data, kept between runs")
	flags.StringVar(&f.listen, "listen", defaultListen, "`ADDRESS` of the API")
	flags.StringVar(&f.adminListen, "admin-listen", service.DefaultAdminListen,
		"`ADDRESS` of metrics (/metrics) and profiles (/debug/pprof/), or off")
	flags.StringSliceVar(&f.allowedHosts, "allowed-hosts", nil,
		"`NAMES` under which the API may be called, besides localhost, IP addresses and that of --listen; *: any")
	flags.StringVar(&f.access, "access", string(access.Off), run.AccessUsage)
	completeFlag(c, "access", access.Modes...)
	flags.StringVar(&f.kafkaListen, "kafka-listen", defaultKafkaListen, "`ADDRESS` of the embedded Kafka broker")
	flags.StringVar(&f.clickHouse, "clickhouse", "", "`URL` of a ClickHouse server, or embedded, or off for no reports "+
		"(default: embedded, and off where it does not exist for this machine)")
	flags.StringVar(&f.clickHouseListen, "clickhouse-listen", defaultClickHouseListen,
		"`ADDRESS` of the embedded ClickHouse")
	flags.Int32Var(&f.shards, "shards", run.DefaultShards, "`NUMBER` of writers, when the platform is created")
	flags.Int32Var(&f.partitions, "partitions", run.DefaultPartitions,
		"`NUMBER` of partitions of each event topic, when the platform is created")
	flags.DurationVar(&f.paymentWindow, "payment-window", 0,
		"how long a prepaid order waits for its payment (default: 24h)")
	flags.StringVar(&f.rounding, "rounding", orderapi.DefaultRounding,
		"how orders are rounded that do not say, `HOW`: order (all together) or line (each line and charge)")
	completeFlag(c, "rounding", schema.Roundings.All()...)
	flags.StringVar(&f.timeZone, "time-zone", queryapi.DefaultTimeZone,
		"time `ZONE` of days and months in reports, such as Europe/London")
}

// start starts the platform. Its log goes to a file, so that the terminal stays readable.
func (f *devFlags) start(c *cobra.Command) (*stack.Stack, error) {
	if err := queryapi.CheckTimeZone(f.timeZone); err != nil {
		return nil, err
	}
	if _, err := orderapi.ParseRounding(f.rounding); err != nil {
		return nil, err
	}
	mode, err := f.accessMode(c)
	if err != nil {
		return nil, err
	}
	log, err := f.log.clusterConfig(c)
	if err != nil {
		return nil, err
	}
	if err := service.PrivateFolder(f.dir); err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(filepath.Join(f.dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	clickHouse := f.clickHouse
	if clickHouse == "" && os.Getenv("CI") == "true" { // going on without it would leave it untested
		clickHouse = stack.EmbeddedClickHouse
	}
	progress := newStartProgress(c.ErrOrStderr())
	stack, err := stack.Start(c.Context(), stack.Config{
		Dir: f.dir, Listen: f.listen, AdminListen: f.admin(), AllowedHosts: f.allowedHosts, KafkaListen: f.kafkaListen,
		Log:        log,
		ClickHouse: clickHouse, ClickHouseListen: f.clickHouseListen,
		Shards: f.shards, Partitions: f.partitions, PaymentWindow: f.paymentWindow,
		Rounding: f.rounding, TimeZone: f.timeZone, Access: mode,
		Waiting: progress.waiting, Logger: slog.New(service.Traced(slog.NewJSONHandler(logFile, nil))),
	})
	progress.close()
	if err != nil {
		_ = logFile.Close()
		return nil, explain(err)
	}
	if err := f.keepClickHouseURL(stack); err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	f.warnOfLayout(c, stack.Layout())
	if notice := stack.Notice(); notice != "" {
		fmt.Fprintln(c.ErrOrStderr(), notice)
	}
	return stack, nil
}

// accessMode is the mode of --access. Where it is off, a warning says who reaches the API.
func (f *devFlags) accessMode(c *cobra.Command) (access.Mode, error) {
	mode, err := access.ParseMode(f.access)
	if err == nil && mode == access.Off && !httpapi.IsLoopback(f.listen) {
		fmt.Fprintf(c.ErrOrStderr(), "Warning: whoever reaches %s may change and read everything. --access keys asks for "+
			"API keys.\n", f.listen)
	}
	return mode, err
}

// keepClickHouseURL writes the address of ClickHouse into the data folder, with the password of the embedded one. Other
// commands read it there.
func (f *devFlags) keepClickHouseURL(stack *stack.Stack) error {
	file := filepath.Join(f.dir, clickHouseURLName)
	if stack.ClickHouse() == "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("address of ClickHouse: %w", err)
		}
		return nil
	}
	if err := os.WriteFile(file, []byte(stack.ClickHouse()+"\n"), 0o600); err != nil {
		return fmt.Errorf("address of ClickHouse: %w", err)
	}
	return nil
}

// warnOfLayout warns of settings that change nothing, because the platform was created with others.
func (f *devFlags) warnOfLayout(c *cobra.Command, layout eventlog.Layout) {
	for _, setting := range []struct {
		name         string
		want, actual int32
	}{{"shards", f.shards, layout.ShardCount}, {"partitions", f.partitions, layout.PartitionCount}} {
		if c.Flags().Changed(setting.name) && setting.want != setting.actual {
			fmt.Fprintf(c.ErrOrStderr(), "--%s %d has no effect: the platform was created with %d.\n",
				setting.name, setting.want, setting.actual)
		}
	}
}

// admin is the address of metrics and profiles; empty: nowhere.
func (f *devFlags) admin() string {
	if f.adminListen == service.AdminOff {
		return ""
	}
	return f.adminListen
}

// explain adds to an error what to do about it.
func explain(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nAnother program listens there. Stop it, or choose another address with --listen,\n"+
			"--admin-listen, --kafka-listen or --clickhouse-listen; port 0 is any free one", err)
	}
	return err
}

func newDevCommand() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run the whole platform in this process, for development",
		Long: `Run the whole platform in this process: the API, an embedded Kafka broker and
an embedded ClickHouse, which any client of Kafka and ClickHouse can read. All
data stays in --dir between runs. It is for development and tests, not for
production.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begin := time.Now()
			stack, err := f.start(cmd)
			if err != nil {
				return err
			}
			writeBanner(cmd.OutOrStdout(), stack, f.dir, time.Since(begin))
			return stayUp(cmd.Context(), cmd.OutOrStdout(), stack)
		},
	}
	f.add(c, defaultDir)
	return c
}

// stayUp waits for Ctrl-C or for the failure of a service, and then stops the platform in order. It reports components
// that have stopped while the others go on.
func stayUp(ctx context.Context, out io.Writer, stack *stack.Stack) error {
	var failed error
	for running := true; running; {
		select {
		case <-ctx.Done():
			fmt.Fprintln(out, "\nStopping …")
			running = false
		case failed = <-stack.Failed():
			running = false
		case fault := <-stack.Faults():
			fmt.Fprintf(out, "\nPart of the platform has stopped; the rest goes on:\n%v\n", fault)
		}
	}
	if err := errors.Join(failed, stack.Close()); err != nil {
		return err
	}
	fmt.Fprintln(out, "Stopped. All data is kept.")
	return nil
}

// adminLine is the banner's line with the address of metrics and profiles, if there is one.
func adminLine(stack *stack.Stack) string {
	if stack.AdminURL() == "" {
		return ""
	}
	return "  metrics     " + stack.AdminURL() + "/metrics (profiles: /debug/pprof/)\n"
}

// clickHouseLine is the banner's line with ClickHouse's address, if there is one.
func clickHouseLine(stack *stack.Stack, dir string) string {
	if stack.ClickHouse() == "" {
		return ""
	}
	return "  ClickHouse  " + stack.ClickHouse() + "\n              (its password is new at each start; in " +
		filepath.Join(dir, clickHouseURLName) + ")\n"
}

func writeBanner(w io.Writer, stack *stack.Stack, dir string, took time.Duration) {
	fmt.Fprintf(w, `Holdfast is ready (%.1f s). Press Ctrl-C to stop it.

  API         %s
  Kafka       %s
%s%s  data        %s (log: %s)

Try:
  curl -X PUT %s/v1/stock/A1 -H 'Content-Type: application/json' -d '{"description":"White hanging heart"}'
  curl %s/v1/availability/A1
`, took.Seconds(), stack.URL(), strings.Join(stack.KafkaSeeds(), ","), clickHouseLine(stack, dir), adminLine(stack),
		dir, filepath.Join(dir, logName), stack.URL(), stack.URL())
}
