package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

type (
	orderAnswer = *client.Answer[client.OrderSummary]
	options     = []client.CallOption
)

// orderChange is a command of `holdfast order`; its arguments are the order ID and what follows it.
func orderChange(l *lookup, use, short string, args int, do func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error)) *cobra.Command {
	return changing(l, use, short, cobra.ExactArgs(args), writeSummary, do)
}

func writeSummary(w io.Writer, o *client.OrderSummary) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "order\t%s\nversion\t%d\nstatus\t%s\npayment\t%s\n", o.OrderID, o.Version, o.Status, o.PaymentStatus)
	for _, field := range []struct{ name, value string }{{"fulfilment", string(o.FulfilmentStatus)}, {"fulfilment ID", o.FulfilmentID}, {"return", string(o.ReturnStatus)}, {"return ID", o.ReturnID}} {
		if field.value != "" {
			fmt.Fprintf(t, "%s\t%s\n", field.name, field.value)
		}
	}
	fmt.Fprintf(t, "total\t%s %s\n", o.Total, o.Currency)
	if o.Backordered {
		fmt.Fprintln(t, "backordered\tit waits for stock to come")
	}
	return t.Flush()
}

// orderCommands are the commands on orders, one for each of the API's.
func orderCommands(l *lookup) []*cobra.Command {
	commands := []*cobra.Command{placeCommand(l)}
	commands = append(commands, paymentCommands(l)...)
	commands = append(commands, shippingCommands(l)...)
	commands = append(commands, returnCommands(l)...)
	var holdReason, cancelReason, linesReason string
	var lines []string
	confirm := orderChange(l, "confirm ORDER_ID", "Confirm an order that is authorized or on account", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			return api.ConfirmOrder(ctx, args[0], o...)
		})
	hold := orderChange(l, "hold ORDER_ID", "Stop an order where it is", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			return api.HoldOrder(ctx, args[0], holdReason, o...)
		})
	resume := orderChange(l, "resume ORDER_ID", "Let an order on hold go on", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			return api.ResumeOrder(ctx, args[0], o...)
		})
	cancel := orderChange(l, "cancel ORDER_ID", "End an order that has not shipped", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			return api.CancelOrder(ctx, args[0], cancelReason, o...)
		})
	cancelLines := orderChange(l, "cancel-lines ORDER_ID", "Take quantities that have not shipped off an order", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			chosen, err := quantities(lines)
			if err != nil {
				return nil, err
			}
			return api.CancelLines(ctx, args[0], client.CancelLines{Lines: chosen, Reason: linesReason}, o...)
		})
	amend := amendCommand(l)
	hold.Flags().StringVar(&holdReason, "reason", "", "why")
	cancel.Flags().StringVar(&cancelReason, "reason", "", "why")
	cancelLines.Flags().StringVar(&linesReason, "reason", "", "why")
	cancelLines.Flags().StringArrayVar(&lines, "line", nil, "SKU=QUANTITY; several times for several")
	return append(commands, confirm, hold, resume, cancel, cancelLines, amend)
}

