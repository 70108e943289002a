package postgres

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/bench/peers/shop"
)

// batchArgs are the arguments of place_orders: a column each, of orders, of lines, and of SKUs in their order.
func batchArgs(orders []*shop.Order) []any {
	n := len(orders)
	ids, fingerprints, totals := make([]uuid.UUID, n), make([][]byte, n), make([]int64, n)
	customers, currencies, events := make([]string, n), make([]string, n), make([]string, n)
	var of []uuid.UUID
	var lines, quantities, prices []int64
	var skus []string
	needed := make(map[string]int64, 2*n)
	for i, o := range orders {
		ids[i], fingerprints[i], totals[i] = o.ID, o.Fingerprint[:], o.TotalMicros
		customers[i], currencies[i], events[i] = o.CustomerID, o.Currency, string(o.Body)
		for k, l := range o.Lines {
			of, lines, skus = append(of, o.ID), append(lines, int64(k+1)), append(skus, l.SKU)
			quantities, prices = append(quantities, l.Quantity), append(prices, l.UnitPriceMicros)
		}
		for _, need := range o.Needs {
			needed[need.SKU] += need.Quantity
		}
	}
	neededSKUs := slices.Sorted(maps.Keys(needed))
	neededQuantities := make([]int64, len(neededSKUs))
	for i, sku := range neededSKUs {
		neededQuantities[i] = needed[sku]
	}
	return []any{
		ids, fingerprints, customers, currencies, totals, events, of, lines, skus, quantities, prices,
		neededSKUs, neededQuantities,
	}
}
