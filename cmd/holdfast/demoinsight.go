//go:build !noembedded

package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/insight"
)

// demoDefinition is the insight that the demo adds.
//
//go:embed demo.yaml
var demoDefinition []byte

// insight asks something that nobody had thought of when the orders came in.
func (d *demo) insight(ctx context.Context) error {
	d.heading("A question that nobody had asked before: which day of the week brings the largest baskets?")
	if d.stack.ClickHouse() == "" {
		fmt.Fprintln(d.out, "  Left out: such questions are answered from ClickHouse, which is off.")
		return nil
	}
	definition, err := insight.Parse("demo.yaml", demoDefinition)
	if err != nil {
		return err
	}
	live, err := d.liveReplay(ctx, definition)
	switch {
	case err != nil:
	case live != nil:
		fmt.Fprintf(d.out, "  Nothing to compute: the insight %s is live since %s.\n", live.Insight,
			formatTime(live.PromotedAt))
	default:
		err = d.addInsight(ctx)
	}
	if err == nil {
		err = d.answer(ctx, definition.Name)
	}
	if err != nil {
		return fmt.Errorf("insight %s: %w", definition.Name, err)
	}
	return nil
}

// liveReplay is the replay that has made the definition live in an earlier run; nil: there is none.
func (d *demo) liveReplay(ctx context.Context, definition *insight.Definition) (*client.Replay, error) {
	filter := client.ReplayFilter{Insight: definition.Name, Phase: client.ReplayPhaseLive}
	page, err := d.client.Replays(ctx, filter)
	if err != nil {
		return nil, err
	}
	for i := range page.Value.Items {
		if live := &page.Value.Items[i]; live.Fingerprint == definition.Fingerprint() {
			return live, nil
		}
	}
	return nil, nil
}

// addInsight computes the insight over the history, and waits until it is live.
func (d *demo) addInsight(ctx context.Context) error {
	begin := time.Now()
	answer, err := d.client.CreateReplay(ctx, client.CreateReplay{Definition: string(demoDefinition), Promote: true})
	if err != nil {
		return err
	}
	last, err := followReplay(ctx, d.client, d.errOut, answer.Value.ReplayID)
	if err != nil {
		return err
	}
	if last.Phase != client.ReplayPhaseLive {
		return fmt.Errorf("replay %s is %s, and not live: %s", last.ReplayID, phaseOf(last), verdict(last))
	}
	fmt.Fprintf(d.out, `  The insight %s (cmd/holdfast/demo.yaml) is
  computed in %.1f s over the whole history of %s events, with %s rows of the file,
  verified in %.1f s: %d of its keys have the same figures in the raw log,
  live %.1f s after it was asked. New orders count as they come.
`,
		last.Insight, last.Filled.Seconds, count(d.result.Logged.Events), count(d.result.Logged.Documents.Total.Rows),
		last.Verified.Seconds, last.Verified.Sampled, time.Since(begin).Seconds())
	return nil
}

// answer prints the rows of an insight that has everything which was imported.
func (d *demo) answer(ctx context.Context, name string) error {
	answer, err := d.client.AskAs(ctx, mediaTypes["table"], name, client.Question{}, client.After(d.imported))
	if err != nil {
		return err
	}
	var rows bytes.Buffer
	if err := writeAnswer(&rows, "table", answer.Value.Body); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n  GET /v1/insights/%s\n\n", name)
	for line := range strings.Lines(rows.String()) {
		fmt.Fprint(d.out, "  "+line)
	}
	return nil
}
