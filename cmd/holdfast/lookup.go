package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

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

// lookup holds the flags of commands that ask the API.
type lookup struct {
	url    string
	output output
}

func (l *lookup) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&l.url, "url", environment("HOLDFAST_URL", defaultURL), "the API (HOLDFAST_URL)")
	l.output.flag(c.PersistentFlags())
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

func newOrderCommand() *cobra.Command {
	l := &lookup{}
	c := &cobra.Command{Use: "order", Short: "Place orders, change them, look them up"}
	l.flags(c)
	c.AddCommand(&cobra.Command{
		Use:   "get ORDER_ID",
		Short: "Show an order with its timeline",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := client.New(l.url).Order(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("order %s: %w", args[0], err)
			}
			return l.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error { return writeOrder(w, &answer.Value) })
		},
	})
	c.AddCommand(orderCommands(l)...)
	return c
}

func writeOrder(w io.Writer, o *client.Order) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "order\t%s\nversion\t%d\nstatus\t%s\npayment\t%s\nfulfilment\t%s\n", o.OrderID, o.Version, o.Status, o.PaymentStatus, o.FulfilmentStatus)
	fmt.Fprintf(t, "customer\t%s\ncountry\t%s\nreference\t%s\ntotal\t%s %s\n\n", o.CustomerID, o.Country, o.Reference, o.Total, o.Currency)
	if a := o.Allocation; a.Policy != "" {
		fmt.Fprintf(t, "allocation\t%s\n\n", strings.Join(append([]string{string(a.Policy)}, a.Locations...), " "))
	}
	fmt.Fprintf(t, "SKU\tQUANTITY\tUNIT PRICE\n")
	for _, l := range o.Lines {
		fmt.Fprintf(t, "%s\t%d\t%s\n", l.SKU, l.Quantity, l.UnitPrice)
	}
	fmt.Fprintf(t, "\nVERSION\tEVENT\tOCCURRED\tRECORDED\n")
	for _, e := range o.Timeline {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", e.Version, e.Type, e.OccurredAt.Format(time.RFC3339), e.RecordedAt.Format(time.RFC3339))
	}
	return t.Flush()
}

func newStockCommand() *cobra.Command {
	l := &lookup{}
	c := &cobra.Command{Use: "stock", Short: "Book stock, look it up"}
	l.flags(c)
	c.AddCommand(&cobra.Command{
		Use:   "get SKU...",
		Short: "Show what is available, in all and by location",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := client.New(l.url).Availabilities(cmd.Context(), args)
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
	})
	c.AddCommand(&cobra.Command{
		Use:   "show SKU",
		Short: "Show an item with its transfers, its expected deliveries, and the orders that wait for it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := client.New(l.url).Stock(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("stock %s: %w", args[0], err)
			}
			return l.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error { return writeStockItem(w, &answer.Value) })
		},
	})
	c.AddCommand(stockCommands(l)...)
	return c
}
