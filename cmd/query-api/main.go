// Command query-api serves every read: availability from memory, orders and their timelines, reports from ClickHouse.
package main

import (
	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/queryapi"
)

func main() { run.Main(queryapi.Program()) }
