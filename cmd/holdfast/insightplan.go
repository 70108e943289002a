package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/schemas/insights"
)

// somethingToDo is the exit status of a plan that has something to do.
const somethingToDo exitStatus = 2

// definitionFiles are the definitions that a command is about.
type definitionFiles struct {
	ready bool
	one   bool     // more than one are refused
	names []string // of the files, in the order of the request
}

func (f *definitionFiles) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.ready, "ready", false, "the insights that come with the program, instead of files")
}

// read reads files, and the .yaml and .yml files of folders.
func (f *definitionFiles) read(paths []string) (client.PlanRequest, error) {
	texts := map[string][]byte{}
	var err error
	switch {
	case f.ready && len(paths) > 0 || !f.ready && len(paths) == 0:
		return client.PlanRequest{}, errors.New("name files or folders with definitions, or --ready alone")
	case f.ready:
		texts, err = insights.Ready()
	default:
		err = readDefinitions(texts, paths)
	}
	if err != nil {
		return client.PlanRequest{}, err
	}
	f.names = slices.Sorted(maps.Keys(texts))
	if f.one && len(f.names) > 1 {
		return client.PlanRequest{}, fmt.Errorf("%s has %d definitions, and one is compared at a time: name its file",
			paths[0], len(f.names))
	}
	var request client.PlanRequest
	for _, name := range f.names {
		request.Definitions = append(request.Definitions, client.PlanFile{File: name, Definition: string(texts[name])})
	}
	return request, nil
}

func readDefinitions(texts map[string][]byte, paths []string) error {
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			entries, err := os.ReadDir(path)
			if err != nil {
				return fmt.Errorf("read a folder of definitions: %w", err)
			}
			files = definitionsIn(path, entries)
			if len(files) == 0 {
				return fmt.Errorf("the folder %s has no .yaml files", path)
			}
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("read a definition: %w", err)
			}
			texts[file] = text
		}
	}
	return nil
}

func definitionsIn(folder string, entries []fs.DirEntry) (files []string) {
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	return files
}

// plan asks the API what it takes to make the definitions live.
func (f *definitionFiles) plan(
	cmd *cobra.Command, api *apiFlags, paths []string,
) (*client.Plan, client.PlanRequest, error) {
	request, err := f.read(paths)
	if err != nil {
		return nil, request, err
	}
	answer, err := api.client().PlanInsights(cmd.Context(), request)
	if err != nil {
		return nil, request, explainDefinition(cmd, f.names, err)
	}
	return &answer.Value, request, nil
}

// explainDefinition words a refusal. Faults of definitions have their file and line.
func explainDefinition(cmd *cobra.Command, files []string, err error) error {
	problem, ok := errors.AsType[*client.Problem](err)
	if !ok || problem.Code != "invalid_definition" {
		return explainRefusal(cmd, err)
	}
	for _, fault := range problem.Errors {
		place, pointer := strings.Join(files, " "), strings.TrimPrefix(fault.Pointer, "/")
		if rest, ok := strings.CutPrefix(pointer, "definitions/"); ok {
			number, member, _ := strings.Cut(rest, "/")
			if i, err := strconv.Atoi(number); err == nil && i < len(files) {
				place, pointer = files[i], member
			}
		}
		if fault.Line > 0 {
			place += ":" + strconv.Itoa(fault.Line)
		}
		if pointer != "" {
			place += ": " + strings.ReplaceAll(pointer, "/", ".")
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", place, fault.Detail)
	}
	return exitStatus(1)
}

func newInsightPlanCommand() *cobra.Command {
	api, files := &apiFlags{}, &definitionFiles{}
	c := &cobra.Command{
		Use:   "plan FILE|FOLDER...",
		Short: "Say what it takes to make definitions live, and change nothing",
		Long: `Compare definitions with what is live, and change nothing. A definition is new;
unchanged, where the same is computed; additive, where readers of today get the
same rows and values; or changed, which may break them. Whatever the change is,
a replay computes all measures over the history, in a table of its own. Time and
disk are those of the insight's newest replay, or of a part of the history that
is computed to find out; where that takes too long, they are not known. The exit
status is 2 when there is something to do, and 0 when not.`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			plan, _, err := files.plan(cmd, api, paths)
			if err != nil {
				return err
			}
			err = api.print(cmd.OutOrStdout(), plan, func(w io.Writer) error { return writePlan(w, plan) })
			if err == nil && len(toDo(plan)) > 0 {
				return somethingToDo
			}
			return err
		},
	}
	api.add(c)
	files.add(c)
	return c
}

