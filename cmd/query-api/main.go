// Command query-api serves every read; package queryapi says which.
package main

import (
	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/queryapi"
)

func main() { run.Main(queryapi.Program()) }
