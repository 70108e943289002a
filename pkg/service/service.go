// Package service is what every Holdfast process has in common: settings, a logger, metrics, and an
// orderly start and stop. It knows nothing of what the process does.
package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/peterbourgon/ff/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// EnvPrefix precedes every environment variable: flag --data-dir is HOLDFAST_DATA_DIR.
const EnvPrefix = "HOLDFAST"

// Common are the settings of every service.
type Common struct {
	Kafka, Env, TopicPrefix, Listen, LogLevel string
	Partitions, Shards                        int
	Check                                     bool
}

// Register adds the common flags.
func (c *Common) Register(fs *flag.FlagSet) {
	fs.StringVar(&c.Kafka, "kafka", "127.0.0.1:9092", "brokers, host:port, comma-separated")
	fs.StringVar(&c.Env, "env", "holdfast", "prefix of transactional ids and group names, where several platforms share a cluster")
	fs.StringVar(&c.TopicPrefix, "topic-prefix", "", "put before the name of every topic, where several platforms share a cluster")
	fs.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "address of HTTP: the API, /healthz, /readyz, /metrics")
	fs.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	fs.IntVar(&c.Partitions, "partitions", 12, "partitions of each event topic, when the platform is created")
	fs.IntVar(&c.Shards, "shards", 3, "writers, when the platform is created")
	fs.BoolVar(&c.Check, "check", false, "read the settings, reach the brokers, start nothing")
	fs.String("config", "", "file of settings, one `flag value` a line")
}

// Log is how to reach the event log.
func (c *Common) Log(name string, log *slog.Logger, reg prometheus.Registerer) eventlog.Config {
	return eventlog.Config{Seeds: strings.Split(c.Kafka, ","), Env: c.Env, TopicPrefix: c.TopicPrefix, ClientID: name, Logger: log, Registerer: reg}
}

// Layout is what to create on an empty platform.
func (c *Common) Layout() eventlog.Layout {
	return eventlog.Layout{PartitionCount: int32(c.Partitions), ShardCount: int32(c.Shards)}
}

// Parse reads settings: flags, then environment, then the file, then defaults.
func Parse(fs *flag.FlagSet, args []string) error {
	err := ff.Parse(fs, args, ff.WithEnvVarPrefix(EnvPrefix), ff.WithConfigFileFlag("config"), ff.WithConfigFileParser(ff.PlainParser))
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return fmt.Errorf("settings: %w", err)
	}
	return err
}

// Logger writes JSON lines at the named level.
func Logger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("settings: log level %q is none of debug, info, warn, error", level)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})), nil
}

// Registry has the metrics of the process and of the Go runtime.
func Registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return reg
}

// Main runs a service until it ends or the process is told to: exit status 0 after a clean stop.
func Main(name string, run func(ctx context.Context) error) {
	TuneMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// gcPercent trades memory for time: heaps here are small beside what the machine has, and at Go's
// default the collector takes a fifth of the CPU under load.
const gcPercent = 400

// TuneMemory sets the collector for a service, unless GOGC says otherwise.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// Run runs parts together: the first that ends with an error stops the others, and ctx stops all.
func Run(ctx context.Context, parts ...func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() { ended <- part(ctx) }()
	}
	var errs []error
	for range parts {
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
			cancel()
		}
	}
	return errors.Join(errs...)
}
