// Command analytics-projector keeps ClickHouse: it mirrors both event topics into tables that reports read.
package main

import (
	"context"
	"flag"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/analytics"
)

func main() {
	var cfg run.AnalyticsConfig
	run.Main(run.Program{
		Name: "analytics-projector",
		Flags: func(fs *flag.FlagSet) {
			fs.StringVar(&cfg.ClickHouse, "clickhouse", "http://127.0.0.1:8123/holdfast", "`address` of ClickHouse: http(s)://user:password@host:8123/database, or clickhouse://user:password@host:9000/database, with ?secure=true for TLS; ?ca=FILE names the CA where it is not one of the machine's")
			fs.DurationVar(&cfg.FlushInterval, "flush-interval", analytics.DefaultFlushInterval, "how long rows wait for others before they are written; on a busy log they may wait for up to 1.2s")
			fs.IntVar(&cfg.FlushRows, "flush-rows", analytics.DefaultFlushRows, "rows of a batch that is written at once, at most 1000000")
		},
		Run: func(ctx context.Context, s run.Service) error {
			cfg.Service = s
			return run.AnalyticsProjector(ctx, cfg)
		},
		Check: func(ctx context.Context) error { return run.CheckClickHouse(ctx, cfg.ClickHouse) },
	})
}
