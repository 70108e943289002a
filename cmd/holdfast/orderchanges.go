package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast/holdfast/pkg/client"
)

// Texts of flags that several commands have.
const (
	linesUsage  = "a line, as `SKU=QUANTITY[#LINE]`: A1=2, or A1=2#3 of line 3; repeat it for more"
	reasonUsage = "the reason, as `TEXT`"
	backUsage   = "give back of a charge, as `NUMBER=AMOUNT`: 1=4.90 of the first one; repeat it for more"
)

// newOrderChange is a command of `holdfast order`. Its first argument is the order ID, unless it places an order.
func newOrderChange(
	api *apiFlags, use, short string, args int, send func(*call) (*client.OrderAnswer, error),
) *cobra.Command {
	return changeCommand[client.OrderSummary]{use, short, args, send, writeSummary}.build(api)
}

// orderChanges are the commands on orders, one for each of the API's.
func orderChanges(api *apiFlags) []*cobra.Command {
	commands := []*cobra.Command{newPlaceCommand(api)}
	commands = append(commands, paymentCommands(api)...)
	commands = append(commands, shippingCommands(api)...)
	commands = append(commands, returnCommands(api)...)
	return append(commands,
		newConfirmCommand(api),
		newHoldCommand(api),
		newResumeCommand(api),
		newCancelCommand(api),
		newCancelLinesCommand(api),
		newAmendCommand(api),
	)
}

func newConfirmCommand(api *apiFlags) *cobra.Command {
	return newOrderChange(api, "confirm ORDER_ID", "Confirm an order that is paid for, or on account", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.ConfirmOrder(c.ctx, c.args[0], c.options...)
		})
}

func newHoldCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newOrderChange(api, "hold ORDER_ID", "Put an order on hold", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.HoldOrder(c.ctx, c.args[0], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", reasonUsage)
	return c
}

func newResumeCommand(api *apiFlags) *cobra.Command {
	return newOrderChange(api, "resume ORDER_ID", "Take an order off hold", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.ResumeOrder(c.ctx, c.args[0], c.options...)
		})
}

func newCancelCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newOrderChange(api, "cancel ORDER_ID", "Cancel an order that has not shipped", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.CancelOrder(c.ctx, c.args[0], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", reasonUsage)
	return c
}

func newCancelLinesCommand(api *apiFlags) *cobra.Command {
	var lines, charges []string
	var cancellation client.CancelLines
	c := newOrderChange(api, "cancel-lines ORDER_ID", "Cancel units that have not shipped, or charges", 1,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if cancellation.Lines, err = quantities(lines); err != nil {
				return nil, err
			}
			if cancellation.Charges, err = credits(charges); err != nil {
				return nil, err
			}
			return c.api.CancelLines(c.ctx, c.args[0], cancellation, c.options...)
		})
	c.Flags().StringVar(&cancellation.Reason, "reason", "", reasonUsage)
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	c.Flags().StringArrayVar(&charges, "charge", nil, backUsage)
	return c
}

func newAmendCommand(api *apiFlags) *cobra.Command {
	var amendment client.AmendOrder
	var lines, charges []string
	var file string
	c := newOrderChange(api,
		"amend ORDER_ID", "Change, add or remove lines, if there is stock for it", 1,
		func(c *call) (*client.OrderAnswer, error) {
			if file != "" {
				body, err := readBody[client.AmendOrder](file, "amendment")
				if err != nil {
					return nil, err
				}
				return c.api.AmendOrder(c.ctx, c.args[0], *body, c.options...)
			}
			var err error
			if amendment.Lines, err = amendedLines(lines); err != nil {
				return nil, err
			}
			if amendment.Charges, err = credits(charges); err != nil {
				return nil, err
			}
			return c.api.AmendOrder(c.ctx, c.args[0], amendment, c.options...)
		})
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.StringArrayVar(&lines, "line", nil, "a line as it shall be, `SKU=QUANTITY[@PRICE][#LINE]`: A1=3, "+
		"A1=3#2 for the second line of the order, C3=1@2.55 for a new one, A1=0 to remove it; "+
		"repeat the flag for more lines")
	flags.StringArrayVar(&charges, "charge", nil, backUsage)
	flags.StringVar(&amendment.Reason, "reason", "", reasonUsage)
	c.Flags().AddFlagSet(flags)
	fileFlag(c, &file, "amendment", flags)
	return c
}
