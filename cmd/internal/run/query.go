package run

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/service"
)

// QueryConfig is what QueryAPI needs.
type QueryConfig struct {
	Service
	// DataDir holds the order view.
	DataDir string
	// ClickHouse is the address of the mirror; empty: there are no reports.
	ClickHouse string
}

// QueryAPI serves every read until ctx is done.
func QueryAPI(ctx context.Context, cfg QueryConfig) error {
	client, err := eventlog.Open(cfg.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.EnsurePlatform(ctx, cfg.Layout)
	if err != nil {
		return err
	}
	v, err := openViews(client, layout, &cfg)
	if err != nil {
		return err
	}
	server, serve, err := cfg.server()
	if err != nil {
		return errors.Join(err, v.Close())
	}
	server.AddCheck(v.Ready)
	httpapi.RegisterQueries(server.Router(), v.Deps())
	err = service.Run(ctx, v.Run, serve)
	return errors.Join(err, v.Close())
}

// views are the read models of the query API.
type views struct {
	availability *availability.Store
	orders       *orderview.Store
	clickHouse   *clickhouse.Conn // nil: no reports
}

// openViews opens the read models.
func openViews(client *eventlog.Client, layout eventlog.Layout, cfg *QueryConfig) (*views, error) {
	orders, err := orderview.Open(orderview.Config{
		Dir: filepath.Join(cfg.DataDir, "orders"), Client: client, Layout: layout, Logger: cfg.Logger, Registerer: cfg.Registry,
	})
	if err != nil {
		return nil, err
	}
	stock, err := availability.NewStore(availability.StoreConfig{
		Client: client, Layout: layout, Logger: cfg.Logger, Registerer: cfg.Registry,
	})
	if err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	v := &views{availability: stock, orders: orders}
	if cfg.ClickHouse != "" {
		if v.clickHouse, err = clickhouse.Open(cfg.ClickHouse); err != nil {
			return nil, errors.Join(err, orders.Close())
		}
	}
	return v, nil
}

// Run keeps the views current until ctx is done.
func (v *views) Run(ctx context.Context) error {
	return service.Run(ctx, v.availability.Run, v.orders.Run)
}

// Ready is nil when every view has caught up. Reports are not asked: without ClickHouse they alone fail.
func (v *views) Ready() error { return errors.Join(v.availability.Ready(), v.orders.Ready()) }

// Deps are the views as the API wants them.
func (v *views) Deps() httpapi.QueryDeps {
	deps := httpapi.QueryDeps{Availability: v.availability, Orders: v.orders}
	if v.clickHouse != nil {
		deps.Reports = analytics.NewReports(v.clickHouse)
	}
	return deps
}

// Close closes the stores; Run must have returned.
func (v *views) Close() error {
	err := v.orders.Close()
	if v.clickHouse != nil {
		err = errors.Join(err, v.clickHouse.Close())
	}
	return err
}
