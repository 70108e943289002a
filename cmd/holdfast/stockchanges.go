package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/input"
)

// newStockChange is a command of `holdfast stock`. Its first argument is the SKU.
func newStockChange(
	api *apiFlags, use, short string, args int, send func(*call) (*client.StockAnswer, error),
) *cobra.Command {
	print := func(w io.Writer, a *client.Availability) error { return writeStock(w, []client.Availability{*a}) }
	return changeCommand[client.Availability]{use, short, args, send, print}.build(api)
}

// stockChanges are the commands on stock items, one for each of the API's.
func stockChanges(api *apiFlags) []*cobra.Command {
	return []*cobra.Command{
		newRegisterCommand(api),
		newBackorderLimitCommand(api),
		newReceiveCommand(api),
		newExpectCommand(api),
		newMoveCommand(api),
		newAdjustCommand(api),
		newCountCommand(api),
		newSafetyStockCommand(api),
		newTransferCommand(api),
		newReceiveTransferCommand(api),
		newCancelTransferCommand(api),
	}
}

func newRegisterCommand(api *apiFlags) *cobra.Command {
	var item client.RegisterItem
	var entries []string
	var without bool
	c := newStockChange(api, "register SKU", "Register an item, or change its description and metadata", 1,
		func(c *call) (*client.StockAnswer, error) {
			if without || len(entries) > 0 {
				var err error
				if item.Metadata, err = metadata(entries); err != nil {
					return nil, err
				}
			}
			return c.api.RegisterItem(c.ctx, c.args[0], item, c.options...)
		})
	flags := c.Flags()
	flags.StringVar(&item.Description, "description", "", "description, as `TEXT`; without it the item has none")
	flags.StringArrayVar(&entries, "metadata", nil,
		"`KEY=VALUE` to keep with the item instead of what it has; repeat the flag for more")
	flags.BoolVar(&without, "no-metadata", false, "remove the item's metadata; without either flag it stays")
	c.MarkFlagsMutuallyExclusive("metadata", "no-metadata")
	return c
}

func newBackorderLimitCommand(api *apiFlags) *cobra.Command {
	return newStockChange(api, "backorder-limit SKU LIMIT", "Set how much may be sold beyond what is there", 2,
		func(c *call) (*client.StockAnswer, error) {
			limit, err := number("limit", c.args[1])
			if err != nil {
				return nil, err
			}
			return c.api.SetBackorderLimit(c.ctx, c.args[0], limit, c.options...)
		})
}

// stockFlags say where stock changes and which document it belongs to.
type stockFlags struct{ location, reference string }

// newQuantityChange is a command whose second argument is a quantity.
func newQuantityChange(
	api *apiFlags, use, short string, send func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error),
) *cobra.Command {
	f := &stockFlags{}
	c := newStockChange(api, use, short, 2, func(c *call) (*client.StockAnswer, error) {
		n, err := c.quantity(1)
		if err != nil {
			return nil, err
		}
		return send(c, n, f)
	})
	c.Flags().StringVar(&f.location, "location", input.DefaultLocation, "the `LOCATION`")
	return c
}

// newDocumentedChange is a command whose second argument is a quantity, and which has --reference.
func newDocumentedChange(
	api *apiFlags, use, short string, send func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error),
) *cobra.Command {
	var reference string
	c := newQuantityChange(api, use, short, func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error) {
		f.reference = reference
		return send(c, n, f)
	})
	c.Flags().StringVar(&reference, "reference", "", "`NUMBER` of the document, such as a purchase order")
	return c
}

func newReceiveCommand(api *apiFlags) *cobra.Command {
	var cost, currency string
	c := newDocumentedChange(api, "receive SKU QUANTITY", "Record goods that have arrived",
		func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error) {
			receipt := client.ReceiveStock{
				Location: f.location, Quantity: n, Reference: f.reference, UnitCost: cost, CostCurrency: currency,
			}
			return c.api.ReceiveStock(c.ctx, c.args[0], receipt, c.options...)
		})
	c.Flags().StringVar(&cost, "unit-cost", "", "what one unit cost, as `AMOUNT`; with --cost-currency")
	c.Flags().StringVar(&currency, "cost-currency", "", "ISO 4217 `CODE` of --unit-cost")
	return c
}

func newExpectCommand(api *apiFlags) *cobra.Command {
	return newDocumentedChange(api, "expect SKU QUANTITY", "Set how much of a delivery is still to come",
		func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error) {
			delivery := client.ExpectStock{Location: f.location, Quantity: n, Reference: f.reference}
			return c.api.ExpectStock(c.ctx, c.args[0], delivery, c.options...)
		})
}

