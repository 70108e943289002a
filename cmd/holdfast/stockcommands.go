package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

type stockAnswer = *client.Answer[client.Availability]

func stockChange(l *lookup, use, short string, args int, do func(ctx context.Context, api *client.Client, args []string, o options) (stockAnswer, error)) *cobra.Command {
	return changing(l, use, short, cobra.ExactArgs(args), func(w io.Writer, a *client.Availability) error {
		return writeStock(w, []client.Availability{*a})
	}, do)
}

// stockCommands are the commands on stock items, one for each of the API's.
func stockCommands(l *lookup) []*cobra.Command {
	var description string
	register := stockChange(l, "register SKU", "Make a SKU known, or change its description", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (stockAnswer, error) {
			return api.RegisterItem(ctx, args[0], description, o...)
		})
	register.Flags().StringVar(&description, "description", "", "what it is")
	limit := stockChange(l, "backorder-limit SKU LIMIT", "Let orders take so much more than there is", 2,
		func(ctx context.Context, api *client.Client, args []string, o options) (stockAnswer, error) {
			n, err := number("limit", args[1])
			if err != nil {
				return nil, err
			}
			return api.SetBackorderLimit(ctx, args[0], n, o...)
		})
	return append(append([]*cobra.Command{register, limit}, quantityCommands(l)...), transferCommands(l)...)
}

// transferCommands send stock from one location to another.
func transferCommands(l *lookup) []*cobra.Command {
	var shipment client.ShipTransfer
	ship := stockChange(l, "transfer SKU QUANTITY", "Send stock to another location; the answer has the transfer_id", 2,
		func(ctx context.Context, api *client.Client, args []string, o options) (stockAnswer, error) {
			n, err := number("quantity", args[1])
			if err != nil {
				return nil, err
			}
			shipment.Quantity = n
			return api.ShipTransfer(ctx, args[0], shipment, o...)
		})
	ship.Flags().StringVar(&shipment.FromLocation, "from", "main", "location that it leaves")
	ship.Flags().StringVar(&shipment.ToLocation, "to", "", "location that it goes to")
	ship.Flags().StringVar(&shipment.Reference, "reference", "", "reference of the document")
	var receipt client.ReceiveTransfer
	receive := stockChange(l, "receive-transfer SKU TRANSFER QUANTITY", "So much of a transfer has arrived", 3,
		func(ctx context.Context, api *client.Client, args []string, o options) (stockAnswer, error) {
			n, err := number("quantity", args[2])
			if err != nil {
				return nil, err
			}
			receipt.Quantity = n
			return api.ReceiveTransfer(ctx, args[0], args[1], receipt, o...)
		})
	receive.Flags().Int64Var(&receipt.Missing, "missing", 0, "units that will not arrive")
	receive.Flags().Int64Var(&receipt.Damaged, "damaged", 0, "units that have arrived and cannot be sold")
	receive.Flags().Int64Var(&receipt.Rejected, "rejected", 0, "units that go back to where they came from")
	receive.Flags().StringVar(&receipt.Reason, "reason", "", "with --rejected: why")
	return []*cobra.Command{ship, receive}
}

// place is where stock changes, and which document says so.
type place struct{ location, reference string }

func (p *place) flags(c *cobra.Command, reference bool) {
	c.Flags().StringVar(&p.location, "location", "main", "location")
	if reference {
		c.Flags().StringVar(&p.reference, "reference", "", "reference of the document, such as a purchase order")
	}
}

// quantityCommands take a SKU and a quantity.
func quantityCommands(l *lookup) []*cobra.Command {
	var from, to, reason string
	var commands []*cobra.Command
	add := func(use, short string, reference bool, do func(ctx context.Context, api *client.Client, sku string, n int64, p place, o options) (stockAnswer, error)) *cobra.Command {
		p := &place{}
		c := stockChange(l, use, short, 2, func(ctx context.Context, api *client.Client, args []string, o options) (stockAnswer, error) {
			n, err := number("quantity", args[1])
			if err != nil {
				return nil, err
			}
			return do(ctx, api, args[0], n, *p, o)
		})
		p.flags(c, reference)
		commands = append(commands, c)
		return c
	}
	add("receive SKU QUANTITY", "Goods arrived", true,
		func(ctx context.Context, api *client.Client, sku string, n int64, p place, o options) (stockAnswer, error) {
			return api.ReceiveStock(ctx, sku, client.ReceiveStock{Location: p.location, Quantity: n, Reference: p.reference}, o...)
		})
	add("expect SKU QUANTITY", "So much of a delivery is still to come", true,
		func(ctx context.Context, api *client.Client, sku string, n int64, p place, o options) (stockAnswer, error) {
			return api.ExpectStock(ctx, sku, client.ExpectStock{Location: p.location, Quantity: n, Reference: p.reference}, o...)
		})
	move := add("move SKU QUANTITY", "Move units between available, damaged, quality_control and safety_stock", true,
		func(ctx context.Context, api *client.Client, sku string, n int64, p place, o options) (stockAnswer, error) {
			return api.MoveStock(ctx, sku, client.MoveStock{Location: p.location, Quantity: n, Reference: p.reference,
				From: client.StockState(from), To: client.StockState(to)}, o...)
		})
	move.Flags().StringVar(&from, "from", "available", "state that they leave")
	move.Flags().StringVar(&to, "to", "", "state that they go to")
	adjust := add("adjust SKU DELTA", "Change what is on hand, for a reason; below 0 after `--`", true,
		func(ctx context.Context, api *client.Client, sku string, n int64, p place, o options) (stockAnswer, error) {
			return api.AdjustStock(ctx, sku, client.AdjustStock{Location: p.location, Delta: n, Reference: p.reference, Reason: client.Reason(reason)}, o...)
		})
	states := []string{"available", "damaged", "quality_control", "safety_stock"}
	complete(move, "from", states...)
	complete(move, "to", states...)
	adjust.Flags().StringVar(&reason, "reason", "correction", "correction, cycle_count, damaged, received, restock, shrinkage, promotion, return or other")
	complete(adjust, "reason", "correction", "cycle_count", "damaged", "received", "restock", "shrinkage", "promotion", "return", "other")
	var countedAt int64
	count := add("count SKU QUANTITY", "Set what is on hand to what was counted", true,
		func(ctx context.Context, api *client.Client, sku string, n int64, p place, o options) (stockAnswer, error) {
			return api.CountStock(ctx, sku, client.CountStock{Location: p.location, Counted: n, Reference: p.reference, CountedAtVersion: countedAt}, o...)
		})
	count.Flags().Int64Var(&countedAt, "counted-at-version", 0, "the item's version when counting began; refused if goods of the location have moved since")
	add("safety-stock SKU QUANTITY", "Hold a quantity back from sale", false,
		func(ctx context.Context, api *client.Client, sku string, n int64, p place, o options) (stockAnswer, error) {
			return api.SetSafetyStock(ctx, sku, client.SetSafetyStock{Location: p.location, Quantity: n}, o...)
		})
	return commands
}
