package codec

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setStock fills the change of a stock command and returns its CloudEvents type, "" for another change.
func (s *inventoryScratch) setStock(change inventory.Change) string {
	e := &s.event
	switch c := change.(type) {
	case inventory.ItemRegistered:
		e.Change = &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{
			Description: c.Description, Metadata: toMetadataSet(c.Metadata),
		}}
		return "holdfast.item_registered.v1"
	case inventory.StockReceived:
		e.Change = &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{
			Location: c.Location, Quantity: c.Quantity, Reference: c.Reference, Expected: c.Expected,
			UnitCostMicros: c.Cost.Micros, CostCurrency: c.Cost.Currency,
		}}
		return "holdfast.stock_received.v1"
	case inventory.StockExpected:
		e.Change = &eventv1.InventoryEvent_StockExpected{StockExpected: &eventv1.StockExpected{
			Location: c.Location, Quantity: c.Quantity, Delta: c.Delta, Reference: c.Reference,
		}}
		return "holdfast.stock_expected.v1"
	case inventory.StockMoved:
		e.Change = &eventv1.InventoryEvent_StockMoved{StockMoved: &eventv1.StockMoved{
			Location: c.Location, From: eventv1.StockState(c.From), To: eventv1.StockState(c.To), Quantity: c.Quantity,
			Reference: c.Reference,
		}}
		return "holdfast.stock_moved.v1"
	case inventory.StockAdjusted:
		e.Change = &eventv1.InventoryEvent_StockAdjusted{StockAdjusted: &eventv1.StockAdjusted{
			Location: c.Location, Delta: c.Delta, Reason: eventv1.Reason(c.Reason), Reference: c.Reference,
		}}
		return "holdfast.stock_adjusted.v1"
	case inventory.StockCounted:
		e.Change = &eventv1.InventoryEvent_StockCounted{StockCounted: &eventv1.StockCounted{
			Location: c.Location, Counted: c.Counted, Delta: c.Delta, Reference: c.Reference,
			CountedAtVersion: c.CountedAtVersion,
		}}
		return "holdfast.stock_counted.v1"
	case inventory.SafetyStockSet:
		e.Change = &eventv1.InventoryEvent_SafetyStockSet{SafetyStockSet: &eventv1.SafetyStockSet{
			Location: c.Location, Quantity: c.Quantity, Delta: c.Delta, Target: c.Target,
		}}
		return "holdfast.safety_stock_set.v1"
	case inventory.BackorderLimitSet:
		e.Change = &eventv1.InventoryEvent_BackorderLimitSet{BackorderLimitSet: &eventv1.BackorderLimitSet{Limit: c.Limit}}
		return "holdfast.backorder_limit_set.v1"
	case inventory.TransferShipped:
		e.Change = &eventv1.InventoryEvent_TransferShipped{TransferShipped: &eventv1.TransferShipped{
			TransferId: c.TransferID, FromLocation: c.FromLocation, ToLocation: c.ToLocation, Quantity: c.Quantity,
			Reference: c.Reference,
		}}
		return "holdfast.transfer_shipped.v1"
	case inventory.TransferReceived:
		e.Change = &eventv1.InventoryEvent_TransferReceived{TransferReceived: &eventv1.TransferReceived{
			TransferId: c.TransferID, FromLocation: c.FromLocation, ToLocation: c.ToLocation,
			Quantity: c.Quantity, Missing: c.Missing, Damaged: c.Damaged, Rejected: c.Rejected, Reason: c.Reason,
		}}
		return "holdfast.transfer_received.v1"
	case inventory.TransferCancelled:
		e.Change = &eventv1.InventoryEvent_TransferCancelled{TransferCancelled: &eventv1.TransferCancelled{
			TransferId: c.TransferID, FromLocation: c.FromLocation, ToLocation: c.ToLocation, Quantity: c.Quantity,
			Reason: c.Reason,
		}}
		return "holdfast.transfer_cancelled.v1"
	}
	return ""
}

// readStock is the inverse of setStock; nil for another change.
func readStock(e *eventv1.InventoryEvent) inventory.Change {
	switch c := e.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		p := c.ItemRegistered
		return inventory.ItemRegistered{Description: p.Description, Metadata: fromMetadataSet(p.Metadata)}
	case *eventv1.InventoryEvent_StockReceived:
		p := c.StockReceived
		return inventory.StockReceived{Location: p.Location, Quantity: p.Quantity, Reference: p.Reference,
			Expected: p.Expected, Cost: inventory.UnitCost{Micros: p.UnitCostMicros, Currency: p.CostCurrency}}
	case *eventv1.InventoryEvent_StockExpected:
		p := c.StockExpected
		return inventory.StockExpected{Location: p.Location, Quantity: p.Quantity, Delta: p.Delta, Reference: p.Reference}
	case *eventv1.InventoryEvent_StockMoved:
		p := c.StockMoved
		return inventory.StockMoved{
			Location: p.Location, From: inventory.State(p.From), To: inventory.State(p.To), Quantity: p.Quantity,
			Reference: p.Reference,
		}
	case *eventv1.InventoryEvent_StockAdjusted:
		p := c.StockAdjusted
		return inventory.StockAdjusted{
			Location: p.Location, Delta: p.Delta, Reason: inventory.Reason(p.Reason), Reference: p.Reference,
		}
	case *eventv1.InventoryEvent_StockCounted:
		p := c.StockCounted
		return inventory.StockCounted{
			Location: p.Location, Counted: p.Counted, Delta: p.Delta, Reference: p.Reference,
			CountedAtVersion: p.CountedAtVersion,
		}
	case *eventv1.InventoryEvent_SafetyStockSet:
		p := c.SafetyStockSet
		return inventory.SafetyStockSet{Location: p.Location, Quantity: p.Quantity, Delta: p.Delta, Target: p.Target}
	case *eventv1.InventoryEvent_BackorderLimitSet:
		return inventory.BackorderLimitSet{Limit: c.BackorderLimitSet.Limit}
	case *eventv1.InventoryEvent_TransferShipped:
		p := c.TransferShipped
		return inventory.TransferShipped{
			TransferID: p.TransferId, FromLocation: p.FromLocation, ToLocation: p.ToLocation, Quantity: p.Quantity,
			Reference: p.Reference,
		}
	case *eventv1.InventoryEvent_TransferReceived:
		p := c.TransferReceived
		return inventory.TransferReceived{
			TransferID: p.TransferId, FromLocation: p.FromLocation, ToLocation: p.ToLocation,
			Quantity: p.Quantity, Missing: p.Missing, Damaged: p.Damaged, Rejected: p.Rejected, Reason: p.Reason,
		}
	case *eventv1.InventoryEvent_TransferCancelled:
		p := c.TransferCancelled
		return inventory.TransferCancelled{
			TransferID: p.TransferId, FromLocation: p.FromLocation, ToLocation: p.ToLocation, Quantity: p.Quantity,
			Reason: p.Reason,
		}
	}
	return nil
}