func amendCommand(l *lookup) *cobra.Command {
	var amendment client.AmendOrder
	var lines []string
	c := orderChange(l, "amend ORDER_ID", "Change quantities and prices of lines, or add lines, and wait for the stock", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			var err error
			if amendment.Lines, err = amendedLines(lines); err != nil {
				return nil, err
			}
			return api.AmendOrder(ctx, args[0], amendment, o...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil,
		"SKU=QUANTITY[@PRICE][#LINE], as in A1=3, A1=3#2 for the second line of the order, or C3=1@2.55 for a new one; 0 takes a line off; several times for several")
	c.Flags().StringVar(&amendment.Reason, "reason", "", "why")
	return c
}

func placeCommand(l *lookup) *cobra.Command {
	var order client.PlaceOrder
	var lines []string
	var terms, policy string
	c := orderChange(l, "place", "Place an order, and wait for its reservation", 0,
		func(ctx context.Context, api *client.Client, _ []string, o options) (orderAnswer, error) {
			var err error
			if order.Lines, err = pricedLines(lines); err != nil {
				return nil, err
			}
			order.PaymentTerms = client.PlaceOrderPaymentTerms(terms)
			order.Allocation.Policy = client.AllocationPolicy(policy)
			return api.PlaceOrder(ctx, order, o...)
		})
	c.Flags().StringVar(&order.CustomerID, "customer", "", "customer ID")
	c.Flags().StringVar(&order.Currency, "currency", "", "ISO 4217 code")
	c.Flags().StringArrayVar(&lines, "line", nil, "SKU=QUANTITY@PRICE, as in A1=2@2.55; several times for several")
	c.Flags().StringVar(&terms, "terms", "prepaid", "prepaid or on_account")
	complete(c, "terms", "prepaid", "on_account")
	c.Flags().StringVar(&order.Country, "country", "", "country")
	c.Flags().StringVar(&order.Reference, "reference", "", "the shop's own number")
	c.Flags().StringVar(&policy, "allocation", "", "where each SKU comes from: single_location, fewest_locations or split")
	complete(c, "allocation", "single_location", "fewest_locations", "split")
	c.Flags().StringArrayVar(&order.Allocation.Locations, "from-location", nil, "location to try first; several times for several, in their order")
	c.Flags().StringVar(&order.Total, "total", "", "what the customer expects to pay; another total is refused")
	return c
}

// paymentCommands have one command for each action of a payment.
func paymentCommands(l *lookup) []*cobra.Command {
	var commands []*cobra.Command
	for _, action := range []struct {
		name, short    string
		amount, reason bool
	}{
		{"start", "The customer is paying: the order waits longer", false, false},
		{"authorize", "A payment provider holds money for the order", true, false},
		{"capture", "Money that was authorized was taken", true, false},
		{"void", "The provider let go of money that it held; without --amount of all", true, true},
		{"refund", "Money that was captured went back; without --amount all", true, true},
		{"fail", "A payment did not come about", false, true},
	} {
		var payment client.Payment
		payment.Action = client.PaymentAction(action.name)
		c := orderChange(l, action.name+"-payment ORDER_ID", action.short, 1,
			func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
				return api.RecordPayment(ctx, args[0], payment, o...)
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

// shippingCommands are those on fulfilments.
func shippingCommands(l *lookup) []*cobra.Command {
	var lines, packedLines []string
	var shipment client.ShipOrder
	var later client.ShipFulfilment
	var reason string
	ship := orderChange(l, "ship ORDER_ID", "Record that lines left; without --line all that can", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			var err error
			if shipment.Lines, err = quantities(lines); err != nil {
				return nil, err
			}
			return api.ShipOrder(ctx, args[0], shipment, o...)
		})
	ship.Flags().StringArrayVar(&lines, "line", nil, "SKU=QUANTITY; several times for several")
	ship.Flags().StringVar(&shipment.TrackingReference, "tracking", "", "tracking reference")
	ship.Flags().BoolVar(&shipment.Capture, "capture", false, "capture the payment for what ships")
	ship.Flags().StringVar(&shipment.PaymentReference, "payment-reference", "", "with --capture: the payment provider's reference for it")
	create := orderChange(l, "create-fulfilment ORDER_ID", "Set lines aside for a shipment; without --line all that can ship", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			chosen, err := quantities(packedLines)
			if err != nil {
				return nil, err
			}
			return api.ShipOrder(ctx, args[0], client.ShipOrder{Action: client.Create, Lines: chosen}, o...)
		})
	create.Flags().StringArrayVar(&packedLines, "line", nil, "SKU=QUANTITY; several times for several")
	shipFulfilment := orderChange(l, "ship-fulfilment ORDER_ID FULFILMENT_ID", "Record that a fulfilment left", 2,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			return api.ShipFulfilment(ctx, args[0], args[1], later, o...)
		})
	shipFulfilment.Flags().StringVar(&later.TrackingReference, "tracking", "", "tracking reference")
	shipFulfilment.Flags().BoolVar(&later.Capture, "capture", false, "capture the payment for what ships")
	shipFulfilment.Flags().StringVar(&later.PaymentReference, "payment-reference", "", "with --capture: the payment provider's reference for it")
	cancel := orderChange(l, "cancel-fulfilment ORDER_ID FULFILMENT_ID", "Give up a fulfilment that has not left", 2,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			return api.CancelFulfilment(ctx, args[0], args[1], reason, o...)
		})
	cancel.Flags().StringVar(&reason, "reason", "", "why")
	var arrivedLines []string
	deliver := orderChange(l, "deliver ORDER_ID FULFILMENT_ID", "Record that a shipment arrived; with --line, lines of it", 2,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			arrived, err := quantities(arrivedLines)
			if err != nil {
				return nil, err
			}
			return api.DeliverOrder(ctx, args[0], args[1], client.DeliverOrder{Lines: arrived}, o...)
		})
	deliver.Flags().StringArrayVar(&arrivedLines, "line", nil, "SKU=QUANTITY; several times for several")
	return []*cobra.Command{ship, create, shipFulfilment, cancel, deliver}
}
