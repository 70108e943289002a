package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast/holdfast/pkg/client"
)

// shippingCommands are the commands on fulfilments.
func shippingCommands(api *apiFlags) []*cobra.Command {
	return []*cobra.Command{
		newShipCommand(api),
		newCreateFulfilmentCommand(api),
		newShipFulfilmentCommand(api),
		newCancelFulfilmentCommand(api),
		newDeliverCommand(api),
		newFailDeliveryCommand(api),
		newReverseShipmentCommand(api),
		newReverseDeliveryCommand(api),
	}
}

func newShipCommand(api *apiFlags) *cobra.Command {
	var lines []string
	var flags client.ShipFulfilment
	c := newOrderChange(api, "ship ORDER_ID", "Record that lines were shipped; without --line all", 1,
		func(c *call) (*client.OrderAnswer, error) {
			chosen, err := quantities(lines)
			if err != nil {
				return nil, err
			}
			shipment := client.ShipOrder{
				Lines: chosen, TrackingReference: flags.TrackingReference, Capture: flags.Capture,
				PaymentReference: flags.PaymentReference, ProviderEventID: flags.ProviderEventID,
				Provider: flags.Provider, UncoveredReason: flags.UncoveredReason,
				BackorderedReason: flags.BackorderedReason,
			}
			return c.api.ShipOrder(c.ctx, c.args[0], shipment, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	addShipmentFlags(c.Flags(), &flags)
	return c
}

// addShipmentFlags adds what both commands that ship may say of the shipment, and of the payment that is captured.
func addShipmentFlags(flags *pflag.FlagSet, s *client.ShipFulfilment) {
	flags.StringVar(&s.TrackingReference, "tracking", "", "the carrier's tracking `REFERENCE`")
	flags.BoolVar(&s.Capture, "capture", false, "capture the payment of what ships")
	flags.StringVar(&s.PaymentReference, "payment-reference", "",
		"with --capture: the payment provider's `REFERENCE` for it")
	flags.StringVar(&s.ProviderEventID, "provider-event-id", "", "with --capture: the payment provider's `ID` of it")
	flags.StringVar(&s.Provider, "provider", "", "with --capture: the payment provider's `NAME`, such as stripe")
	flags.StringVar(&s.UncoveredReason, "uncovered-reason", "",
		"why it leaves although the order is not covered, as `TEXT`")
	flags.StringVar(&s.BackorderedReason, "backordered-reason", "",
		"why goods leave that are backordered, as `TEXT`")
}

func newCreateFulfilmentCommand(api *apiFlags) *cobra.Command {
	var lines []string
	c := newOrderChange(api,
		"create-fulfilment ORDER_ID", "Pack lines for a shipment; without --line all", 1,
		func(c *call) (*client.OrderAnswer, error) {
			chosen, err := quantities(lines)
			if err != nil {
				return nil, err
			}
			shipment := client.ShipOrder{Action: client.Create, Lines: chosen}
			return c.api.ShipOrder(c.ctx, c.args[0], shipment, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	return c
}

func newShipFulfilmentCommand(api *apiFlags) *cobra.Command {
	var shipment client.ShipFulfilment
	c := newOrderChange(api, "ship-fulfilment ORDER_ID FULFILMENT_ID", "Record that a packed fulfilment was shipped", 2,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.ShipFulfilment(c.ctx, c.args[0], c.args[1], shipment, c.options...)
		})
	addShipmentFlags(c.Flags(), &shipment)
	return c
}

func newCancelFulfilmentCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newOrderChange(api,
		"cancel-fulfilment ORDER_ID FULFILMENT_ID", "Cancel a fulfilment that has not shipped", 2,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.CancelFulfilment(c.ctx, c.args[0], c.args[1], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", reasonUsage)
	return c
}

func newDeliverCommand(api *apiFlags) *cobra.Command {
	var lines []string
	c := newOrderChange(api,
		"deliver ORDER_ID FULFILMENT_ID", "Record that a shipment was delivered; without --line all", 2,
		func(c *call) (*client.OrderAnswer, error) {
			arrived, err := quantities(lines)
			if err != nil {
				return nil, err
			}
			delivery := client.DeliverOrder{Lines: arrived}
			return c.api.DeliverOrder(c.ctx, c.args[0], c.args[1], delivery, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	return c
}

func newFailDeliveryCommand(api *apiFlags) *cobra.Command {
	var lines, charges []string
	var condition string
	var failure client.FailDelivery
	c := newOrderChange(api,
		"fail-delivery ORDER_ID FULFILMENT_ID", "Record that a shipment came back undelivered, or is lost", 2,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			failure.Condition = client.UndeliveredCondition(condition)
			if failure.Lines, err = undeliveredLines(lines); err != nil {
				return nil, err
			}
			if failure.Charges, err = credits(charges); err != nil {
				return nil, err
			}
			return c.api.FailDelivery(c.ctx, c.args[0], c.args[1], failure, c.options...)
		})
	c.Flags().StringVar(&condition, "condition", "",
		"`CONDITION` of all that has not arrived: resellable, damaged or lost")
	c.Flags().StringArrayVar(&lines, "line", nil,
		"instead of --condition, a `LINE`, as SKU=QUANTITY[#NUMBER]@CONDITION: A1=2@lost; repeat it for more")
	c.Flags().StringVar(&failure.Location, "location", "",
		"`LOCATION` that received them (default: where they were shipped from)")
	c.Flags().StringVar(&failure.Reason, "reason", "", reasonUsage)
	c.Flags().BoolVar(&failure.Cancel, "cancel", false, "cancel the goods, instead of shipping them again")
	c.Flags().StringArrayVar(&charges, "charge", nil, "with --cancel: "+backUsage)
	return c
}

func newReverseShipmentCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newOrderChange(api,
		"reverse-shipment ORDER_ID FULFILMENT_ID", "Take back a shipment that was recorded by mistake", 2,
		func(c *call) (*client.OrderAnswer, error) {
			return c.api.ReverseShipment(c.ctx, c.args[0], c.args[1], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", reasonUsage)
	return c
}

func newReverseDeliveryCommand(api *apiFlags) *cobra.Command {
	var lines []string
	var reversal client.ReverseDelivery
	c := newOrderChange(api,
		"reverse-delivery ORDER_ID FULFILMENT_ID", "Take back a delivery that was recorded by mistake", 2,
		func(c *call) (*client.OrderAnswer, error) {
			var err error
			if reversal.Lines, err = quantities(lines); err != nil {
				return nil, err
			}
			return c.api.ReverseDelivery(c.ctx, c.args[0], c.args[1], reversal, c.options...)
		})
	c.Flags().StringArrayVar(&lines, "line", nil, linesUsage)
	c.Flags().StringVar(&reversal.Reason, "reason", "", reasonUsage)
	return c
}
