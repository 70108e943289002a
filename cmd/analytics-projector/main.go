// Command analytics-projector keeps ClickHouse: it mirrors both event topics into tables that reports read.
package main

import (
	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/analytics"
)

func main() { run.Main(analytics.Program()) }
