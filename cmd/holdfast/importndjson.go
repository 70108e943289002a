package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/ndjson"
	"github.com/holdfast/holdfast/pkg/client"
)

func newImportNDJSONCommand() *cobra.Command {
	var url, rejects string
	c := &cobra.Command{
		Use:   "ndjson FILE",
		Short: "Send a file of commands, one JSON object a line (plain, .gz, .xz, or - for the standard input)",
		Long: "Send a file of commands through the API, one JSON object a line, as POST /v1/commands takes them. " +
			"Commands on one" + `
order or item run in the order of their lines.

  {"id":"r-1","type":"register_item","sku":"A1","body":{"description":"White hanging heart"}}
  {"id":"r-2","type":"receive_stock","sku":"A1","body":{"quantity":5,"reference":"PO-1"}}
  {"id":"o-1","type":"place_order","body":{"customer_id":"c-1","currency":"GBP",` +
			`"lines":[{"sku":"A1","quantity":2,"unit_price":"2.55"}]}}

The types and bodies are those of CommandLine in schemas/openapi.yaml.

The id is the line's idempotency key, so the same command goes on where it was ended early, and run again it adds
nothing. A line without an id gets one from the content of the whole file and its number: the same file is recognised,
compressed or not, but an edited one is another file, and such lines in it are done again. A line that changed nothing
when it was sent leaves nothing to be recognised by.

Lines that are refused, and those that are no JSON or over 1 MiB, go to the rejects file with their number, id, text and
problem; each run writes it anew. The status is then 1. What is refused for now (429, 503) is sent again with its id.`,
		Example: "  holdfast import ndjson commands.ndjson.gz\n" +
			"  generate-commands | holdfast import ndjson - --rejects refused.ndjson",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rejects == "" {
				rejects = rejectsFile(args[0])
			}
			return importNDJSON(cmd, args[0], url, rejects)
		},
	}
	urlFlag(c, &url)
	c.Flags().StringVar(&rejects, "rejects", "",
		"file for what is not accepted (default FILE's name with .rejects.ndjson, beside it)")
	return c
}

// rejectsFile is the default rejects file of a file.
func rejectsFile(path string) string {
	if path == ndjson.Stdin {
		return "stdin.rejects.ndjson"
	}
	for _, ending := range []string{".gz", ".xz", ".ndjson", ".jsonl"} {
		path = strings.TrimSuffix(path, ending)
	}
	return path + ".rejects.ndjson"
}

func importNDJSON(cmd *cobra.Command, path, url, rejects string) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if filepath.Clean(path) == filepath.Clean(rejects) {
		return errors.New("--rejects names the file that is read; name another")
	}
	api := client.New(url)
	if err := pingAPI(ctx, api); err != nil {
		return fmt.Errorf("no API answers at %s; --url names another one: %w", url, err)
	}
	file, err := ndjson.Open(path, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rejected, err := os.Create(rejects)
	if err != nil {
		return fmt.Errorf("write rejects, --rejects names another file: %w", err)
	}
	start := time.Now()
	bar := newImportProgress(cmd.ErrOrStderr(), file.Lines, "lines")
	importer := &ndjson.Importer{Client: api, Rejects: rejected, Progress: bar.show}
	summary, err := importer.Import(ctx, file)
	bar.close()
	if err = errors.Join(err, rejected.Close()); err == nil && summary.Rejected == 0 {
		err = os.Remove(rejects)
	}
	writeImported(out, summary, file.Lines, time.Since(start), rejects)
	if err != nil {
		return err
	}
	if summary.Rejected > 0 {
		return exitStatus(1)
	}
	return nil
}

// pingAPI makes sure that an API answers. It sends a stream without commands, which has no results.
func pingAPI(ctx context.Context, api *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	_, err := api.Outcomes(ctx, nil, strings.NewReader(""))
	return err
}

func writeImported(out io.Writer, s ndjson.Summary, lines int, took time.Duration, rejects string) {
	fmt.Fprintf(out, "%s lines read in %.1f s: %s accepted",
		count(int64(s.Read)), took.Seconds(), count(int64(s.Accepted)))
	if s.Repeated > 0 {
		fmt.Fprintf(out, " (%s of them were there already)", count(int64(s.Repeated)))
	}
	if s.Rejected > 0 {
		fmt.Fprintf(out, ", %s rejected, see %s", count(int64(s.Rejected)), rejects)
	}
	fmt.Fprintln(out)
	for _, code := range slices.Sorted(maps.Keys(s.Codes)) {
		fmt.Fprintf(out, "  %s × %s\n", count(int64(s.Codes[code])), code)
	}
	if left := lines - s.Accepted - s.Rejected; left > 0 {
		fmt.Fprintf(out,
			"%s lines have no outcome; run the same command again, it goes on there\n", count(int64(left)))
	}
}
