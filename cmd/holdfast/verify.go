package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/verify"
)

// verifyFlags are the settings of a verification.
type verifyFlags struct {
	log     logFlags
	acks    string
	out     output
	check   verify.Options
	auditor auditorFlags
}

// viewWait is how long availability rows may lag behind a log that nobody writes to.
const viewWait = 5 * time.Second

func newVerifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check the whole log against the invariants",
		Long: `Read the log from its start, independently of the services, and check what
must always be true: never oversold, stock conserved, one order for each key,
no gaps between versions, views equal to the log, money that adds up.

It prints a line for each invariant. The exit status is 1 if one is violated.

With --acks, a file that holdfast bench writes, it also compares what clients
were answered with the log. With --clickhouse it also compares the mirror with
the log; and it fills a second mirror, in a database that it drops afterwards,
to see that both are equal.

With --follow it is the auditor, a service: it checks each record as it comes,
until it is stopped. It logs each violation with its place in the log, and
tells what it has checked and found in its metrics. What it knows of orders and
stock is in --data-dir, so that it goes on there after a restart.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.auditor.follow {
				return f.auditor.run(c, &f.log)
			}
			if err := f.auditor.refuse(c); err != nil {
				return err
			}
			return f.run(c)
		},
	}
	f.log.add(c)
	flags := c.Flags()
	flags.StringVar(&f.acks, "acks", "", "`FILE` of answers to compare with the log, written by holdfast bench --acks")
	flags.IntVar(&f.check.Examples, "examples", verify.DefaultExamples,
		"show this `NUMBER` of violations of each invariant")
	flags.StringVar(&f.check.ClickHouse, "clickhouse", "",
		"`URL` of a ClickHouse to compare with the log, such as \"$(cat "+
			filepath.Join(defaultDir, clickHouseURLName)+")\"")
	clusterFlag(c, &f.check.ClickHouse)
	flags.DurationVar(&f.check.ViewWait, "view-wait", viewWait,
		"how long to wait for availability rows, when nobody writes to the log")
	flags.BoolVar(&f.check.Settled, "settled", false,
		"count orders that are still open, or wait for stock, as violations")
	f.out.flag(flags)
	f.auditor.add(c)
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
	t := newTable(out)
	fmt.Fprintf(t, "events\t%s\t%s quarantined and passed\n", count(r.Events), count(int64(r.Quarantined)))
	fmt.Fprintf(t, "orders\t%s\t%s without an outcome yet, %s waiting for stock of another shard\n",
		count(int64(r.Orders)), count(int64(r.OpenOrders)), count(int64(r.UnsettledOrders)))
	if r.UnplacedOrders > 0 {
		fmt.Fprintf(t, "\t%s\torders that are not placed yet, and that stock holds units for\n",
			count(int64(r.UnplacedOrders)))
	}
	fmt.Fprintf(t, "SKUs\t%s\t%s availability rows behind the log\n", count(int64(r.SKUs)), count(int64(r.RowsBehind)))
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if r.ReusedKeys > 0 {
		fmt.Fprintf(out, "\n%s placed two orders, because a client sent the key with two bodies:\n",
			plural(int(r.ReusedKeys), "idempotency key"))
		for _, example := range r.ReusedKeyExamples {
			fmt.Fprintf(out, "  %s\n", example)
		}
	}
	fmt.Fprintf(out, "\n%-3s  %12s  %-12s  %s\n", "", "CHECKED", "RESULT", "INVARIANT")
	for _, inv := range r.Invariants {
		fmt.Fprintf(out, "%-3s  %12s  %-12s  %s\n", inv.ID, count(inv.Checked), result(inv), inv.Name)
		for _, example := range inv.Examples {
			fmt.Fprintf(out, "     %s\n", example)
		}
		if inv.Note != "" {
			fmt.Fprintf(out, "     (%s)\n", inv.Note)
		}
	}
	return nil
}

// result is what became of the checks of an invariant.
func result(inv *verify.Invariant) string {
	switch {
	case inv.Violations > 0:
		return count(inv.Violations) + " VIOLATED"
	case inv.Checked == 0 && inv.Note != "":
		return "not checked"
	case inv.Checked == 0:
		return "no case"
	}
	return "ok"
}
