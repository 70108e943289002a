package main

import (
	"encoding/json"
	"errors"
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
	apiAddress
	output output
	after  string // the position of --after, for commands that read a view
	// asOf and clock are those of --as-of and --clock, for commands that read what was.
	asOf, clock string
}

// add adds the flags to a group of commands.
func (f *apiFlags) add(c *cobra.Command) {
	f.apiAddress.add(c)
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

// addAsOf adds --as-of and --clock to c, a command that reads orders or stock.
func (f *apiFlags) addAsOf(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.asOf, "as-of", "", "as it was at this `MOMENT`: a time such as "+
		"2026-05-04T10:12:00Z, or a position")
	completeFlag(c, "as-of")
	f.addClock(c)
	return f.addAfter(c)
}

// addClock adds --clock to c, a command that takes moments.
func (f *apiFlags) addClock(c *cobra.Command) {
	c.Flags().StringVar(&f.clock, "clock", string(client.Recorded), "by which `CLOCK` a time is meant: recorded is what "+
		"was known by then, occurred is what had happened by then, also if it was recorded later")
	completeFlag(c, "clock", string(client.Recorded), string(client.Occurred))
}

// queryOptions are what --after, --as-of and --clock ask for.
func (f *apiFlags) queryOptions() (options []client.CallOption) {
	if f.after != "" {
		options = append(options, client.After(f.after))
	}
	if f.asOf != "" {
		options = append(options, client.At(f.asOf))
	}
	if f.clock == string(client.Occurred) {
		options = append(options, client.By(client.Occurred))
	}
	return options
}

// checkAsOf refuses a moment that is empty, and a clock that there is not, or that belongs to no moment.
func (f *apiFlags) checkAsOf(c *cobra.Command) error {
	if err := refuseEmpty(c, "as-of"); err != nil {
		return err
	}
	switch {
	case f.clock != string(client.Recorded) && f.clock != string(client.Occurred):
		return fmt.Errorf("--clock must be %s or %s, not %q", client.Recorded, client.Occurred, f.clock)
	case f.clock == string(client.Occurred) && f.asOf == "":
		return errors.New("--clock occurred needs --as-of: by now everything has occurred")
	}
	return nil
}

// refuseEmpty refuses an empty text for a moment: a script whose variable is not set would get what is now.
func refuseEmpty(c *cobra.Command, moment string) error {
	if flag := c.Flags().Lookup(moment); flag.Changed && flag.Value.String() == "" {
		return fmt.Errorf("--%s is empty: give it a moment, or leave it out to ask for now", moment)
	}
	return nil
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
