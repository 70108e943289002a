package codec

import (
	"fmt"
	"sync"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// orderScratch is the memory of one encoding. It is reused for the next event: nothing of a message outlives its
// encoding.
type orderScratch struct {
	event eventv1.OrderEvent
	meta  metaScratch
}

var orderScratches = sync.Pool{New: func() any { return new(orderScratch) }}

// AppendOrder appends the record value of an order's event to dst, and names its CloudEvents type
// ("holdfast.order_placed.v1"). It fails for an event that the schema does not know.
func AppendOrder(dst []byte, orderID string, m *Meta, ev order.Event) (value []byte, ceType string, err error) {
	s := orderScratches.Get().(*orderScratch)
	defer orderScratches.Put(s)
	e := &s.event
	e.Meta, e.OrderId = s.meta.fill(m), orderID
	if ceType = setOrderChange(e, ev); ceType == "" {
		return dst, "", incomplete("order event", fmt.Sprintf("no change in the schema for %T", ev))
	}
	value, err = appendMessage(dst, e)
	return value, ceType, err
}

// setOrderChange fills the change and returns its CloudEvents type, "" for an unknown event. The groups of events are
// in files of their own; the most frequent come first.
func setOrderChange(e *eventv1.OrderEvent, ev order.Event) string {
	if ceType := setLifecycle(e, ev); ceType != "" {
		return ceType
	}
	if ceType := setPayment(e, ev); ceType != "" {
		return ceType
	}
	if ceType := setShipment(e, ev); ceType != "" {
		return ceType
	}
	if ceType := setAmendment(e, ev); ceType != "" {
		return ceType
	}
	if ceType := setReturn(e, ev); ceType != "" {
		return ceType
	}
	return setImport(e, ev)
}

// DecodeOrder reads a record value of orders.events. Errors wrap ErrMalformed or ErrIncomplete.
func DecodeOrder(value []byte) (orderID string, m Meta, ev order.Event, err error) {
	var e eventv1.OrderEvent
	if err := schema.ReadOrder(value, &e); err != nil {
		return "", Meta{}, nil, unreadable("order event", err)
	}
	if m, err = readMeta(e.Meta); err != nil {
		return "", Meta{}, nil, fmt.Errorf("order event: %w", err)
	}
	if ev = readOrderChange(&e); ev == nil {
		return "", Meta{}, nil, incomplete("order event", "no change, or one that this version does not know")
	}
	return e.OrderId, m, ev, nil
}

// readOrderChange is the inverse of setOrderChange; nil for an unknown change.
func readOrderChange(e *eventv1.OrderEvent) order.Event {
	if ev := readLifecycle(e); ev != nil {
		return ev
	}
	if ev := readPayment(e); ev != nil {
		return ev
	}
	if ev := readShipment(e); ev != nil {
		return ev
	}
	if ev := readAmendment(e); ev != nil {
		return ev
	}
	if ev := readReturn(e); ev != nil {
		return ev
	}
	return readImport(e)
}
