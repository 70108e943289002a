package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

const (
	// watchLineEvery is how often a line is written without a change where there is no terminal.
	watchLineEvery = 5 * time.Second
	// watchBars is how many partitions have a bar of their own, and watchBarWidth how wide a bar is.
	watchBars     = 16
	watchBarWidth = 24
)

func newReplayWaitCommand(api *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "wait ID",
		Short: "Watch a replay until nothing more becomes of it by itself",
		Long: `Watch a replay until nothing more becomes of it by itself: on a terminal with a
bar for each partition, elsewhere with a line for each change, and every 5 s.
` + replayEndings,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := findReplay(cmd.Context(), api.client(), args[0])
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return waitForReplay(cmd, api, id)
		},
	}
}

// waitForReplay watches a replay. How it has ended is the error.
func waitForReplay(cmd *cobra.Command, api *apiFlags, id string) error {
	last, err := watchReplay(cmd, api, id)
	if err != nil {
		return err
	}
	if api.output == outputJSON {
		if err := writeJSON(cmd.OutOrStdout(), last); err != nil {
			return err
		}
	}
	return endingOf(last)
}

// watchReplay shows a replay until nothing more becomes of it by itself, on stderr.
func watchReplay(cmd *cobra.Command, api *apiFlags, id string) (*client.Replay, error) {
	last, err := followReplay(cmd.Context(), api.client(), cmd.ErrOrStderr(), id)
	if err != nil {
		return nil, explainRefusal(cmd, err)
	}
	return last, nil
}

// followReplay shows a replay on out until nothing more becomes of it by itself.
func followReplay(ctx context.Context, api *client.Client, out io.Writer, id string) (*client.Replay, error) {
	var last *client.Replay
	watch := &replayWatch{out: out, terminal: isTerminal(out)}
	err := api.FollowReplay(ctx, id, func(r *client.Replay) {
		last = r
		watch.show(r)
	})
	return last, err
}

// endingOf is the exit status for how a replay has ended.
func endingOf(r *client.Replay) error {
	switch {
	case r.Phase == client.ReplayPhaseCancelled || r.Phase == client.ReplayPhaseDiscarded:
		return replayEnded
	case r.Phase == client.ReplayPhasePaused:
		return fmt.Errorf("replay %s is paused: holdfast replay resume %.8s goes on with it", r.ReplayID, r.ReplayID)
	case r.Phase == client.ReplayPhaseStaged && r.Verified.Problem != "":
		return replayFailed
	case r.Phase == client.ReplayPhaseStaged && goesLiveByItself(r):
		return fmt.Errorf("replay %s was to go live by itself, and is staged: holdfast replay promote %.8s says why",
			r.ReplayID, r.ReplayID)
	}
	return nil
}

// goesLiveByItself reports whether a replay that is not live is to go live without a decision of anybody. That happens
// once: what was live before comes back only by a decision.
func goesLiveByItself(r *client.Replay) bool { return r.Promote && r.PromotedAt.IsZero() }

// replayWatch shows a replay as it goes on.
type replayWatch struct {
	out      io.Writer
	terminal bool
	drawn    int    // lines that are overwritten next
	told     string // what was last said, figures left out
	next     time.Time
}

func (w *replayWatch) show(r *client.Replay) {
	if w.terminal {
		if r.Stalled != "" && r.Stalled != w.told { // in full, and no later line writes over it
			w.draw(nil)
			fmt.Fprintf(w.out, "%s %.8s is stalled: %s\n", r.Insight, r.ReplayID, r.Stalled)
		}
		if w.told = r.Stalled; r.Idle {
			w.draw(nil)
			fmt.Fprintln(w.out, watchLine(r))
			return
		}
		w.draw(append([]string{watchLine(r)}, watchPartitions(r)...))
		return
	}
	state := phaseOf(r) + r.Stalled
	if now := time.Now(); state != w.told || now.After(w.next) || r.Idle {
		w.told, w.next = state, now.Add(watchLineEvery)
		fmt.Fprintln(w.out, watchLine(r))
	}
}

// draw writes lines over those before. A line that is longer than a terminal is wide would not be overwritten.
func (w *replayWatch) draw(lines []string) {
	var b strings.Builder
	if w.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", w.drawn)
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "\r%.*s\x1b[K\n", startColumns, line)
	}
	b.WriteString("\x1b[J")
	w.drawn = len(lines)
	fmt.Fprint(w.out, b.String())
}

// watchLine says how far a replay is, such as
// "units 0d9f8a52: filling, 4,000 of 8,342 events, 51,234 events/s, 1s left".
func watchLine(r *client.Replay) string {
	p := &r.Progress
	parts := []string{string(r.Phase)}
	switch {
	case r.Phase == client.ReplayPhaseFilling || r.Phase == client.ReplayPhasePaused:
		parts = append(parts, count(p.Done)+" of "+count(p.Total)+" events")
		if p.EventsPerSecond > 0 {
			parts = append(parts, count(int64(p.EventsPerSecond))+" events/s")
		}
		if p.RemainingSeconds > 0 {
			parts = append(parts, remaining(p.RemainingSeconds)+" left")
		}
	case r.Filled.Events > 0:
		parts = append(parts, fmt.Sprintf("%s events in %.1f s", count(r.Filled.Events), r.Filled.Seconds))
	}
	if r.Verifying {
		parts = append(parts, "verifying")
	} else if text := verdict(r); text != "" {
		parts = append(parts, "verified: "+text)
	}
	if r.Stalled != "" {
		parts = append(parts, "stalled: "+r.Stalled)
	}
	if r.ProgressProblem != "" {
		parts = append(parts, r.ProgressProblem)
	}
	return fmt.Sprintf("%s %.8s: %s", r.Insight, r.ReplayID, strings.Join(parts, ", "))
}

func remaining(seconds float64) string {
	return time.Duration(seconds*float64(time.Second) + float64(time.Second)/2).Truncate(time.Second).String()
}

// watchPartitions are the bars of the partitions that have a history.
func watchPartitions(r *client.Replay) (lines []string) {
	if r.Phase != client.ReplayPhaseFilling && r.Phase != client.ReplayPhasePaused {
		return nil
	}
	var more int
	for _, p := range r.Progress.Partitions {
		if p.Target == 0 {
			continue
		}
		if len(lines) == watchBars {
			more++
			continue
		}
		filled := int(watchBarWidth * p.Next / p.Target)
		lines = append(lines, fmt.Sprintf("  %-20s %s%s %3d%%  %s of %s", fmt.Sprintf("%s/%d", p.Topic, p.Partition),
			strings.Repeat("█", filled), strings.Repeat("░", watchBarWidth-filled), 100*p.Next/p.Target, count(p.Next),
			count(p.Target)))
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more partitions", more))
	}
	return lines
}
