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

// withGoods gives a new order the ID that puts it into the partition of its goods, where the platform places orders so.
// A past document keeps the ID of its key: it may be imported again years later.
func withGoods(cmd order.Command, tenant, key string, opts *Options) (_ order.Command, id string) {
	place, ok := cmd.(order.Place)
	if !ok || opts.PartitionsBySKU == nil || len(place.Lines) == 0 {
		return cmd, ""
	}
	partitions := opts.PartitionsBySKU()
	if partitions == 0 {
		return cmd, ""
	}
	place.OrderID = orderid.BySKU(tenant, key, place.Lines[0].SKU, partitions)
	return place, place.OrderID
}
