// Command query-api serves every read: availability from memory, orders and their timelines.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/service"
)

const name = "query-api"

func main() { service.Main(name, start) }

func start(ctx context.Context) error {
	var c service.Common
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.Register(fs)
	dataDir := fs.String("data-dir", ".local/query-api", "folder of the order view; it is built again from the log when it is gone")
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
	return run.QueryAPI(ctx, run.QueryConfig{
		Log: c.Log(name, log, reg), Want: c.Layout(), Listen: c.Listen, DataDir: *dataDir, Logger: log, Registry: reg,
		Ready: func(address string) { log.Info("listening", "address", address) },
	})
}
