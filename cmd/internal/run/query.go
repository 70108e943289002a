package run

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/service"
)

// QueryConfig is what QueryAPI needs.
type QueryConfig struct {
	Log      eventlog.Config
	Want     eventlog.Layout
	Listen   string
	DataDir  string
	Logger   *slog.Logger
	Registry *prometheus.Registry
	// Server is shared with other services, and somebody else runs it; nil: a server of its own.
	Server *Shared
	// Ready is called with the HTTP address once it listens, or with "" once the routes are on the shared server.
	Ready func(address string)
}

// QueryAPI serves every read until ctx is done.
func QueryAPI(ctx context.Context, cfg QueryConfig) error {
	client, err := eventlog.Open(cfg.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.EnsurePlatform(ctx, cfg.Want)
	if err != nil {
		return err
	}
	v, err := OpenViews(client, layout, cfg.DataDir, cfg.Logger)
	if err != nil {
		return err
	}
	server, serve, err := serverFor(cfg.Server, cfg.Logger, cfg.Registry, cfg.Listen, cfg.Ready)
	if err != nil {
		return errors.Join(err, v.Close())
	}
	server.AddCheck(v.Ready)
	httpapi.RegisterQueries(server.Router(), v.Deps())
	err = service.Run(ctx, v.Run, serve)
	return errors.Join(err, v.Close())
}

// Views are the read models of the query API.
type Views struct {
	availability *availability.Store
	orders       *orderview.Store
}

// OpenViews opens the read models; dataDir keeps the ones that are not memory only.
func OpenViews(client *eventlog.Client, layout eventlog.Layout, dataDir string, log *slog.Logger) (*Views, error) {
	orders, err := orderview.Open(filepath.Join(dataDir, "orders"), client, layout, log)
	if err != nil {
		return nil, err
	}
	return &Views{availability: availability.NewStore(client, layout, log), orders: orders}, nil
}

// Run keeps the views current until ctx is done.
func (v *Views) Run(ctx context.Context) error {
	return service.Run(ctx, v.availability.Run, v.orders.Run)
}

// Ready is nil when every view has caught up.
func (v *Views) Ready() error { return errors.Join(v.availability.Ready(), v.orders.Ready()) }

// Deps are the views as the API wants them.
func (v *Views) Deps() httpapi.QueryDeps {
	return httpapi.QueryDeps{Availability: v.availability, Orders: v.orders}
}

// Close closes the stores; Run must have returned.
func (v *Views) Close() error { return v.orders.Close() }
