package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// insightApply makes definitions live.
type insightApply struct {
	api       *apiFlags
	actor     string
	yes       bool
	wait      bool
	noPromote bool
}

func newInsightApplyCommand() *cobra.Command {
	a, files := &insightApply{api: &apiFlags{}}, &definitionFiles{}
	c := &cobra.Command{
		Use:   "apply FILE|FOLDER...",
		Short: "Compute definitions, verify them and make them live",
		Long: `Print the plan (holdfast insight plan), ask, compute over the history what is
not live, verify it and make it live. Where a replay of the same version is
there already, also one that was live before, it is taken. The command watches
them, unless --wait=false. It does not wait behind a replay that is paused.
The exit status is that of holdfast replay wait for the first that ended badly.`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			plan, request, err := files.plan(cmd, a.api, paths)
			if err != nil {
				return err
			}
			return a.apply(cmd, plan, &request)
		},
	}
	a.api.add(c)
	files.add(c)
	c.Flags().BoolVar(&a.yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&a.wait, "wait", true, "watch the replays until nothing more becomes of them by themselves")
	c.Flags().BoolVar(&a.noPromote, "no-promote", false, "leave them staged: holdfast replay promote makes them live")
	actorFlag(c, &a.actor)
	return c
}

func (a *insightApply) apply(cmd *cobra.Command, plan *client.Plan, request *client.PlanRequest) error {
	err := a.api.print(cmd.OutOrStdout(), plan, func(w io.Writer) error { return writePlan(w, plan) })
	numbers := toDo(plan)
	if err != nil || len(numbers) == 0 {
		return err
	}
	for _, i := range numbers { // nothing is begun before all can be
		if err := a.check(cmd, &plan.Items[i]); err != nil {
			return err
		}
	}
	if err := confirm(cmd, a.yes, "Do it?"); err != nil {
		return err
	}
	ids := make([]string, 0, len(numbers))
	for _, i := range numbers {
		id, err := a.begin(cmd, &plan.Items[i], request.Definitions[i].Definition)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if !a.wait {
		return nil
	}
	var ended error
	for _, id := range ids {
		if err := a.finish(cmd, id); err != nil {
			var status exitStatus
			if !errors.As(err, &status) {
				return err
			}
			if ended == nil {
				ended = err
			}
		}
	}
	return ended
}

// check says why an item cannot be applied as things are.
func (a *insightApply) check(cmd *cobra.Command, item *client.PlanItem) error {
	id, phase := item.Pending.ReplayID, item.Pending.Phase
	if id == "" || phase == client.ReplayPhaseQueued || phase == client.ReplayPhasePaused {
		if err := a.checkPaused(cmd, item); err != nil {
			return err
		}
	}
	if id == "" {
		return nil
	}
	answer, err := a.api.client().Replay(cmd.Context(), id)
	if err != nil {
		return explainRefusal(cmd, err)
	}
	switch goesLive := goesLiveByItself(&answer.Value); {
	case a.noPromote && goesLive:
		return fmt.Errorf("insight apply: replay %s computes this version and goes live by itself: leave out --no-promote, "+
			"or end it (holdfast replay cancel, or discard) and apply again", id)
	case !a.noPromote && !a.wait && !goesLive:
		return fmt.Errorf("insight apply: replay %s computes this version and does not go live by itself: "+
			"leave out --wait=false", id)
	}
	return nil
}

// checkPaused refuses to wait for a replay that is paused, or behind one: it could take for ever. Replays of an insight
// are filled one after the other.
func (a *insightApply) checkPaused(cmd *cobra.Command, item *client.PlanItem) error {
	answer, err := a.api.client().Replays(cmd.Context(),
		client.ReplayFilter{Insight: item.Insight, Phase: client.ReplayPhasePaused, Limit: 1})
	if err != nil {
		return explainRefusal(cmd, err)
	}
	if len(answer.Value.Items) == 0 {
		return nil
	}
	id, waits := answer.Value.Items[0].ReplayID, ""
	if id != item.Pending.ReplayID {
		waits = ", and the next one of " + item.Insight + " waits for it"
	}
	return fmt.Errorf("insight apply: replay %s is paused%s: holdfast replay resume %.8s goes on with it, cancel ends it",
		id, waits, id)
}

// begin creates the replay of an item, or takes the one that is there.
func (a *insightApply) begin(cmd *cobra.Command, item *client.PlanItem, text string) (string, error) {
	if id := item.Pending.ReplayID; id != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: the replay %s is %s\n", item.Insight, id, item.Pending.Phase)
		return id, nil
	}
	answer, err := a.api.client().As(a.actor).CreateReplay(cmd.Context(),
		client.CreateReplay{Definition: text, Promote: !a.noPromote})
	if err != nil {
		return "", explainDefinition(cmd, []string{item.File}, err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: replay %s\n", item.Insight, answer.Value.ReplayID)
	return answer.Value.ReplayID, nil
}

// finish watches a replay. One that was there already, and does not go live by itself, is verified and promoted: it was
// created to be looked at first, or was live before.
func (a *insightApply) finish(cmd *cobra.Command, id string) error {
	r, err := watchReplay(cmd, a.api, id)
	if err != nil {
		return err
	}
	waits := r.Phase == client.ReplayPhaseStaged || r.Phase == client.ReplayPhaseFormer
	if a.noPromote || !waits || goesLiveByItself(r) {
		return endingOf(r)
	}
	decide := func(action client.ReplayAction) error {
		_, err := a.api.client().As(a.actor).DecideReplay(cmd.Context(), id, action, client.Decide{})
		if err != nil {
			return explainRefusal(cmd, err)
		}
		r, err = watchReplay(cmd, a.api, id)
		return err
	}
	if err := decide(client.VerifyReplay); err != nil {
		return err
	}
	if !r.Verified.Green {
		return replayFailed
	}
	if err := decide(client.PromoteReplay); err != nil {
		return err
	}
	return endingOf(r)
}