func newMoveCommand(api *apiFlags) *cobra.Command {
	var from, to string
	states := schema.StockStates.All()
	c := newDocumentedChange(api, "move SKU QUANTITY", "Move units from one state to another",
		func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error) {
			move := client.MoveStock{
				Location: f.location, Quantity: n, Reference: f.reference,
				From: client.StockState(from), To: client.StockState(to),
			}
			return c.api.MoveStock(c.ctx, c.args[0], move, c.options...)
		})
	c.Flags().StringVar(&from, "from", string(client.StockStateAvailable),
		"the `STATE` that they leave: "+enumerate(states, "or"))
	c.Flags().StringVar(&to, "to", "", "the `STATE` that they get (required)")
	completeFlag(c, "from", states...)
	completeFlag(c, "to", states...)
	return c
}

func newAdjustCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newDocumentedChange(api,
		"adjust SKU DELTA", "Change what is on hand: adjust A1 5, adjust -- A1 -5",
		func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error) {
			adjustment := client.AdjustStock{
				Location: f.location, Delta: n, Reference: f.reference, Reason: client.Reason(reason),
			}
			return c.api.AdjustStock(c.ctx, c.args[0], adjustment, c.options...)
		})
	reasons := schema.Reasons.All()
	c.Flags().StringVar(&reason, "reason", string(client.ReasonCorrection), "`REASON`: "+enumerate(reasons, "or"))
	completeFlag(c, "reason", reasons...)
	return c
}

func newCountCommand(api *apiFlags) *cobra.Command {
	var countedAt int64
	c := newDocumentedChange(api, "count SKU QUANTITY", "Set what is on hand to what was counted",
		func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error) {
			count := client.CountStock{
				Location: f.location, Counted: n, Reference: f.reference, CountedAtVersion: countedAt,
			}
			return c.api.CountStock(c.ctx, c.args[0], count, c.options...)
		})
	c.Flags().Int64Var(&countedAt, "counted-at-version", 0,
		"the item's `VERSION` when counting began; the count is refused if goods of the location have moved since")
	return c
}

func newSafetyStockCommand(api *apiFlags) *cobra.Command {
	return newQuantityChange(api, "safety-stock SKU QUANTITY", "Set how much is kept back from sale",
		func(c *call, n int64, f *stockFlags) (*client.StockAnswer, error) {
			safety := client.SetSafetyStock{Location: f.location, Quantity: n}
			return c.api.SetSafetyStock(c.ctx, c.args[0], safety, c.options...)
		})
}

func newTransferCommand(api *apiFlags) *cobra.Command {
	var shipment client.ShipTransfer
	c := newStockChange(api,
		"transfer SKU QUANTITY", "Send stock to another location", 2,
		func(c *call) (*client.StockAnswer, error) {
			var err error
			if shipment.Quantity, err = c.quantity(1); err != nil {
				return nil, err
			}
			return c.api.ShipTransfer(c.ctx, c.args[0], shipment, c.options...)
		})
	c.Flags().StringVar(&shipment.FromLocation, "from", input.DefaultLocation, "the `LOCATION` that it leaves")
	c.Flags().StringVar(&shipment.ToLocation, "to", "", "the `LOCATION` that it goes to (required)")
	c.Flags().StringVar(&shipment.Reference, "reference", "", "`NUMBER` of the document")
	return c
}

func newReceiveTransferCommand(api *apiFlags) *cobra.Command {
	var receipt client.ReceiveTransfer
	c := newStockChange(api, "receive-transfer SKU TRANSFER_ID QUANTITY", "Record what has arrived of a transfer", 3,
		func(c *call) (*client.StockAnswer, error) {
			var err error
			if receipt.Quantity, err = c.quantity(2); err != nil {
				return nil, err
			}
			return c.api.ReceiveTransfer(c.ctx, c.args[0], c.args[1], receipt, c.options...)
		})
	c.Flags().Int64Var(&receipt.Missing, "missing", 0, "`UNITS` that will not arrive")
	c.Flags().Int64Var(&receipt.Damaged, "damaged", 0, "`UNITS` that have arrived and cannot be sold")
	c.Flags().Int64Var(&receipt.Rejected, "rejected", 0, "`UNITS` that go back to where they came from")
	c.Flags().StringVar(&receipt.Reason, "reason", "", "with --rejected: the reason, as `TEXT`")
	return c
}

func newCancelTransferCommand(api *apiFlags) *cobra.Command {
	var reason string
	c := newStockChange(api, "cancel-transfer SKU TRANSFER_ID", "Cancel what has not arrived of a transfer", 2,
		func(c *call) (*client.StockAnswer, error) {
			return c.api.CancelTransfer(c.ctx, c.args[0], c.args[1], reason, c.options...)
		})
	c.Flags().StringVar(&reason, "reason", "", reasonUsage)
	return c
}
