package run

import (
	"context"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
)

// InventoryProjector runs the projector of the availability view until ctx is done.
func InventoryProjector(ctx context.Context, s Service) error {
	client, err := eventlog.Open(s.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.EnsurePlatform(ctx, s.Layout)
	if err != nil {
		return err
	}
	p, err := availability.NewProjector(availability.ProjectorConfig{
		Client: client, Log: s.Log, Layout: layout, Logger: s.Logger, Registerer: s.Registry,
	})
	if err != nil {
		return err
	}
	server, serve, err := s.server()
	if err != nil {
		return err
	}
	server.AddCheck(p.Ready)
	return service.Run(ctx, p.Run, serve)
}
