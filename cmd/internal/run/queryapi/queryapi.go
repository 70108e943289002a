// Package queryapi is the service query-api: it serves every read, availability from memory, orders with their
// timelines, reports from ClickHouse, and replays of insights.
package queryapi

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi/queries"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/live"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/replay"
	"github.com/holdfast/holdfast/pkg/service"
	"github.com/holdfast/holdfast/pkg/stockledger"
)

// Config is what the service needs.
type Config struct {
	run.Service
	// DataDir holds the views of orders and of stock.
	DataDir string
	// ClickHouse is the address of the mirror; empty: there are no reports.
	ClickHouse string
	// ClickHouseCluster is the cluster of its replicas; empty: it is one server.
	ClickHouseCluster string
	// MaxStreams is how many streams of orders and stock there are at a time.
	MaxStreams int
	// TimeZone is that of days and months in reports that are asked for without one; empty: UTC.
	TimeZone string
	// Access says who may use the API: access.Modes; empty: everybody.
	Access string
}

// DefaultTimeZone is the time zone of days and months in reports.
const DefaultTimeZone = "UTC"

// CheckTimeZone says what is wrong with the setting.
func CheckTimeZone(name string) error {
	if _, err := insight.LoadZone(name); err != nil {
		return fmt.Errorf("--time-zone %w", err)
	}
	return nil
}

