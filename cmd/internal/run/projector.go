package run

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
)

// ProjectorConfig is what InventoryProjector needs.
type ProjectorConfig struct {
	Log      eventlog.Config
	Want     eventlog.Layout
	Listen   string
	Logger   *slog.Logger
	Registry *prometheus.Registry
	// Server is shared with other services, and somebody else runs it; nil: a server of its own.
	Server *Shared
	// Ready is called with the HTTP address once it listens, or with "" once the routes are on the shared server.
	Ready func(address string)
}

// InventoryProjector runs the projector of the availability view until ctx is done.
func InventoryProjector(ctx context.Context, cfg ProjectorConfig) error {
	client, err := eventlog.Open(cfg.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.EnsurePlatform(ctx, cfg.Want)
	if err != nil {
		return err
	}
	p, err := availability.NewProjector(availability.ProjectorConfig{
		Client: client, Log: cfg.Log, Layout: layout, Logger: cfg.Logger, Registerer: cfg.Registry,
	})
	if err != nil {
		return err
	}
	server, serve, err := serverFor(cfg.Server, cfg.Logger, cfg.Registry, cfg.Listen, cfg.Ready)
	if err != nil {
		return err
	}
	server.AddCheck(p.Ready)
	return service.Run(ctx, p.Run, serve)
}
