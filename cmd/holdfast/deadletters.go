package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// mirrorFlags say where the log and its mirror are.
type mirrorFlags struct {
	log        logFlags
	clickHouse string
}

func (f *mirrorFlags) addClickHouse(c *cobra.Command) {
	c.Flags().StringVar(&f.clickHouse, "clickhouse", environment("HOLDFAST_CLICKHOUSE", defaultClickHouse), "ClickHouse of the mirror (HOLDFAST_CLICKHOUSE)")
}

func newDeadLettersCommand() *cobra.Command {
	var f mirrorFlags
	root := &cobra.Command{
		Use:   "dead-letters",
		Short: "Events that ClickHouse's mirror could not take",
		Long: `An event that the mirror cannot take is parked with the reason, and the others go on. The event itself stays in
the log. After an upgrade that knows it, retry puts its rows where they belong.`,
	}
	f.log.add(root)
	root.AddCommand(newDeadLettersList(&f), newDeadLettersShow(&f), newDeadLettersRetry(&f))
	return root
}

func newDeadLettersList(f *mirrorFlags) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List what is parked", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := f.log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			letters, err := analytics.DeadLetters(c.Context(), client)
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, letter := range letters {
				fmt.Fprintf(t, "%s\t%s\t%s\n", letter.Place(), letter.ParkedAt.Format(time.RFC3339), letter.Reason)
			}
			return t.Flush()
		},
	}
}

// shownEvent is a dead letter with its event.
type shownEvent struct {
	analytics.DeadLetter
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers"`
	Value   []byte            `json:"value_base64"`
}

func newDeadLettersShow(f *mirrorFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show PLACE", Short: "Show what is parked at TOPIC/PARTITION/OFFSET, with its event from the log", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			letter, err := findLetter(c.Context(), client, args[0])
			if err != nil {
				return err
			}
			event, err := letter.Event(c.Context(), client)
			if err != nil {
				return err
			}
			shown := shownEvent{DeadLetter: letter, Key: string(event.Key), Headers: map[string]string{}, Value: event.Value}
			for _, h := range event.Headers {
				shown.Headers[h.Key] = string(h.Value)
			}
			enc := json.NewEncoder(c.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(shown)
		},
	}
}

func findLetter(ctx context.Context, client *eventlog.Client, place string) (analytics.DeadLetter, error) {
	letters, err := analytics.DeadLetters(ctx, client)
	if err != nil {
		return analytics.DeadLetter{}, err
	}
	for _, letter := range letters {
		if letter.Place() == place {
			return letter, nil
		}
	}
	return analytics.DeadLetter{}, fmt.Errorf("nothing is parked at %s; holdfast dead-letters ls lists what is", place)
}

func newDeadLettersRetry(f *mirrorFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "retry [PLACE…]", Short: "Mirror again what is parked: the places given, or all",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			conn, err := openClickHouse(c.Context(), f.clickHouse)
			if err != nil {
				return err
			}
			defer conn.Close()
			return retryLetters(c, client, conn, args)
		},
	}
	f.addClickHouse(c)
	return c
}

// retryLetters goes on after one that fails.
func retryLetters(c *cobra.Command, client *eventlog.Client, conn *clickhouse.Conn, places []string) error {
	letters, err := analytics.DeadLetters(c.Context(), client)
	if err != nil {
		return err
	}
	if len(places) > 0 {
		letters = letters[:0:0]
		for _, place := range places {
			letter, err := findLetter(c.Context(), client, place)
			if err != nil {
				return err
			}
			letters = append(letters, letter)
		}
	}
	var failed []error
	for _, letter := range letters {
		if err := analytics.Retry(c.Context(), client, conn, letter); err != nil {
			failed = append(failed, err)
			continue
		}
		fmt.Fprintf(c.OutOrStdout(), "%s is mirrored\n", letter.Place())
	}
	return errors.Join(failed...)
}

func newMirrorCommand() *cobra.Command {
	var f mirrorFlags
	root := &cobra.Command{Use: "mirror", Short: "ClickHouse's mirror of the log"}
	rebuild := &cobra.Command{
		Use:   "rebuild",
		Short: "Drop the mirror's tables; analytics-projector fills them again from the log",
		Long: `Drops the tables of the mirror and makes them anew. Projectors that run notice within seconds, and fill them again from
the start of the log; reports are short until they have caught up. Nothing is lost: the log is the truth.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conn, err := openClickHouse(c.Context(), f.clickHouse)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := analytics.Rebuild(c.Context(), conn); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "The mirror in database %s is empty; analytics-projector fills it again.\n", conn.Database())
			return nil
		},
	}
	f.addClickHouse(rebuild)
	root.AddCommand(rebuild)
	return root
}
