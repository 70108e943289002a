package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/analytics"
)

func newMirrorCommand() *cobra.Command {
	root := &cobra.Command{Use: "mirror", Short: "ClickHouse's mirror of the log"}
	root.AddCommand(newRebuildCommand())
	return root
}

func newRebuildCommand() *cobra.Command {
	var clickHouse string
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Drop the mirror's tables; analytics-projector fills them again from the log",
		Long: "Drops the tables of the mirror and makes them anew. Projectors that run notice within seconds, " +
			"and fill them again from\nthe start of the log; reports are short until they have caught up. " +
			"Nothing is lost: the log is the truth.",
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
