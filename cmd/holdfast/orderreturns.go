package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// returnCommands are the commands on goods that come back.
func returnCommands(api *apiFlags) []*cobra.Command {
	return []*cobra.Command{
		newRequestReturnCommand(api),
		newReceiveReturnCommand(api),
		newCancelReturnCommand(api),
	}
}

func newRequestReturnCommand(api *apiFlags) *cobra.Command {
	var lines []string
	var request client.RequestReturn
	c := newOrderChange(api,
		"request-return ORDER_ID", "Announce a return; without --line all delivered lines", 1,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if request.Lines, err = quantities(lines); err != nil {
				return nil, err
			}
			return c.api.RequestReturn(c.ctx, c.args[0], request, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	c.Flags().StringVar(&request.Reason, "reason", "", reasonUsage)
	return c
}

func newReceiveReturnCommand(api *apiFlags) *cobra.Command {
	var lines, charges []string
	var receipt client.ReceiveReturn
	c := newOrderChange(api, "receive-return ORDER_ID RETURN_ID", "Record returned goods that have arrived", 2,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if receipt.Lines, err = returnedLines(lines); err != nil {
				return nil, err
			}
			if receipt.Charges, err = credits(charges); err != nil {
				return nil, err
			}
			return c.api.ReceiveReturn(c.ctx, c.args[0], c.args[1], receipt, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil,
		"a `LINE`, as SKU=QUANTITY[#NUMBER]@CONDITION: A1=2@resellable, or A1=1#3@damaged of line 3; repeat it for more")
	c.Flags().StringArrayVar(&charges, "charge", nil, backUsage)
	c.Flags().StringVar(&receipt.Location, "location", "",
		"`LOCATION` that received them (default: where they were shipped from)")
	return c
}

func newCancelReturnCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newOrderChange(api, "cancel-return ORDER_ID RETURN_ID", "Cancel what has not arrived of a return", 2,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.CancelReturn(c.ctx, c.args[0], c.args[1], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", reasonUsage)
	return c
}
