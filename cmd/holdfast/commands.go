package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// change holds the flags of every command that changes something.
type change struct {
	*lookup
	key     string
	version uint64
}

func (ch *change) flags(c *cobra.Command) {
	c.Flags().StringVar(&ch.key, "key", "", "idempotency key; the same key again changes nothing twice (default: a new one)")
	c.Flags().Uint64Var(&ch.version, "if-version", 0, "only if the order or item still has this version")
}

// options are what these flags ask for.
func (ch *change) options() []client.CallOption {
	var options []client.CallOption
	if ch.key != "" {
		options = append(options, client.Key(ch.key))
	}
	if ch.version != 0 {
		options = append(options, client.IfVersion(ch.version))
	}
	return options
}

// changing is a command that changes an order or an item: do sends it, print shows the answer.
func changing[T any](l *lookup, use, short string, args cobra.PositionalArgs, print func(io.Writer, *T) error,
	do func(ctx context.Context, api *client.Client, args []string, options []client.CallOption) (*client.Answer[T], error),
) *cobra.Command {
	ch := &change{lookup: l}
	c := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		answer, err := do(cmd.Context(), client.New(l.url), args, ch.options())
		if err != nil {
			return fmt.Errorf("%s: %w", cmd.Name(), err)
		}
		return l.printChange(cmd.OutOrStdout(), answer.Value, answer.Position, func(w io.Writer) error { return print(w, &answer.Value) })
	}}
	ch.flags(c)
	return c
}

// quantities reads lines written as SKU=QUANTITY.
func quantities(lines []string) ([]client.LineQuantity, error) {
	out := make([]client.LineQuantity, 0, len(lines))
	for _, line := range lines {
		sku, number, ok := cutLast(line, "=")
		quantity, err := strconv.ParseInt(number, 10, 64)
		if !ok || sku == "" || err != nil {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY, as in A1=2", line)
		}
		out = append(out, client.LineQuantity{SKU: sku, Quantity: quantity})
	}
	return out, nil
}

// pricedLines reads lines written as SKU=QUANTITY@PRICE.
func pricedLines(lines []string) ([]client.OrderLine, error) {
	out := make([]client.OrderLine, 0, len(lines))
	for _, line := range lines {
		rest, price, ok := cutLast(line, "@")
		if !ok {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY@PRICE, as in A1=2@2.55", line)
		}
		quantity, err := quantities([]string{rest})
		if err != nil {
			return nil, err
		}
		out = append(out, client.OrderLine{SKU: quantity[0].SKU, Quantity: quantity[0].Quantity, UnitPrice: price})
	}
	return out, nil
}

// amendedLines reads lines written as SKU=QUANTITY[@PRICE][#LINE]. What follows the last = is never part of a SKU.
func amendedLines(lines []string) ([]client.AmendLine, error) {
	out := make([]client.AmendLine, 0, len(lines))
	for _, line := range lines {
		sku, rest, _ := cutLast(line, "=")
		rest, place, placed := strings.Cut(rest, "#")
		rest, price, _ := strings.Cut(rest, "@")
		quantity, err := strconv.ParseInt(rest, 10, 64)
		amended := client.AmendLine{SKU: sku, Quantity: quantity, UnitPrice: price}
		if placed && err == nil {
			amended.Line, err = strconv.ParseInt(place, 10, 64)
		}
		if sku == "" || err != nil {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY[@PRICE][#LINE], as in A1=3 or C3=1@2.55", line)
		}
		out = append(out, amended)
	}
	return out, nil
}

// cutLast cuts around the last separator: a SKU may have it too.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// number reads a quantity argument.
func number(what, s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the %s %q is not a whole number", what, s)
	}
	return n, nil
}
