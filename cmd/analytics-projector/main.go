// Command analytics-projector keeps ClickHouse: it mirrors both event topics into tables that reports read.
package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/service"
)

const name = "analytics-projector"

func main() { service.Main(name, start) }

func start(ctx context.Context) error {
	var c service.Common
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.Register(fs)
	clickHouse := fs.String("clickhouse", "http://127.0.0.1:8123/holdfast", "`address` of ClickHouse: http(s)://user:password@host:8123/database, or clickhouse://host:9000/database")
	interval := fs.Duration("flush-interval", analytics.DefaultFlushInterval, "how long rows wait for others before they are written")
	rows := fs.Int("flush-rows", analytics.DefaultFlushRows, "rows of a batch that is written at once, at most 1000000")
	if err := service.Parse(fs, os.Args[1:]); err != nil {
		return err
	}
	log, err := service.Logger(os.Stderr, c.LogLevel)
	if err != nil {
		return err
	}
	reg := service.Registry()
	if c.Check {
		return errors.Join(run.Check(ctx, c.Log(name, log, reg)), run.CheckClickHouse(ctx, *clickHouse))
	}
	return run.AnalyticsProjector(ctx, run.AnalyticsConfig{
		Log: c.Log(name, log, reg), Want: c.Layout(), ClickHouse: *clickHouse, FlushInterval: *interval, FlushRows: *rows,
		Listen: c.Listen, Logger: log, Registry: reg,
		Ready: func(address string) { log.Info("listening", "address", address) },
	})
}
