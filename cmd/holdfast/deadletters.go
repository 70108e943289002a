package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

func newDeadLettersCommand() *cobra.Command {
	var log logFlags
	root := &cobra.Command{
		Use:   "dead-letters",
		Short: "Manage events that could not be mirrored",
		Long: `An event that cannot be mirrored into ClickHouse becomes a dead letter: its
place in the log and the reason. The mirror goes on with the next event, and
the event stays in the log. After an upgrade that can read it, mirror it with
retry.`,
	}
	log.add(root)
	root.AddCommand(newDeadLettersList(&log), newDeadLettersShow(&log), newDeadLettersRetry(&log))
	return root
}

func newDeadLettersList(log *logFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List dead letters",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			letters, err := analytics.DeadLetters(c.Context(), client)
			if err != nil {
				return err
			}
			if len(letters) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "There are no dead letters.")
				return nil
			}
			t := newTable(c.OutOrStdout())
			fmt.Fprintln(t, "PLACE\tSINCE\tREASON")
			for _, letter := range letters {
				fmt.Fprintf(t, "%s\t%s\t%s\n", letter.Place(), formatTime(letter.ParkedAt), letter.Reason)
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

func newDeadLettersShow(log *logFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show PLACE",
		Short: "Show the dead letter at TOPIC/PARTITION/OFFSET and its event",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := log.open(c)
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
			headers := map[string]string{}
			for _, h := range event.Headers {
				headers[h.Key] = string(h.Value)
			}
			shown := shownEvent{DeadLetter: letter, Key: string(event.Key), Headers: headers, Value: event.Value}
			return writeJSON(c.OutOrStdout(), shown)
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
	return analytics.DeadLetter{}, fmt.Errorf("there is no dead letter at %s; holdfast dead-letters ls lists all", place)
}

func newDeadLettersRetry(log *logFlags) *cobra.Command {
	var clickHouse string
	c := &cobra.Command{
		Use:   "retry [PLACE]...",
		Short: "Mirror dead letters: those at the places, or all",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			conn, err := openClickHouse(c.Context(), clickHouse)
			if err != nil {
				return err
			}
			defer conn.Close()
			return retryLetters(c, client, conn, args)
		},
	}
	clickHouseFlag(c, &clickHouse, mirrorUsage)
	return c
}

// retryLetters mirrors dead letters again: those of the places, or all. After one that fails it goes on with the next.
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
	if len(letters) == 0 {
		fmt.Fprintln(c.OutOrStdout(), "There are no dead letters.")
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
