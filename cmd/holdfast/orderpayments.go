package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// paymentCommands has one command for each action of a payment.
func paymentCommands(api *apiFlags) []*cobra.Command {
	var commands []*cobra.Command
	for _, action := range []struct {
		name           client.PaymentAction
		short          string
		amount, reason bool
	}{
		{client.Start, "The customer is paying: the order waits longer", false, false},
		{client.Authorize, "A payment provider holds money for the order", true, false},
		{client.Capture, "Money that was authorized was taken", true, false},
		{client.Void, "The provider let go of money that it held; without --amount of all", true, true},
		{client.Refund, "Money that was captured went back; without --amount all", true, true},
		{client.Fail, "A payment did not come about", false, true},
	} {
		payment := client.Payment{Action: action.name}
		c := newOrderChange(api, string(action.name)+"-payment ORDER_ID", action.short, 1,
			func(c *call) (*client.OrderAnswer, error) {
				return c.api.RecordPayment(c.ctx, c.args[0], payment, c.options...)
			})
		c.Flags().StringVar(&payment.Reference, "reference", "", "the payment provider's reference")
		if action.amount {
			c.Flags().StringVar(&payment.Amount, "amount", "", "amount, as in 5.10")
		}
		if action.reason {
			c.Flags().StringVar(&payment.Reason, "reason", "", "why")
		}
		commands = append(commands, c)
	}
	return commands
}
