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
		{client.Start, "The customer has begun to pay; the deadline moves", false, false},
		{client.Authorize, "The payment provider has authorized an amount", true, false},
		{client.Capture, "An authorized amount was captured", true, false},
		{client.Void, "An authorization was voided", true, true},
		{client.Refund, "A captured amount was refunded", true, true},
		{client.Fail, "A payment failed", false, true},
	} {
		payment := client.Payment{Action: action.name}
		c := newOrderChange(api, string(action.name)+"-payment ORDER_ID", action.short, 1,
			func(c *call) (*client.OrderAnswer, error) {
				return c.api.RecordPayment(c.ctx, c.args[0], payment, c.options...)
			})
		c.Flags().StringVar(&payment.Reference, "reference", "", "the payment provider's `REFERENCE`")
		c.Flags().StringVar(&payment.Provider, "provider", "", "the payment provider's `NAME`, such as stripe")
		if action.name != client.Start {
			c.Flags().StringVar(&payment.ProviderEventID, "provider-event-id", "", "the payment provider's `ID` of this fact")
		}
		if action.amount {
			c.Flags().StringVar(&payment.Amount, "amount", "", amountUsage(action.name))
		}
		if action.reason {
			c.Flags().StringVar(&payment.Reason, "reason", "", reasonUsage)
		}
		commands = append(commands, c)
	}
	return commands
}

// amountUsage is the text of --amount.
func amountUsage(action client.PaymentAction) string {
	if action == client.Void || action == client.Refund {
		return "`AMOUNT`, for example 5.10 (default: all)"
	}
	return "`AMOUNT`, for example 5.10 (required)"
}
