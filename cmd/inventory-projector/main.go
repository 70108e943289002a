// Command inventory-projector keeps the availability view: it folds inventory.events into the topic
// inventory.availability.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/service"
)

const name = "inventory-projector"

func main() { service.Main(name, start) }

func start(ctx context.Context) error {
	var c service.Common
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.Register(fs)
	if err := service.Parse(fs, os.Args[1:]); err != nil {
		return err
	}
	log, err := service.Logger(os.Stderr, c.LogLevel)
	if err != nil {
		return err
	}
	reg := service.Registry()
	if c.Check {
		return run.Check(ctx, c.Log(name, log, reg))
	}
	return run.InventoryProjector(ctx, run.ProjectorConfig{
		Log: c.Log(name, log, reg), Want: c.Layout(), Listen: c.Listen, Logger: log, Registry: reg,
		Ready: func(address string) { log.Info("listening", "address", address) },
	})
}