// Run serves every read until ctx is done.
func Run(ctx context.Context, cfg Config) error {
	client, err := eventlog.Open(cfg.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.EnsurePlatform(ctx, cfg.Layout)
	if err != nil {
		return err
	}
	id, err := client.Identity(ctx)
	if err != nil {
		return err
	}
	platform := service.Platform{Env: cfg.Log.Env, TopicPrefix: cfg.Log.TopicPrefix}
	if platform.ID, err = client.PlatformID(ctx); err != nil {
		return err
	}
	if err := service.PlatformFolder(cfg.DataDir, platform); err != nil {
		return fmt.Errorf("query-api: %w", err)
	}
	v, err := openViews(client, layout, id.Incarnation, &cfg)
	if err != nil {
		return err
	}
	in := cfg.WithAccess(cfg.Access)
	server, serve, err := in.HTTP()
	if err != nil {
		return errors.Join(err, v.Close())
	}
	server.AddCheck(v.Ready)
	deps, work := v.Deps(id.Incarnation), []func(context.Context) error{v.Run, serve}
	deps.Keys = server.Keys()
	if v.clickHouse != nil {
		decisions := catalog.New(client, cfg.Logger)
		deps.Replays = replay.NewService(client, layout, v.clickHouse, decisions)
		reader := replay.NewReader(deps.Replays)
		deps.Insights, deps.Reports = reader, replay.NewReports(reader)
		if deps.Zone, err = insight.LoadZone(cmp.Or(cfg.TimeZone, DefaultTimeZone)); err != nil {
			return errors.Join(err, v.Close())
		}
		work = append(work, decisions.Run)
	}
	queries.Register(server.Router(), deps)
	err = service.Run(ctx, work...)
	return errors.Join(err, v.Close())
}

// views are the read models of the query API.
type views struct {
	availability *availability.Store
	orders       *orderview.Store
	ledger       *stockledger.Store
	events       *live.Feed
	streams      *queries.Streams
	clickHouse   *clickhouse.Conn // nil: no reports
}

// openViews opens the read models, and what tells of their changes.
func openViews(
	client *eventlog.Client, layout eventlog.Layout, of eventlog.Incarnation, cfg *Config,
) (_ *views, err error) {
	v := &views{}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if err := v.openStreams(layout.PartitionCount, of, cfg); err != nil {
		return nil, err
	}
	tail := live.NewTail(layout.PartitionCount)
	v.orders, err = orderview.Open(orderview.Config{
		Dir: filepath.Join(cfg.DataDir, "orders"), Client: client, Layout: layout,
		Logger: cfg.Logger, Registerer: cfg.Registry, Tracer: cfg.Tracer,
		Listener: live.Listen(tail.Listener(eventlog.TopicOrders), v.streams.OrderHub),
	})
	if err != nil {
		return nil, err
	}
	v.ledger, err = stockledger.Open(stockledger.Config{
		Dir: filepath.Join(cfg.DataDir, "stock"), Client: client, Layout: layout,
		Logger: cfg.Logger, Registerer: cfg.Registry, Tracer: cfg.Tracer,
		Listener: tail.Listener(eventlog.TopicInventory),
	})
	if err != nil {
		return nil, err
	}
	v.events, err = live.NewFeed(live.FeedConfig{
		Tail: tail, Client: client, Registerer: cfg.Registry,
		Age:     func() time.Duration { return max(v.orders.Age(), v.ledger.Age()) },
		Started: func() error { return cmp.Or(v.orders.Started(), v.ledger.Started()) },
	})
	if err != nil {
		return nil, err
	}
	v.availability, err = availability.NewStore(availability.StoreConfig{
		Client: client, Layout: layout, Logger: cfg.Logger, Registerer: cfg.Registry, Tracer: cfg.Tracer,
		Listener: v.publishRows,
	})
	if err != nil {
		return nil, err
	}
	v.streams.Orders, v.streams.Events, v.streams.Stock = v.orders, v.events, v.availability
	if cfg.ClickHouse != "" {
		if v.clickHouse, err = clickhouse.OpenIn(cfg.ClickHouse, cfg.ClickHouseCluster); err != nil {
			return nil, err
		}
		err = v.clickHouse.Measure(cfg.Registry)
	}
	return v, err
}

// Run keeps the views current until ctx is done.
func (v *views) Run(ctx context.Context) error {
	return service.Run(ctx, v.availability.Run, v.orders.Run, v.ledger.Run, v.streams.OrderHub.Run,
		v.streams.StockHub.Run)
}

// Ready is nil when every view has caught up. Reports are not asked: without ClickHouse they alone fail.
func (v *views) Ready() error {
	return errors.Join(v.availability.Ready(), v.orders.Ready(), v.ledger.Ready())
}

// Deps are the views as the API wants them.
func (v *views) Deps(of eventlog.Incarnation) queries.Deps {
	return queries.Deps{
		Availability: v.availability, Orders: v.orders, Ledger: v.ledger, Events: v.events, Streams: v.streams,
		Incarnation: of,
	}
}

// Close closes the stores; Run must have returned.
func (v *views) Close() error {
	if v.events != nil {
		v.events.Close()
	}
	var err error
	if v.orders != nil {
		err = v.orders.Close()
	}
	if v.ledger != nil {
		err = errors.Join(err, v.ledger.Close())
	}
	if v.clickHouse != nil {
		err = errors.Join(err, v.clickHouse.Close())
	}
	return err
}

// Program is the process of the service.
func Program() run.Program {
	var cfg Config
	return run.Program{
		Name:  "query-api",
		Flags: cfg.register,
		Run: func(ctx context.Context, s run.Service) error {
			cfg.Service = s
			return Run(ctx, cfg)
		},
		Validate: func(run.Service) error {
			_, mode := access.ParseMode(cfg.Access)
			err := errors.Join(CheckTimeZone(cfg.TimeZone), mode)
			if cfg.MaxStreams < 1 {
				err = errors.Join(err, errors.New("--max-streams must be at least 1"))
			}
			if cfg.ClickHouse != "" {
				err = errors.Join(err, clickhouse.CheckAddress(cfg.ClickHouse, cfg.ClickHouseCluster))
			}
			return err
		},
		Check: func(ctx context.Context) error {
			if cfg.ClickHouse == "" {
				return nil
			}
			return clickhouse.Reach(ctx, cfg.ClickHouse, cfg.ClickHouseCluster)
		},
	}
}

func (cfg *Config) register(fs *flag.FlagSet) {
	run.AccessVar(fs, &cfg.Access)
	fs.StringVar(&cfg.DataDir, "data-dir", ".local/query-api",
		"folder of the views of orders and of stock; they are built again from the log when it is gone")
	fs.StringVar(&cfg.ClickHouse, "clickhouse", "", "`address` of the ClickHouse that analytics-projector fills, "+
		"written as it is there; without it there are no reports and no replays")
	fs.IntVar(&cfg.MaxStreams, "max-streams", queries.DefaultMaxStreams,
		"`NUMBER` of streams of orders and stock that this replica serves at a time")
	fs.StringVar(&cfg.TimeZone, "time-zone", DefaultTimeZone, "time `ZONE` of days and months in reports that are "+
		"asked for without one (tz), of the IANA database, such as Europe/London; insights have their own")
	fs.StringVar(&cfg.ClickHouseCluster, "clickhouse-cluster", "", clickhouse.ClusterUsage)
}
