// Command query-api serves every read: availability from memory, orders and their timelines, reports from ClickHouse.
package main

import (
	"context"
	"errors"
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
	clickHouse := fs.String("clickhouse", "", "`address` of the ClickHouse that analytics-projector fills; without it there are no reports")
	if err := service.Parse(fs, os.Args[1:]); err != nil {
		return err
	}
	log, err := service.Logger(os.Stderr, c.LogLevel)
	if err != nil {
		return err
	}
	reg := service.Registry()
	if c.Check {
		err := run.Check(ctx, c.Log(name, log, reg))
		if *clickHouse != "" {
			err = errors.Join(err, run.CheckClickHouse(ctx, *clickHouse))
		}
		return err
	}
	return run.QueryAPI(ctx, run.QueryConfig{
		Log: c.Log(name, log, reg), Want: c.Layout(), Listen: c.Listen, DataDir: *dataDir, ClickHouse: *clickHouse,
		Logger: log, Registry: reg,
		Ready: func(address string) { log.Info("listening", "address", address) },
	})
}
