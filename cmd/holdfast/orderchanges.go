package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
)

// Texts of flags that several commands have.
const (
	linesUsage   = "SKU=QUANTITY; several times for several"
	captureUsage = "capture the payment for what ships"
	paidUsage    = "with --capture: the payment provider's reference for it"
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

func newPlaceCommand(api *apiFlags) *cobra.Command {
	var order client.PlaceOrder
	var lines []string
	var terms, policy string
	allTerms, allPolicies := schema.PaymentTerms.All(), schema.AllocationPolicies.All()
	c := newOrderChange(api, "place", "Place an order, and wait for its reservation", 0,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if order.Lines, err = pricedLines(lines); err != nil {
				return nil, err
			}
			order.PaymentTerms = client.PlaceOrderPaymentTerms(terms)
			order.Allocation.Policy = client.AllocationPolicy(policy)
			return c.api.PlaceOrder(c.ctx, order, c.options...)
		})
	flags := c.Flags()
	flags.StringVar(&order.CustomerID, "customer", "", "customer ID")
	flags.StringVar(&order.Currency, "currency", "", "ISO 4217 code")
	flags.StringArrayVar(&lines, "line", nil, "SKU=QUANTITY@PRICE, as in A1=2@2.55; several times for several")
	flags.StringVar(&terms, "terms", string(client.Prepaid), enumerate(allTerms, "or"))
	flags.StringVar(&order.Country, "country", "", "country")
	flags.StringVar(&order.Reference, "reference", "", "the shop's own number")
	flags.StringVar(&policy, "allocation", "",
		"where each SKU comes from: "+enumerate(allPolicies, "or"))
	flags.StringArrayVar(&order.Allocation.Locations, "from-location", nil,
		"location to try first; several times for several, in their order")
	flags.StringVar(&order.Total, "total", "", "what the customer expects to pay; another total is refused")
	completeFlag(c, "terms", allTerms...)
	completeFlag(c, "allocation", allPolicies...)
	return c
}

func newConfirmCommand(api *apiFlags) *cobra.Command {
	return newOrderChange(api, "confirm ORDER_ID", "Confirm an order that is authorized or on account", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.ConfirmOrder(c.ctx, c.args[0], c.options...)
		})
}

func newHoldCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newOrderChange(api, "hold ORDER_ID", "Stop an order where it is", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.HoldOrder(c.ctx, c.args[0], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", "why")
	return c
}

func newResumeCommand(api *apiFlags) *cobra.Command {
	return newOrderChange(api, "resume ORDER_ID", "Let an order on hold go on", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.ResumeOrder(c.ctx, c.args[0], c.options...)
		})
}

func newCancelCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newOrderChange(api, "cancel ORDER_ID", "End an order that has not shipped", 1,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.CancelOrder(c.ctx, c.args[0], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", "why")
	return c
}

func newCancelLinesCommand(api *apiFlags) *cobra.Command {
	var lines []string
	var reason string
	c := newOrderChange(api, "cancel-lines ORDER_ID", "Take quantities that have not shipped off an order", 1,
		func(c *call) (*client.OrderAnswer, error) {
			chosen, err := quantities(lines)
			if err != nil {
				return nil, err
			}
			cancellation := client.CancelLines{Lines: chosen, Reason: reason}
			return c.api.CancelLines(c.ctx, c.args[0], cancellation, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", "why")
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	return c
}

func newAmendCommand(api *apiFlags) *cobra.Command {
	var amendment client.AmendOrder
	var lines []string
	c := newOrderChange(api,
		"amend ORDER_ID", "Change quantities and prices of lines, or add lines, and wait for the stock", 1,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if amendment.Lines, err = amendedLines(lines); err != nil {
				return nil, err
			}
			return c.api.AmendOrder(c.ctx, c.args[0], amendment, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil, "SKU=QUANTITY[@PRICE][#LINE], as in A1=3, "+
		"A1=3#2 for the second line of the order, or C3=1@2.55 for a new one; 0 takes a line off; "+
		"several times for several")
	c.Flags().StringVar(&amendment.Reason, "reason", "", "why")
	return c
}
