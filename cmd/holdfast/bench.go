//go:build !noembedded

package main

import "github.com/spf13/cobra"

func newBenchCommand() *cobra.Command {
	root := &cobra.Command{Use: "bench", Short: "Measure a platform under load"}
	root.AddCommand(newBenchOrdersCommand(), newBenchMirrorCommand(), newBenchReplayCommand())
	return root
}
