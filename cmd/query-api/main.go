// Command query-api serves every read: availability from memory, orders and their timelines, reports from ClickHouse.
package main

import (
	"context"
	"flag"

	"github.com/holdfast/holdfast/cmd/internal/run"
)

func main() {
	var cfg run.QueryConfig
	run.Main(run.Program{
		Name: "query-api",
		Flags: func(fs *flag.FlagSet) {
			fs.StringVar(&cfg.DataDir, "data-dir", ".local/query-api", "folder of the order view; it is built again from the log when it is gone")
			fs.StringVar(&cfg.ClickHouse, "clickhouse", "", "`address` of the ClickHouse that analytics-projector fills, written as it is there; without it there are no reports")
		},
		Run: func(ctx context.Context, s run.Service) error {
			cfg.Service = s
			return run.QueryAPI(ctx, cfg)
		},
		Check: func(ctx context.Context) error {
			if cfg.ClickHouse == "" {
				return nil
			}
			return run.CheckClickHouse(ctx, cfg.ClickHouse)
		},
	})
}
