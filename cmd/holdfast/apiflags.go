package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// defaultURL is where `holdfast dev` listens.
const defaultURL = "http://127.0.0.1:8080"

// environment is a setting's value in the environment, or its default.
func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// urlFlag adds --url to a command.
func urlFlag(c *cobra.Command, url *string) {
	c.PersistentFlags().StringVar(url, "url", environment("HOLDFAST_URL", defaultURL), "`URL` of the API (HOLDFAST_URL)")
}

// actorFlag adds --actor to a command.
func actorFlag(c *cobra.Command, actor *string) {
	c.Flags().StringVar(actor, "actor", environment("HOLDFAST_ACTOR", ""),
		"`NAME` of who asks, which the events keep; nobody checks it (HOLDFAST_ACTOR)")
	completeFlag(c, "actor")
}

// completeFlag lets a shell complete the values of a flag that has a fixed set of them. The flag must exist.
func completeFlag(c *cobra.Command, flag string, values ...string) {
	completions := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := c.RegisterFlagCompletionFunc(flag, completions); err != nil {
		panic(err)
	}
}

// apiFlags are the flags of the commands that talk to the API.
type apiFlags struct {
	url    string
	output output
	after  string // the position of --after, for commands that read a view
}

// add adds the flags to a group of commands.
func (f *apiFlags) add(c *cobra.Command) {
	urlFlag(c, &f.url)
	f.output.flag(c.PersistentFlags())
	completeFlag(c, "output", string(outputTable), string(outputJSON))
}

// addAfter adds --after to c, a command that reads a view.
func (f *apiFlags) addAfter(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.after, "after", "",
		"first wait until the view has reached this `POSITION`; every command that changes something prints one")
	completeFlag(c, "after")
	return c
}

// client is a client of the API at --url.
func (f *apiFlags) client() *client.Client { return client.New(f.url) }

// queryOptions are what --after asks for.
func (f *apiFlags) queryOptions() []client.CallOption {
	if f.after == "" {
		return nil
	}
	return []client.CallOption{client.After(f.after)}
}

// print writes a value as JSON, or calls table.
func (f *apiFlags) print(w io.Writer, value any, table func(io.Writer) error) error {
	if f.output == outputTable {
		return table(w)
	}
	return writeJSON(w, value)
}

// printChange prints a value with the position of the events that the command wrote. Users pass it to --after.
func (f *apiFlags) printChange(w io.Writer, value any, position string, table func(io.Writer) error) error {
	if position == "" {
		return f.print(w, value, table)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	// The position becomes the last member of the answer's object.
	encoded = fmt.Appendf(encoded[:len(encoded)-1], `,"position":%q}`, position)
	return f.print(w, json.RawMessage(encoded), func(w io.Writer) error {
		if err := table(w); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "position %s\n", position)
		return err
	})
}
