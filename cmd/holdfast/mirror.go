package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/analytics"
)

func newMirrorCommand() *cobra.Command {
	root := &cobra.Command{Use: "mirror", Short: "Manage the copy of the log in ClickHouse"}
	root.AddCommand(newRebuildCommand())
	return root
}

// rebuildFlags are the settings of a rebuild.
type rebuildFlags struct {
	log        logFlags
	clickHouse string
	check      bool
	anew       bool
	flushRows  int
	out        output
}

func newRebuildCommand() *cobra.Command {
	var f rebuildFlags
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Fill the mirror again beside the one in use, and swap the two",
		Long: `Fill a second mirror from the start of the log, in a database beside the one
in use (its name with _rebuild), compare the two, and swap them. Reports and
queries see complete tables all the time, and a running analytics-projector goes
on from the new ones. While both exist, ClickHouse needs the disk space twice.

It may be stopped at any time: the mirror in use stays as it is, and the next
rebuild goes on where this one was, or begins anew if this program has other
tables. Tables of an older program are swapped once no projector of that program
has written them for ten seconds: stop it when the rebuild says that it waits.

What differs is printed with examples. With --check, nothing is swapped, and
the exit status is 1 if something differs.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.log.add(c)
	clickHouseFlag(c, &f.clickHouse, mirrorUsage)
	flags := c.Flags()
	flags.BoolVar(&f.check, "check", false, "compare only: swap nothing, and drop the second mirror afterwards")
	flags.BoolVar(&f.anew, "anew", false, "drop what an earlier rebuild has filled instead of going on from there")
	flags.IntVar(&f.flushRows, "flush-rows", analytics.DefaultFlushRows,
		"`ROWS` of a batch that is written at once, at most 1000000; fewer need less memory")
	f.out.flag(flags)
	return c
}

func (f *rebuildFlags) run(c *cobra.Command) error {
	client, err := f.log.open(c)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.ReadLayout(c.Context())
	if err != nil {
		return err
	}
	conn, err := openClickHouse(c.Context(), f.clickHouse)
	if err != nil {
		return err
	}
	defer conn.Close()
	progress := newRebuildProgress(c.ErrOrStderr())
	report, err := analytics.Rebuild(c.Context(), analytics.RebuildConfig{
		Client: client, Layout: layout, Conn: conn, FlushRows: f.flushRows, CompareOnly: f.check, Anew: f.anew,
		Observe: progress.show,
		Logger:  slog.New(slog.NewTextHandler(progress, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	progress.close()
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("the rebuild was stopped; the mirror in use is as it was, and the next rebuild goes on from here")
	case err != nil:
		return err
	}
	if f.out == outputJSON {
		err = writeJSON(c.OutOrStdout(), report)
	} else {
		printRebuild(c.OutOrStdout(), report, conn.Database())
	}
	if err == nil && f.check && report.Differences() > 0 {
		return exitStatus(1)
	}
	return err
}

// printRebuild prints what a rebuild has found and done.
func printRebuild(out io.Writer, r *analytics.RebuildReport, database string) {
	if r.Skipped != "" {
		fmt.Fprintf(out, "Nothing was compared: %s.\n", r.Skipped)
	}
	for _, table := range r.Tables {
		result := "equal"
		if n := len(table.Partitions); n > 0 {
			result = fmt.Sprintf("DIFFERENT in %s of the log: %s", plural(n, "partition"), someOf(table.Partitions))
		}
		fmt.Fprintf(out, "%-12s  %12s rows, rebuilt %12s  %s\n", table.Table, count(int64(table.Rows)),
			count(int64(table.ShadowRows)), result)
		for _, example := range table.Examples {
			fmt.Fprintf(out, "    %s\n", example)
		}
		if len(table.Missing) > 0 {
			fmt.Fprintf(out, "    not compared, because only one of the two has them so: %s\n",
				strings.Join(table.Missing, ", "))
		}
	}
	switch n := r.Differences(); {
	case !r.Swapped && r.Skipped != "":
		fmt.Fprintf(out, "The mirror in database %s is as it was.\n", database)
	case !r.Swapped && n == 0:
		fmt.Fprintf(out, "The mirror in database %s equals the log.\n", database)
	case !r.Swapped:
		fmt.Fprintf(out, "The mirror in database %s does not equal the log: `holdfast mirror rebuild` replaces it.\n",
			database)
	case n > 0:
		fmt.Fprintf(out, "The mirror in database %s is rebuilt. The former one was different, as said above.\n", database)
	default:
		fmt.Fprintf(out, "The mirror in database %s is rebuilt.\n", database)
	}
	if r.Retired > 0 {
		fmt.Fprintf(out, "%s could be mirrored and left the list.\n", plural(r.Retired, "dead letter"))
	}
}

// someOf lists the first of many names.
func someOf(names []string) string {
	const most = 6
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " …"
	}
	return strings.Join(names, ", ")
}
