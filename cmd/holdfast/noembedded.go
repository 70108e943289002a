//go:build noembedded

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// errNotEmbedded says that a command needs what this build leaves out, to be small and static.
var errNotEmbedded = errors.New("this program was built without the embedded broker and ClickHouse (tag noembedded). " +
	"Build the whole one: go build ./cmd/holdfast")

// runIfEngine does nothing: there is no embedded ClickHouse.
func runIfEngine() {}

// embeddedCommands say what to do instead. Help does not list them.
func embeddedCommands() (commands []*cobra.Command) {
	for _, name := range []string{"dev", "demo", "bench"} {
		commands = append(commands, &cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error { return fmt.Errorf("holdfast %s: %w", name, errNotEmbedded) },
		})
	}
	return commands
}

// startBroker would start the embedded broker.
func startBroker(context.Context, string) (addresses []string, stop func(), err error) {
	return nil, nil, errNotEmbedded
}

// withEngine would call use with an embedded ClickHouse.
func withEngine(context.Context, func(*clickhouse.Conn) error) error { return errNotEmbedded }
