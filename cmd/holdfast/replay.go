package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// How a replay that somebody waited for has ended, as exit status. 1 is an error, as everywhere.
const (
	replayEnded  exitStatus = 3 // cancelled or discarded
	replayFailed exitStatus = 4 // its verification found what must not be
)

const replayEndings = `The exit status is 0 when it is filled (staged, live or former), 3 when it was
cancelled or discarded, 4 when its verification failed, and 1 on an error, or
when it was to go live by itself and could not.`

func newReplayCommand() *cobra.Command {
	api := &apiFlags{}
	c := &cobra.Command{
		Use:   "replay",
		Short: "Compute insights over the history, watch it, put them live",
		Long: `Compute insights over the history: create replays, watch them, put them live.

A replay goes through the history up to where the log ended when it was created,
and is kept up to date after that. An ID may be abbreviated.`,
	}
	api.add(c)
	c.AddCommand(newReplayCreateCommand(api), newReplayListCommand(api), newReplayShowCommand(api),
		newReplayWaitCommand(api), newReplayLogCommand(api))
	c.AddCommand(replayActions(api)...)
	return c
}

func newReplayCreateCommand(api *apiFlags) *cobra.Command {
	var body client.CreateReplay
	var source, from, to, actor string
	var wait bool
	c := &cobra.Command{
		Use:   "create [FILE]",
		Short: "Compute a definition, or a live insight, over the history",
		Long: `Compute the definition in a file, or with --insight one that is live once more,
over the history. With --promote it goes live by itself once it is filled and
verified. With --wait the command watches it.
` + replayEndings,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 1 {
				text, err := os.ReadFile(files[0])
				if err != nil {
					return fmt.Errorf("read a definition: %w", err)
				}
				body.Definition = string(text)
			}
			if (body.Definition == "") == (body.Insight == "") {
				return errors.New("replay create: name a file with a definition, or an insight with --insight")
			}
			body.Source, body.From, body.To = client.CreateReplaySource(source), from, to
			answer, err := api.client().As(actor).CreateReplay(cmd.Context(), body)
			if err != nil {
				return explainDefinition(cmd, files, err)
			}
			if wait {
				return waitForReplay(cmd, api, answer.Value.ReplayID)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "replay %s of insight %s is %s\n", answer.Value.ReplayID, answer.Value.Insight,
					answer.Value.Phase)
				return err
			})
		},
	}
	flags := c.Flags()
	flags.StringVar(&body.Insight, "insight", "", "`NAME` of an insight that is live")
	flags.StringVar(&source, "source", "", "take the rows from `mirror` (default), or from the log itself: kafka")
	flags.StringVar(&from, "from", "", "leave out what was before this `TIME`, such as 2011-01-01")
	flags.StringVar(&to, "to", "", "leave out what was from this `TIME` on")
	flags.StringVar(&body.UpTo, "up-to", "", "leave out events from this `POSITION` on")
	flags.Int64Var(&body.EventsPerSecond, "events-per-second", 0, "fill it at most so fast; 0: as fast as it can")
	flags.BoolVar(&body.Promote, "promote", false, "it goes live by itself once it is filled and verified")
	flags.BoolVar(&body.Force, "force", false, "create it although the start of the log was deleted")
	flags.BoolVar(&wait, "wait", false, "watch it until nothing more becomes of it by itself")
	actorFlag(c, &actor)
	completeFlag(c, "source", "mirror", "kafka")
	return c
}

func newReplayListCommand(api *apiFlags) *cobra.Command {
	var filter client.ReplayFilter
	var phase string
	c := &cobra.Command{
		Use:   "ls",
		Short: "List replays, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter.Phase = client.ReplayPhase(phase)
			answer, err := api.client().Replays(cmd.Context(), filter)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeReplays(w, &answer.Value)
			})
		},
	}
	c.Flags().StringVar(&filter.Insight, "insight", "", "only those of this insight `NAME`")
	c.Flags().StringVar(&phase, "phase", "", "only those in this `PHASE`: "+enumerate(replayPhases, "or"))
	c.Flags().IntVar(&filter.Limit, "limit", 20, "how many to list, at most 500")
	c.Flags().StringVar(&filter.Cursor, "cursor", "", "the next page: the `CURSOR` that the page before ends with")
	completeFlag(c, "phase", replayPhases...)
	return c
}

