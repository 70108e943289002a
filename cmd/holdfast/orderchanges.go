package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
)

// Texts of flags that several commands have.
const (
	linesUsage   = "a line, as `SKU=QUANTITY[#LINE]`: A1=2, or A1=2#3 of line 3; repeat it for more"
	captureUsage = "capture the payment of what ships"
	paidUsage    = "with --capture: the payment provider's `REFERENCE` for it"
	// capturedUsage and uncoveredUsage are for both commands that ship.
	capturedUsage  = "with --capture: the payment provider's `ID` of it"
	uncoveredUsage = "why it leaves although the order is not covered, as `TEXT`"
	reasonUsage    = "the reason, as `TEXT`"
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
	var lines, entries []string
	var terms, policy string
	allTerms, allPolicies := schema.PaymentTerms.All(), schema.AllocationPolicies.All()
	c := newOrderChange(api, "place", "Place an order and wait until stock is reserved", 0,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if order.Lines, err = pricedLines(lines); err != nil {
				return nil, err
			}
			if order.Metadata, err = metadata(entries); err != nil {
				return nil, err
			}
			order.PaymentTerms = client.PlaceOrderPaymentTerms(terms)
			order.Allocation.Policy = client.AllocationPolicy(policy)
			return c.api.PlaceOrder(c.ctx, order, c.options...)
		})
	flags := c.Flags()
	flags.StringVar(&order.CustomerID, "customer", "", "customer `ID` (required)")
	flags.StringVar(&order.Currency, "currency", "", "currency, as an ISO 4217 `CODE` such as EUR (required)")
	flags.StringArrayVar(&lines, "line", nil,
		"a line, as `SKU=QUANTITY@PRICE`, for example A1=2@2.55; repeat the flag for more lines (required)")
	flags.StringVar(&terms, "terms", string(client.Prepaid), "payment `TERMS`: "+enumerate(allTerms, "or"))
	flags.StringVar(&order.Country, "country", "", "`COUNTRY` of the customer, for reports")
	flags.StringVar(&order.Reference, "reference", "", "the shop's own `NUMBER` of the order")
	flags.StringVar(&policy, "allocation", "",
		"`POLICY` for the locations of each SKU: "+enumerate(allPolicies, "or"))
	flags.StringArrayVar(&order.Allocation.Locations, "from-location", nil,
		"a `LOCATION` to try first; repeat the flag for more, in this order")
	flags.StringArrayVar(&entries, "metadata", nil,
		"`KEY=VALUE` to keep with the order; repeat the flag for more")
	flags.StringVar(&order.Total, "total", "",
		"the `AMOUNT` that the customer was shown; an order with another total is refused")
	completeFlag(c, "terms", allTerms...)
	completeFlag(c, "allocation", allPolicies...)
	return c
}

// metadata reads entries written as KEY=VALUE.
func metadata(entries []string) (client.Metadata, error) {
	m := client.Metadata{}
	for _, entry := range entries {
		key, value, ok := strings.Cut(entry, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("the metadata %q is not KEY=VALUE, as in channel=web", entry)
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("the metadata has the key %q twice", key)
		}
		m[key] = value
	}
	return m, nil
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
	var lines []string
	var reason string
	c := newOrderChange(api, "cancel-lines ORDER_ID", "Cancel quantities of lines that have not shipped", 1,
		func(c *call) (*client.OrderAnswer, error) {
			chosen, err := quantities(lines)
			if err != nil {
				return nil, err
			}
			cancellation := client.CancelLines{Lines: chosen, Reason: reason}
			return c.api.CancelLines(c.ctx, c.args[0], cancellation, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", reasonUsage)
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	return c
}

func newAmendCommand(api *apiFlags) *cobra.Command {
	var amendment client.AmendOrder
	var lines []string
	c := newOrderChange(api,
		"amend ORDER_ID", "Change, add or remove lines, if there is stock for it", 1,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if amendment.Lines, err = amendedLines(lines); err != nil {
				return nil, err
			}
			return c.api.AmendOrder(c.ctx, c.args[0], amendment, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil, "a line as it shall be, `SKU=QUANTITY[@PRICE][#LINE]`: A1=3, "+
		"A1=3#2 for the second line of the order, C3=1@2.55 for a new one, A1=0 to remove it; "+
		"repeat the flag for more lines")
	c.Flags().StringVar(&amendment.Reason, "reason", "", reasonUsage)
	return c
}
