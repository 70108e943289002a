package codec

import (
	"fmt"
	"sync"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// inventoryScratch is the memory of one encoding. It is reused for the next event: nothing of a message outlives its
// encoding.
type inventoryScratch struct {
	event     eventv1.InventoryEvent
	meta      metaScratch
	total     eventv1.Level
	locations locationScratch
	step      eventv1.ReservationStep
	// placed keeps the bytes that step points to.
	placed inventory.ID
}

var inventoryScratches = sync.Pool{New: func() any { return new(inventoryScratch) }}

// AppendInventory appends the record value of an item's event to dst, and names its CloudEvents type
// ("holdfast.stock_reserved.v1"). It fails for a change that the schema does not know.
func AppendInventory(dst []byte, sku string, m *Meta, ev inventory.Event) (value []byte, ceType string, err error) {
	s := inventoryScratches.Get().(*inventoryScratch)
	defer inventoryScratches.Put(s)
	fillLevel(&s.total, &ev.Total)
	s.event.Meta, s.event.Sku, s.event.Total = s.meta.fill(m), sku, &s.total
	s.event.Locations = s.locations.fill(ev.Locations)
	if ceType = s.setStock(ev.Change); ceType == "" {
		ceType = s.setReservation(ev.Change)
	}
	if ceType == "" {
		return dst, "", incomplete("inventory event", fmt.Sprintf("no change in the schema for %T", ev.Change))
	}
	value, err = appendMessage(dst, &s.event)
	return value, ceType, err
}

// DecodeInventory reads a record value of inventory.events. Errors wrap ErrMalformed or ErrIncomplete.
func DecodeInventory(value []byte) (sku string, m Meta, ev inventory.Event, err error) {
	var e eventv1.InventoryEvent
	if err := schema.ReadInventory(value, &e); err != nil {
		return "", Meta{}, inventory.Event{}, unreadable("inventory event", err)
	}
	if m, ev, err = readInventory(&e); err != nil {
		return "", Meta{}, inventory.Event{}, fmt.Errorf("inventory event: %w", err)
	}
	return e.Sku, m, ev, nil
}

func readInventory(e *eventv1.InventoryEvent) (m Meta, ev inventory.Event, err error) {
	if m, err = readMeta(e.Meta); err != nil {
		return m, ev, err
	}
	if e.Total == nil {
		return m, ev, incomplete("total", "missing")
	}
	ev.Total = readLevel(e.Total)
	if ev.Locations, err = fromLocations(e.Locations); err != nil {
		return m, ev, err
	}
	if ev.Change = readStock(e); ev.Change != nil {
		return m, ev, nil
	}
	ev.Change, err = readReservation(e)
	return m, ev, err
}