// replayPhases are those that a list can be filtered by, in the order in which a replay has them.
var replayPhases = []string{
	string(client.ReplayPhaseQueued), string(client.ReplayPhaseFilling), string(client.ReplayPhasePaused),
	string(client.ReplayPhaseStaged), string(client.ReplayPhaseLive), string(client.ReplayPhaseFormer),
	string(client.ReplayPhaseCancelled), string(client.ReplayPhaseDiscarded),
}

func newReplayShowCommand(api *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show how far a replay is, and what its verification found",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := findReplay(cmd.Context(), api.client(), args[0])
			if err != nil {
				return explainRefusal(cmd, err)
			}
			answer, err := api.client().Replay(cmd.Context(), id)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeReplay(w, &answer.Value)
			})
		},
	}
}

func newReplayLogCommand(api *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "log ID",
		Short: "Show who decided what about a replay, and why",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := findReplay(cmd.Context(), api.client(), args[0])
			if err != nil {
				return explainRefusal(cmd, err)
			}
			answer, err := api.client().ReplayLog(cmd.Context(), id)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				t := newTable(w)
				fmt.Fprintln(t, "AT\tDECISION\tBY\tREASON")
				for _, d := range answer.Value.Items {
					decision := string(d.Type)
					if d.Forced {
						decision += ", forced"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", formatTime(d.At), decision, d.By.Name, d.Reason)
				}
				return t.Flush()
			})
		},
	}
}

// replayIDLength is how long an ID is that is not abbreviated.
const replayIDLength = 36

// findReplay finds the ID that an abbreviation stands for.
func findReplay(ctx context.Context, c *client.Client, prefix string) (string, error) {
	if len(prefix) >= replayIDLength {
		return prefix, nil
	}
	var found []string
	for filter := (client.ReplayFilter{Limit: 500}); ; {
		page, err := c.Replays(ctx, filter)
		if err != nil {
			return "", err
		}
		for _, r := range page.Value.Items {
			if strings.HasPrefix(r.ReplayID, strings.ToLower(prefix)) {
				found = append(found, r.ReplayID)
			}
		}
		if filter.Cursor = page.Value.NextCursor; filter.Cursor == "" {
			break
		}
	}
	switch {
	case len(found) == 0:
		return "", fmt.Errorf("no replay has an ID that begins with %s: holdfast replay ls lists them", prefix)
	case len(found) > 1:
		return "", fmt.Errorf("%d replays have IDs that begin with %s: %s", len(found), prefix,
			strings.Join(found[:min(len(found), 5)], ", "))
	}
	return found[0], nil
}

// replayActions are the commands that decide about a replay.
func replayActions(api *apiFlags) (commands []*cobra.Command) {
	for _, action := range []struct {
		action client.ReplayAction
		short  string
	}{
		{client.PauseReplay, "Stop the filling of a replay for now"},
		{client.ResumeReplay, "Go on with a replay that is paused"},
		{client.CancelReplay, "End a replay that is not filled yet, and drop its table"},
		{client.VerifyReplay, "Compare a replay with the live version and with the raw log"},
		{client.PromoteReplay, "Make a replay live; the one that was live can come back"},
		{client.RollBackReplay, "Put the former version in the place of this replay, which is live"},
		{client.DiscardReplay, "Drop the table of a replay that is staged or former"},
	} {
		commands = append(commands, newReplayActionCommand(api, action.action, action.short))
	}
	return commands
}

func newReplayActionCommand(api *apiFlags, action client.ReplayAction, short string) *cobra.Command {
	var decide client.Decide
	var actor string
	c := &cobra.Command{
		Use:   string(action) + " ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := findReplay(cmd.Context(), api.client(), args[0])
			if err != nil {
				return explainRefusal(cmd, err)
			}
			answer, err := api.client().As(actor).DecideReplay(cmd.Context(), id, action, decide)
			if problem, ok := errors.AsType[*client.Problem](err); ok && problem.Forceable {
				return fmt.Errorf("%w\n  --force does it nevertheless", explainRefusal(cmd, err))
			}
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "replay %s of insight %s is %s\n", id, answer.Value.Insight, phaseOf(&answer.Value))
				return err
			})
		},
	}
	c.Flags().StringVar(&decide.Reason, "reason", "", "why, in `WORDS` that stay in the log")
	c.Flags().BoolVar(&decide.Force, "force", false, "do it where the refusal says that force does")
	actorFlag(c, &actor)
	return c
}

