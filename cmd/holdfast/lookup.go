package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// output is how an answer is written. It is a flag's value, so that a wrong one is refused before a command is sent.
type output string

// outputs are its values.
const (
	outputTable output = "table"
	outputJSON  output = "json"
)

// String implements pflag.Value.
func (o *output) String() string { return string(*o) }

// Type implements pflag.Value.
func (o *output) Type() string { return "string" }

// Set implements pflag.Value.
func (o *output) Set(s string) error {
	if s != string(outputTable) && s != string(outputJSON) {
		return fmt.Errorf("it is neither %s nor %s", outputTable, outputJSON)
	}
	*o = output(s)
	return nil
}

// flag adds -o to flags.
func (o *output) flag(flags *pflag.FlagSet) {
	*o = outputTable
	flags.VarP(o, "output", "o", "table or json")
}

// complete lets a shell complete a flag of a closed set. The flag must be there.
func complete(c *cobra.Command, flag string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}

// lookup holds the flags of commands that ask the API.
type lookup struct {
	url    string
	output output
	after  string // commands that read
}

func (l *lookup) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&l.url, "url", environment("HOLDFAST_URL", defaultURL), "the API (HOLDFAST_URL)")
	l.output.flag(c.PersistentFlags())
	complete(c, "output", string(outputTable), string(outputJSON))
}

// reading makes c a command that asks a view, and may wait until the view has what a command has written.
func (l *lookup) reading(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&l.after, "after", "", "wait until the view has this `POSITION`, which every command that changes something prints")
	complete(c, "after")
	return c
}

// options are what the flags of reading ask for.
func (l *lookup) options() []client.CallOption {
	if l.after == "" {
		return nil
	}
	return []client.CallOption{client.After(l.after)}
}

// print writes a value as JSON, or calls table.
func (l *lookup) print(w io.Writer, value any, table func(io.Writer) error) error {
	if l.output == outputTable {
		return table(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// printChange is print with the position of what was written, for --after of a look-up.
func (l *lookup) printChange(w io.Writer, value any, position string, table func(io.Writer) error) error {
	if position == "" {
		return l.print(w, value, table)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	// The answer's members, each as it stands, and one more behind them.
	encoded = fmt.Appendf(encoded[:len(encoded)-1], `,"position":%q}`, position)
	return l.print(w, json.RawMessage(encoded), func(w io.Writer) error {
		if err := table(w); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "position %s\n", position)
		return err
	})
}

func newOrderCommand() *cobra.Command {
	l := &lookup{}
	c := &cobra.Command{Use: "order", Short: "Place orders, change them, look them up"}
	l.flags(c)
	c.AddCommand(l.reading(&cobra.Command{
		Use:   "get ORDER_ID",
		Short: "Show an order with its timeline",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := client.New(l.url).Order(cmd.Context(), args[0], l.options()...)
			if err != nil {
				return fmt.Errorf("order %s: %w", args[0], err)
			}
			return l.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error { return writeOrder(w, &answer.Value) })
		},
	}))
	c.AddCommand(listOrdersCommand(l))
	c.AddCommand(orderCommands(l)...)
	return c
}

func newStockCommand() *cobra.Command {
	l := &lookup{}
	c := &cobra.Command{Use: "stock", Short: "Book stock, look it up"}
	l.flags(c)
	c.AddCommand(l.reading(&cobra.Command{
		Use:   "get SKU...",
		Short: "Show what is available, in all and by location",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := client.New(l.url).Availabilities(cmd.Context(), args, l.options()...)
			if err != nil {
				return fmt.Errorf("availability: %w", err)
			}
			if err := l.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error { return writeStock(w, answer.Value.Items) }); err != nil {
				return err
			}
			if len(answer.Value.Unknown) > 0 {
				return fmt.Errorf("unknown SKU: %v", answer.Value.Unknown)
			}
			return nil
		},
	}))
	c.AddCommand(l.reading(&cobra.Command{
		Use:   "show SKU",
		Short: "Show an item with its transfers, its expected deliveries, and the orders that wait for it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := client.New(l.url).Stock(cmd.Context(), args[0], l.options()...)
			if err != nil {
				return fmt.Errorf("stock %s: %w", args[0], err)
			}
			return l.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error { return writeStockItem(w, &answer.Value) })
		},
	}))
	c.AddCommand(stockCommands(l)...)
	return c
}