// toDo are the numbers of the items that something has to be done for.
func toDo(plan *client.Plan) (numbers []int) {
	for i := range plan.Items {
		if plan.Items[i].Change != client.ChangeNone {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

func writePlan(w io.Writer, plan *client.Plan) error {
	t := newTable(w)
	fmt.Fprintln(t, "INSIGHT\tCHANGE\tLIVE\tFILE\tROWS\tEVENTS\tTIME\tDISK\tESTIMATED BY")
	for i := range plan.Items {
		item := &plan.Items[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", item.Insight, item.Change, orDash(item.LiveFingerprint), item.Fingerprint,
			estimateColumns(item))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range plan.Items {
		if err := writeDifferences(w, &plan.Items[i]); err != nil {
			return err
		}
	}
	if len(plan.WithoutFile) > 0 && len(plan.Items) > 1 { // of one file nobody wants to know
		fmt.Fprintf(w, "\nLive, and in none of the files: %s\n", strings.Join(plan.WithoutFile, ", "))
	}
	if n := len(toDo(plan)); n == 0 {
		fmt.Fprintln(w, "\nThere is nothing to do.")
	} else {
		fmt.Fprintf(w, "\n%d of %d to compute.\n", n, len(plan.Items))
	}
	return nil
}

func estimateColumns(item *client.PlanItem) string {
	e := &item.Estimate
	by := string(e.Basis)
	switch e.Basis {
	case "":
		return "\t\t\t\t"
	case client.BasisNothing:
	case client.BasisReplay:
		by += fmt.Sprintf(" %.8s", e.ReplayID)
	case client.BasisSample:
		by += " of " + count(e.SampleOffsets) + " events"
	case client.BasisUnknown:
		return fmt.Sprintf("%s\t%s\t-\t-\t%s", count(e.SourceRows), count(e.Offsets), "no sample in time")
	}
	took := time.Duration(e.Seconds * float64(time.Second)).Round(100 * time.Millisecond)
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", count(e.SourceRows), count(e.Offsets), took, formatBytes(e.Bytes), by)
}

// formatBytes is a size, such as 1.5 MiB.
func formatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size := float64(n)
	for i, unit := range units {
		if size < 1024 || i == len(units)-1 {
			if i == 0 {
				return strconv.FormatInt(n, 10) + " B"
			}
			return fmt.Sprintf("%.1f %s", size, unit)
		}
		size /= 1024
	}
	return ""
}

// writeDifferences shows what differs, field by field.
func writeDifferences(w io.Writer, item *client.PlanItem) error {
	if len(item.Differences) == 0 && item.Pending.ReplayID == "" {
		return nil
	}
	fmt.Fprintf(w, "\n%s, %s:\n", item.Insight, item.Change)
	for _, d := range item.Differences {
		switch {
		case d.Live == "":
			fmt.Fprintf(w, "  + %s: %s\n", d.Field, d.File)
		case d.File == "":
			fmt.Fprintf(w, "  - %s: %s\n", d.Field, d.Live)
		default:
			fmt.Fprintf(w, "  ~ %s: %s\n    %s  %s\n", d.Field, d.Live, strings.Repeat(" ", len(d.Field)), d.File)
		}
	}
	if item.Change == client.ChangeNone {
		fmt.Fprintln(w, "  The same is computed. holdfast replay create FILE --promote makes the new words live.")
	}
	if item.Pending.ReplayID != "" {
		fmt.Fprintf(w, "  The replay %.8s of this version is %s.\n", item.Pending.ReplayID, item.Pending.Phase)
	}
	return nil
}

func newInsightDiffCommand() *cobra.Command {
	api, files := &apiFlags{}, &definitionFiles{one: true}
	var data bool
	c := &cobra.Command{
		Use:   "diff FILE",
		Short: "Show what differs between a definition and what is live",
		Long: `Show what differs between a definition and what is live, field by field. With
--data also which keys have other measures in a replay of this version that was
verified (holdfast replay verify).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			plan, _, err := files.plan(cmd, api, paths)
			if err != nil {
				return err
			}
			item := &plan.Items[0]
			var verified *client.Replay
			if data {
				if verified, err = newestVerified(cmd, api, item); err != nil {
					return err
				}
			}
			return api.print(cmd.OutOrStdout(), item, func(w io.Writer) error {
				if len(item.Differences) == 0 {
					fmt.Fprintf(w, "%s, %s\n", item.Insight, item.Change)
				}
				if err := writeDifferences(w, item); err != nil || verified == nil {
					return err
				}
				fmt.Fprintf(w, "\nreplay %s: %s\n", verified.ReplayID, verdict(verified))
				return writeVerification(w, &verified.Verified)
			})
		},
	}
	api.add(c)
	c.Flags().BoolVar(&data, "data", false, "show what a verification has found, too")
	return c
}

// newestVerified is the newest replay of a version that was verified.
func newestVerified(cmd *cobra.Command, api *apiFlags, item *client.PlanItem) (*client.Replay, error) {
	page, err := api.client().Replays(cmd.Context(), client.ReplayFilter{Insight: item.Insight, Limit: 500})
	if err != nil {
		return nil, explainRefusal(cmd, err)
	}
	for i := range page.Value.Items {
		if r := &page.Value.Items[i]; r.Fingerprint == item.Fingerprint && verdict(r) != "" {
			return r, nil
		}
	}
	return nil, fmt.Errorf("no replay of %s, version %s, was verified: holdfast replay create FILE, then verify it",
		item.Insight, item.Fingerprint)
}

func newInsightDropCommand() *cobra.Command {
	api := &apiFlags{}
	var decide client.Decide
	var actor string
	var yes bool
	c := &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop an insight with all its replays and tables",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := confirm(cmd, yes, "Drop the insight "+args[0]+" with all its replays?"); err != nil {
				return err
			}
			if err := api.client().As(actor).DropInsight(cmd.Context(), args[0], decide); err != nil {
				return explainRefusal(cmd, err)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "insight %s is dropped\n", args[0])
			return err
		},
	}
	api.add(c)
	c.Flags().StringVar(&decide.Reason, "reason", "", "why, in `WORDS` that stay in the log")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	actorFlag(c, &actor)
	return c
}

// confirm asks whether something is to be done. The error says that it is not.
func confirm(cmd *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	fmt.Fprint(cmd.ErrOrStderr(), question+" [y/N] ")
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errors.New("nobody answered, so that nothing was done: --yes does it without a question")
	}
	return errors.New("nothing was done")
}
