// Package analytics is the service analytics-projector: it mirrors both event topics into ClickHouse, and keeps the
// tables of insights.
package analytics

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
	"github.com/holdfast/holdfast/pkg/service"
)

// Config is what the service needs.
type Config struct {
	run.Service
	// ClickHouse is the address of the mirror's database.
	ClickHouse string
	// ClickHouseCluster is the cluster of its replicas; empty: it is one server.
	ClickHouseCluster string
	// FlushInterval and FlushRows bound a batch; 0: the mirror's defaults.
	FlushInterval time.Duration
	FlushRows     int
	// Alone: nobody else fills this ClickHouse, so that its mirror may be dropped and filled again. The process then
	// joins no group: other projectors would miss the partitions that it took from them.
	Alone bool
	// ReadyInsights makes the insights of schemas/insights live that were never so.
	ReadyInsights bool
}

// Run mirrors the log into ClickHouse, and computes insights, until ctx is done.
func Run(ctx context.Context, cfg Config) error {
	conn, err := clickhouse.OpenIn(cfg.ClickHouse, cfg.ClickHouseCluster)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Measure(cfg.Registry); err != nil {
		return err
	}
	client, err := eventlog.Open(cfg.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.EnsurePlatform(ctx, cfg.Layout)
	if err != nil {
		return err
	}
	m, err := analytics.New(analytics.Config{
		Log: cfg.Log, Client: client, Layout: layout, Conn: conn,
		FlushInterval: cfg.FlushInterval, FlushRows: cfg.FlushRows,
		Alone: cfg.Alone, Refill: cfg.Alone, YieldCPU: cfg.Server != nil, Logger: cfg.Logger, Registerer: cfg.Registry,
		Tracer: cfg.Tracer,
	})
	if err != nil {
		return err
	}
	decisions := catalog.New(client, cfg.Logger)
	runner, err := replay.New(replay.Config{
		Client: client, Layout: layout, Conn: conn, Catalog: decisions, Mirror: m,
		Logger: cfg.Logger, Registerer: cfg.Registry,
	})
	if err != nil {
		return err
	}
	server, serve, err := cfg.HTTP()
	if err != nil {
		return err
	}
	if cfg.Server != nil {
		// Orders and stock of the same process do not wait until a long log is in ClickHouse. Reports say how far
		// they are.
		server.AddCheck(m.Started)
	} else {
		server.AddCheck(m.Ready)
	}
	work := []func(context.Context) error{m.Run, decisions.Run, runner.Run, serve}
	if cfg.ReadyInsights {
		ready := &readyInsights{
			service: replay.NewService(client, layout, conn, decisions), logger: cfg.Logger,
			mayBegin: func() error { return errors.Join(m.Started(), decisions.Ready()) },
		}
		work = append(work, ready.apply)
	}
	return service.Run(ctx, work...)
}

// Program is the process of the service.
func Program() run.Program {
	var cfg Config
	return run.Program{
		Name:  "analytics-projector",
		Flags: cfg.register,
		Validate: func(run.Service) error {
			return errors.Join(clickhouse.CheckAddress(cfg.ClickHouse, cfg.ClickHouseCluster),
				analytics.CheckBatch(cfg.FlushInterval, cfg.FlushRows))
		},
		Run: func(ctx context.Context, s run.Service) error {
			cfg.Service = s
			return Run(ctx, cfg)
		},
		Check: func(ctx context.Context) error { return clickhouse.Reach(ctx, cfg.ClickHouse, cfg.ClickHouseCluster) },
		Jobs:  map[string]run.Program{"replay": replayProgram()},
		Help: "analytics-projector replay computes an insight over the history, and ends: " +
			"see analytics-projector replay --help.\n",
	}
}

func (cfg *Config) register(fs *flag.FlagSet) {
	fs.StringVar(&cfg.ClickHouse, "clickhouse", "http://127.0.0.1:8123/holdfast", "`address` of ClickHouse: "+
		"http(s)://user:password@host:8123/database, or clickhouse://user:password@host:9000/database, "+
		"with ?secure=true for TLS; ?ca=FILE names the CA where it is not one of the machine's")
	fs.StringVar(&cfg.ClickHouseCluster, "clickhouse-cluster", "", clickhouse.ClusterUsage)
	fs.DurationVar(&cfg.FlushInterval, "flush-interval", analytics.DefaultFlushInterval, "how long rows wait for others "+
		"before they are written; on a busy log they may wait for up to 1.2s")
	fs.IntVar(&cfg.FlushRows, "flush-rows", analytics.DefaultFlushRows,
		"rows of a batch that is written at once, at most 1000000")
	fs.BoolVar(&cfg.ReadyInsights, "ready-insights", false,
		"make the insights of schemas/insights live that were never so")
}
