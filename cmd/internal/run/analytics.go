package run

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
)

// AnalyticsConfig is what AnalyticsProjector needs.
type AnalyticsConfig struct {
	Service
	// ClickHouse is the address of the mirror's database.
	ClickHouse string
	// FlushInterval and FlushRows bound a batch; 0: the mirror's defaults.
	FlushInterval time.Duration
	FlushRows     int
	// Alone is set when nobody else fills this ClickHouse: its mirror may be dropped and filled again. It stands outside
	// the group of the others, which would miss what this process took from them.
	Alone bool
}

// AnalyticsProjector mirrors the log into ClickHouse until ctx is done.
func AnalyticsProjector(ctx context.Context, cfg AnalyticsConfig) error {
	conn, err := clickhouse.Open(cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer conn.Close()
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
		Log: cfg.Log, Client: client, Layout: layout, Conn: conn, FlushInterval: cfg.FlushInterval, FlushRows: cfg.FlushRows,
		Alone: cfg.Alone, Refill: cfg.Alone, YieldCPU: cfg.Server != nil, Logger: cfg.Logger, Registerer: cfg.Registry,
	})
	if err != nil {
		return err
	}
	server, serve, err := cfg.server()
	if err != nil {
		return err
	}
	if cfg.Server != nil {
		// Orders and stock of the same process do not wait until a long log is in ClickHouse. Reports say how far they are.
		server.AddCheck(m.Started)
	} else {
		server.AddCheck(m.Ready)
	}
	return service.Run(ctx, m.Run, serve)
}

// CheckClickHouse reaches the server and changes nothing.
func CheckClickHouse(ctx context.Context, address string) error {
	conn, err := clickhouse.Open(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("reach ClickHouse: %w", err)
	}
	return nil
}
