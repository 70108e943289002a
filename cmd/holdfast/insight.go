package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/insight"
)

func newInsightCommand() *cobra.Command {
	root := &cobra.Command{Use: "insight", Short: "Ask questions of the whole history, defined in YAML files"}
	root.AddCommand(newInsightValidateCommand(), newInsightPreviewCommand(),
		newInsightQueryCommand(), newInsightListCommand(), newInsightShowCommand(),
		newInsightPlanCommand(), newInsightApplyCommand(), newInsightDiffCommand(), newInsightDropCommand())
	return root
}

func newInsightValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check definitions and run their examples",
		Long: `Check definitions of insights, and run their examples, in an embedded
ClickHouse. No platform has to run, and nothing is changed. Each fault is
printed with file, line and field. The exit status is 1 if there is any.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			return withEngine(c.Context(), func(conn *clickhouse.Conn) error {
				return validateInsights(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), conn, files)
			})
		},
	}
}

func validateInsights(ctx context.Context, out, problems io.Writer, conn *clickhouse.Conn, files []string) error {
	faulty := false
	for _, file := range files {
		d, err := insight.Read(file)
		if err == nil {
			err = d.Validate(ctx, conn)
		}
		found, other := insight.Problems(err)
		if other != nil {
			return other
		}
		if err == nil {
			fmt.Fprintf(out, "%s: insight %s, version %s, %s\n", file, d.Name, d.Fingerprint(),
				examplesHold(len(d.Examples)))
		}
		for _, p := range found {
			faulty = true
			fmt.Fprintln(problems, p)
		}
	}
	if faulty {
		return exitStatus(1)
	}
	return nil
}

func examplesHold(n int) string {
	switch n {
	case 0:
		return "no examples"
	case 1:
		return "1 example holds"
	}
	return fmt.Sprintf("%d examples hold", n)
}

func newInsightPreviewCommand() *cobra.Command {
	var clickHouse string
	var limit int
	var format output
	c := &cobra.Command{
		Use:   "preview FILE",
		Short: "Answer a definition over the whole history, without keeping it",
		Long: fmt.Sprintf(`Check a definition and answer it once over the whole mirror in ClickHouse.
Nothing is created or changed. Rows come in the order of their keys. A preview
takes at most %v, and reads at most %s rows.`, insight.ComputeTime, count(insight.ComputeRows)),
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			d, err := insight.Read(files[0])
			if err != nil {
				return err
			}
			conn, err := openClickHouse(c.Context(), clickHouse)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := d.Validate(c.Context(), conn); err != nil {
				return err
			}
			answer, err := d.Preview(c.Context(), conn, limit)
			if err != nil {
				return err
			}
			return printAnswer(c.OutOrStdout(), format, answer)
		},
	}
	c.Flags().IntVar(&limit, "limit", 100,
		fmt.Sprintf("print at most `NUMBER` rows, up to %s", count(insight.MaxPreviewRows)))
	clickHouseFlag(c, &clickHouse, mirrorUsage)
	format.flag(c.Flags())
	return c
}

func printAnswer(out io.Writer, format output, a *insight.Answer) error {
	if format == outputJSON {
		return writeJSON(out, a)
	}
	table := newTable(out)
	names := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		names[i] = strings.ToUpper(c.Name)
	}
	fmt.Fprintln(table, strings.Join(names, "\t"))
	for _, row := range a.Rows {
		for i, c := range a.Columns {
			names[i] = row[c.Name]
		}
		fmt.Fprintln(table, strings.Join(names, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if a.More {
		fmt.Fprintln(out, "There are more rows: --limit NUMBER prints more.")
	}
	return nil
}
