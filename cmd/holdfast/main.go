// Command holdfast is the command line: an embedded platform to develop with, imports, look-ups, checks and
// measurements.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // images have no certificates of authorities

	"github.com/holdfast/holdfast/pkg/service"
)

func main() {
	service.PrivateFiles()
	runIfEngine()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The second Ctrl-C is not waited for: it ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx))
}

func execute(ctx context.Context) int {
	err := newRootCommand().ExecuteContext(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return 130 // ended by Ctrl-C before it was done
	}
	fmt.Fprintln(os.Stderr, "holdfast: "+err.Error())
	return 1
}

// exitStatus is an error that ends the process with a status and no message, because the command has printed the
// reason.
type exitStatus int

// Error implements error.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "holdfast",
		Short:         "Orders and inventory on an event log: run it, use it, check it",
		Version:       service.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,

		PersistentPreRunE: readAPIKey,
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n") // as services say it
	root.AddCommand(embeddedCommands()...)
	root.AddCommand(
		newImportCommand(),
		newOrderCommand(),
		newStockCommand(),
		newEventsCommand(),
		newVerifyCommand(),
		newInsightCommand(),
		newReplayCommand(),
		newMirrorCommand(),
		newDeadLettersCommand(),
		newTopicsCommand(),
		newKeysCommand(),
		newLocationsCommand(),
		newLayoutCommand(),
		newLogCommand(),
	)
	setUsage(root)
	return root
}
