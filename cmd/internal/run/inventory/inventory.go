// Package inventory is the service inventory-projector: it folds inventory.events into the topic
// inventory.availability.
package inventory

import (
	"context"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
)

// Run runs the projector of the availability view until ctx is done.
func Run(ctx context.Context, s run.Service) error {
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
		Tracer: s.Tracer,
	})
	if err != nil {
		return err
	}
	server, serve, err := s.HTTP()
	if err != nil {
		return err
	}
	server.AddCheck(p.Ready)
	return service.Run(ctx, p.Run, serve)
}

// Program is the process of the service.
func Program() run.Program { return run.Program{Name: "inventory-projector", Run: Run} }
