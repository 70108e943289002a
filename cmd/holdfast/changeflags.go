package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// changeFlags are the flags of every command that changes an order or a stock item.
type changeFlags struct {
	key     string
	version uint64
	actor   string
}

func (f *changeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.key, "key", "",
		"idempotency `KEY`; a command that is sent again with its key happens once (default: a new one)")
	actorFlag(c, &f.actor)
	c.Flags().Uint64Var(&f.version, "if-version", 0, "refuse the command unless the order or item has this `VERSION`")
}

// options are what these flags ask for.
func (f *changeFlags) options() []client.CallOption {
	var options []client.CallOption
	if f.key != "" {
		options = append(options, client.Key(f.key))
	}
	if f.version != 0 {
		options = append(options, client.IfVersion(f.version))
	}
	return options
}

// call is one run of a command that changes something: its context, the API, its arguments and the options of its
// flags.
type call struct {
	ctx     context.Context
	api     *client.Client
	args    []string
	options []client.CallOption
}

// quantity reads an argument that is a quantity.
func (c *call) quantity(i int) (int64, error) { return number("quantity", c.args[i]) }

// changeCommand describes a command that changes an order or a stock item. T is what the API answers.
type changeCommand[T any] struct {
	use, short string
	// args is the number of arguments.
	args int
	// send sends the command, and print shows the answer.
	send  func(*call) (*client.Answer[T], error)
	print func(io.Writer, *T) error
}

func (d changeCommand[T]) build(api *apiFlags) *cobra.Command {
	flags := &changeFlags{}
	c := &cobra.Command{
		Use:   d.use,
		Short: d.short,
		Args:  cobra.ExactArgs(d.args),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := d.send(&call{cmd.Context(), api.client().As(flags.actor), args, flags.options()})
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.printChange(cmd.OutOrStdout(), answer.Value, answer.Position, func(w io.Writer) error {
				return d.print(w, &answer.Value)
			})
		},
	}
	flags.add(c)
	return c
}
