// Command order-api is the write side: it takes commands, decides them, and writes the log.
package main

import (
	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/orderapi"
)

func main() { run.Main(orderapi.Program()) }
