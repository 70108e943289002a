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
	"github.com/holdfast/holdfast/pkg/problem"
)

func newImportNDJSONCommand() *cobra.Command {
	var address apiAddress
	var actor, rejects string
	c := &cobra.Command{
		Use:   "ndjson FILE",
		Short: "Send a file of commands, one JSON object on each line",
		Long: `Send a file of commands through POST /v1/commands, one JSON object on each
line. The file is plain, .gz or .xz; - is the standard input. Commands on the
same order or item run in the order of their lines:

  {"id":"r-1","type":"receive_stock","sku":"A1","body":{"quantity":5}}
  {"id":"o-1","type":"place_order","body":{…}}
  {"id":"s-1","type":"ship_order","order_key":"o-1"}
  {"id":"d-1","type":"deliver_order","order_key":"o-1",
   "body":{"fulfilment_key":"s-1"}}                        (on one line)

A line names an order by order_id, or by order_key: the id of the line that
places it. fulfilment_key and return_key likewise name what a line made.
The types and their bodies are those of CommandLine in schemas/openapi.yaml.

The id of a line is its idempotency key. If the command is ended early, run it
again: it goes on where it stopped, and adds nothing twice. A line without an
id gets one from the content of the whole file and its own number. So lines
without an id are done again after the file was edited: a warning says how
many there are.

A line that is refused, is not JSON, or is longer than 1 MiB goes to the
rejects file with its number, id, text and problem; each run writes a new
rejects file, and the exit status is 1. A line that the platform is too busy
for (429, 503) is sent again.`,
		Example: "  holdfast import ndjson commands.ndjson.gz\n" +
			"  generate-commands | holdfast import ndjson - --rejects refused.ndjson",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rejects == "" {
				rejects = rejectsFile(args[0])
			}
			return importNDJSON(cmd, args[0], &address, actor, rejects)
		},
	}
	address.add(c)
	actorFlag(c, &actor)
	c.Flags().StringVar(&rejects, "rejects", "",
		"`FILE` for lines that are refused (default: the name of the imported file with .rejects.ndjson, beside it)")
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

func importNDJSON(cmd *cobra.Command, path string, address *apiAddress, actor, rejects string) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if filepath.Clean(path) == filepath.Clean(rejects) {
		return errors.New("--rejects names the file that is read; name another")
	}
	api := address.client().As(actor)
	if err := pingAPI(ctx, api); err != nil {
		p, refused := errors.AsType[*client.Problem](err)
		if refused && slices.Contains([]string{
			problem.InvalidActor, problem.Unauthenticated, problem.InsufficientScope,
		}, p.Code) {
			return explainRefusal(cmd, err)
		}
		return fmt.Errorf("no API answers at %s; --url names another one: %w", address.url, err)
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
	warnUnnamed(cmd.ErrOrStderr(), file)
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

// warnUnnamed says that lines without ids are known by this very file alone.
func warnUnnamed(out io.Writer, file *ndjson.File) {
	if file.Unnamed > 0 {
		fmt.Fprintf(out, "warning: %s of %s lines have no id. In a file that differs in any byte they would be booked\n"+
			"a second time. Give each line an id before you edit, split or extend the file.\n",
			count(int64(file.Unnamed)), count(int64(file.Lines)))
	}
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