// phaseOf is the phase of a replay, and what is under way in it.
func phaseOf(r *client.Replay) string {
	switch {
	case r.Stalled != "":
		return string(r.Phase) + ", stalled"
	case r.Verifying:
		return string(r.Phase) + ", verifying"
	}
	return string(r.Phase)
}

func writeReplays(w io.Writer, page *client.ReplayPage) error {
	t := newTable(w)
	fmt.Fprintln(t, "REPLAY\tINSIGHT\tVERSION\tPHASE\tCREATED\tBY")
	for i := range page.Items {
		r := &page.Items[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ReplayID, r.Insight, r.Fingerprint, phaseOf(r),
			formatTime(r.CreatedAt), r.By.Name)
	}
	if err := t.Flush(); err != nil || page.NextCursor == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "more: --cursor %s\n", page.NextCursor)
	return err
}

func writeReplay(w io.Writer, r *client.Replay) error {
	limits := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return formatTime(t)
	}
	throttle, filled := "", ""
	if r.EventsPerSecond > 0 {
		throttle = count(r.EventsPerSecond) + " events/s"
	}
	if r.Filled.Events > 0 {
		filled = fmt.Sprintf("%s events in %.1f s", count(r.Filled.Events), r.Filled.Seconds)
	}
	err := writeFields(w,
		field{"replay", r.ReplayID},
		field{"insight", r.Insight},
		field{"version", r.Fingerprint},
		field{"phase", phaseOf(r)},
		field{"stalled", r.Stalled},
		field{"source", string(r.Source)},
		field{"from", limits(r.From)},
		field{"to", limits(r.To)},
		field{"up to", r.UpTo},
		field{"throttle", throttle},
		field{"created", formatTime(r.CreatedAt) + " by " + r.By.Name},
		field{"filled", filled},
		field{"promoted", limits(r.PromotedAt)},
		field{"verified", verdict(r)},
		field{"position", r.Progress.Position},
		field{"progress", r.ProgressProblem},
	)
	if err != nil {
		return err
	}
	t := newTable(w)
	fmt.Fprintln(t, "\nPARTITION\tNEXT\tTARGET")
	for _, p := range r.Progress.Partitions {
		if p.Target > 0 {
			fmt.Fprintf(t, "%s/%d\t%s\t%s\n", p.Topic, p.Partition, count(p.Next), count(p.Target))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeVerification(w, &r.Verified)
}

// verdict is the result of a verification in a line.
func verdict(r *client.Replay) string {
	v := &r.Verified
	switch {
	case v.Position == "" && v.Problem == "" && !v.Green:
		return ""
	case !v.Green:
		return "failed: " + v.Problem
	}
	text := fmt.Sprintf("%d keys compared with the log", v.Sampled)
	if v.Against != "" {
		text += fmt.Sprintf(", %s of %s rows differ from the live version", count(v.Different), count(v.Rows))
	}
	return text
}

// writeVerification shows where a replay differs from the live version and from the log.
func writeVerification(w io.Writer, v *client.ReplayVerified) error {
	t := newTable(w)
	if len(v.Periods) > 0 {
		fmt.Fprintln(t, "\nMONTH\tROWS\tDIFFERENT")
		for _, p := range v.Periods {
			fmt.Fprintf(t, "%s\t%s\t%s\n", p.Month, count(p.Rows), count(p.Different))
		}
	}
	for _, part := range []struct {
		heading string
		rows    []client.ReplayDifference
	}{
		{"\nDIFFERENT KEY\tREPLAY\tLIVE", v.Examples}, {"\nWRONG KEY\tREPLAY\tLOG", v.WrongExamples},
	} {
		if len(part.rows) > 0 {
			fmt.Fprintln(t, part.heading)
		}
		for _, d := range part.rows {
			fmt.Fprintf(t, "%s\t%s\t%s\n", pairs(d.Key), orDash(pairs(d.Staged)), orDash(pairs(d.Other)))
		}
	}
	return t.Flush()
}

// pairs are names with values, such as month=2011-01 sku=A1.
func pairs(values map[string]string) string {
	var texts []string
	for name, value := range values {
		texts = append(texts, name+"="+value)
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}
