package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/client"
)

func newImportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "import",
		Short: "Import past orders, or a file of commands",
	}
	c.AddCommand(newImportRetailCommand(), newImportNDJSONCommand())
	return c
}

func newImportRetailCommand() *cobra.Command {
	var log logFlags
	var api apiAddress
	var actor, clickHouse, rejects string
	c := &cobra.Command{
		Use:   "online-retail FILE",
		Short: "Import the UCI Online Retail data set and reconcile it",
		Long: `Import the UCI Online Retail data set (.csv, .gz or .xz) through the API. Then
compare the file with the log, read from its start, and with ClickHouse: month
by month, country by country, exactly.

Invoices become orders, at their own time. Invoices that begin with C become
credit notes. Other rows with a negative quantity become stock adjustments.
What cannot be imported is written to the rejects file, with the reason.

If the command is ended early, run it again: it goes on where it stopped, and
adds nothing twice. The exit status is 1 when a figure differs.`,
		Example: "  holdfast dev &\n  holdfast import online-retail online_retail.csv.xz",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rejects == "" {
				name, _, _ := strings.Cut(filepath.Base(args[0]), ".")
				rejects = name + ".rejects.csv"
			}
			return importRetail(cmd, &log, args[0], api.client().As(actor), clickHouse, rejects)
		},
	}
	api.add(c)
	actorFlag(c, &actor)
	log.add(c)
	clickHouseFlag(c, &clickHouse, "`URL` of ClickHouse for the reconciliation, or off")
	c.Flags().StringVar(&rejects, "rejects", "",
		"`FILE` for what is not imported (default: the name of the imported file with .rejects.csv, in this folder)")
	return c
}

func importRetail(
	cmd *cobra.Command, where *logFlags, file string, api *client.Client, clickHouse, rejects string,
) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	log, err := where.open(cmd)
	if err != nil {
		return err
	}
	defer log.Close()
	var mirror *analytics.Reports
	if clickHouse != noClickHouse {
		conn, err := openClickHouse(ctx, clickHouse)
		if err != nil {
			return err
		}
		defer conn.Close()
		mirror = analytics.NewReports(conn)
	}
	fmt.Fprintf(out, "Importing %s\n", file)
	book, err := retail.ReadFile(file)
	if err != nil {
		return err
	}
	job := importJob{
		book: book, client: api, log: log, mirror: mirror,
		rejects: rejects, out: out, progress: cmd.ErrOrStderr(),
	}
	r, err := job.run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nReconciliation\n\n")
	if err := r.WriteText(out); err != nil {
		return err
	}
	if !r.OK() {
		return exitStatus(1)
	}
	return nil
}
