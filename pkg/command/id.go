package command

import (
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// FulfilmentID is the shipment that a client's key stands for within one order.
func FulfilmentID(orderID, key string) string { return orderid.Within("fulfilment", orderID, key) }

// ReturnID is the return that a client's key stands for within one order.
func ReturnID(orderID, key string) string { return orderid.Within("return", orderID, key) }

// TransferID is the transfer that a client's key stands for within one stock item.
func TransferID(sku, key string) string { return orderid.Within("transfer", sku, key) }

// withOwnID gives a new order the ID that it has where the platform places orders with their goods: one that puts it
// into the partition of its goods, or for a past document that of its kind and reference. id is empty where the order
// keeps the ID of its key.
func withOwnID(cmd order.Command, tenant, key string, opts *Options) (_ order.Command, id string) {
	if opts.PartitionsBySKU == nil {
		return cmd, ""
	}
	partitions := opts.PartitionsBySKU()
	if partitions == 0 {
		return cmd, ""
	}
	switch c := cmd.(type) {
	case order.Place:
		if len(c.Lines) == 0 {
			return cmd, ""
		}
		c.OrderID = orderid.BySKU(tenant, key, c.Lines[0].SKU, partitions)
		return c, c.OrderID
	case order.ImportDocument:
		kind := orderid.ImportedOrder
		if c.Kind == order.KindCreditNote {
			kind = orderid.CreditNote
		}
		c.OrderID = orderid.ByReference(tenant, kind, c.Reference)
		return c, c.OrderID
	}
	return cmd, ""
}
