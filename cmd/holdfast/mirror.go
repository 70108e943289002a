package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/analytics"
)

func newMirrorCommand() *cobra.Command {
	root := &cobra.Command{Use: "mirror", Short: "Manage the copy of the log in ClickHouse"}
	root.AddCommand(newRebuildCommand())
	return root
}

func newRebuildCommand() *cobra.Command {
	var clickHouse string
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Empty the mirror; analytics-projector fills it again",
		Long: `Drop the tables of the mirror and create them again. A running
analytics-projector notices within seconds, and fills them from the start of
the log. Until it has caught up, reports lack what is not mirrored yet.
Nothing is lost: every row comes from the log.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conn, err := openClickHouse(c.Context(), clickHouse)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := analytics.Rebuild(c.Context(), conn); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(),
				"The mirror in database %s is empty; analytics-projector fills it again.\n", conn.Database())
			return nil
		},
	}
	clickHouseFlag(c, &clickHouse, mirrorUsage)
	return c
}
