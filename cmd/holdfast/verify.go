package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/verify"
)

// verifyFlags are the settings of a verification.
type verifyFlags struct {
	log   logFlags
	acks  string
	out   output
	check verify.Options
}

// viewWait is how long availability rows may lag behind a log that nobody writes to.
const viewWait = 5 * time.Second

func newVerifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Hold the whole log to the invariants, with an independent fold",
		Long: `Reads the log from its start with a naive fold of its own, and checks what must always hold: never
oversold, stock conserved, one key one order, versions gap-free, views equal to the log, money adding up.
Prints a line for each invariant; exit status 1 on any violation. With --acks, the file that holdfast
bench writes, it also checks that what clients were told is what the log says. With --clickhouse it compares the ` +
			`mirror with
the log, and fills another one in a database beside it, which it drops afterwards, to see that it is equal.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c)
		},
	}
	f.log.add(c)
	flags := c.Flags()
	flags.StringVar(&f.acks, "acks", "", "what clients were answered, as holdfast bench --acks writes it")
	flags.IntVar(&f.check.Examples, "examples", verify.DefaultExamples, "violations of each invariant that are shown")
	flags.StringVar(&f.check.ClickHouse, "clickhouse", "", "ClickHouse to hold to the log, such as "+defaultClickHouse)
	flags.DurationVar(&f.check.ViewWait, "view-wait", viewWait,
		"how long availability rows may take to follow a log that nobody writes")
	flags.BoolVar(&f.check.Settled, "settled", false,
		"an order that is still open, or waits for stock to follow, is a violation too")
	f.out.flag(flags)
	return c
}

func (f *verifyFlags) run(c *cobra.Command) error {
	out, progress := c.OutOrStdout(), c.ErrOrStderr()
	o := f.check
	if f.acks != "" {
		file, err := os.Open(f.acks)
		if err != nil {
			return fmt.Errorf("acks file: %w", err)
		}
		defer file.Close()
		o.Acks = file
	}
	client, err := f.log.open(c)
	if err != nil {
		return err
	}
	defer client.Close()
	if isTerminal(progress) {
		o.Progress = func(events int64) { fmt.Fprintf(progress, "\r%d events", events) }
	}
	report, err := verify.Run(c.Context(), client, o)
	if o.Progress != nil {
		fmt.Fprintln(progress)
	}
	if err != nil {
		return err
	}
	if f.out == outputJSON {
		err = writeJSON(out, report)
	} else {
		err = printReport(out, report)
	}
	if err == nil && !report.Clean() {
		return exitStatus(1)
	}
	return err
}

func printReport(out io.Writer, r *verify.Report) error {
	fmt.Fprintf(out, "%d events, %d orders (%d open, %d waiting for stock to follow), "+
		"%d SKUs (%d availability rows behind)\n",
		r.Events, r.Orders, r.OpenOrders, r.UnsettledOrders, r.SKUs, r.RowsBehind)
	for _, inv := range r.Invariants {
		result := "ok"
		if inv.Violations > 0 {
			result = fmt.Sprintf("%d VIOLATIONS", inv.Violations)
		}
		_, err := fmt.Fprintf(out, "%-4s %-66s %10d checked  %s\n", inv.ID, inv.Name, inv.Checked, result)
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		for _, example := range inv.Examples {
			fmt.Fprintf(out, "       %s\n", example)
		}
		if inv.Note != "" {
			fmt.Fprintf(out, "       (%s)\n", inv.Note)
		}
	}
	return nil
}
