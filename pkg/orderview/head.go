package orderview

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// head is what the indexes need to know of an order.
type head struct {
	status   string
	placedAt int64
	left     int64 // units still to ship
	customer string
	version  uint64

	// indexed is the status that the index on disk has, indexedCustomer its customer.
	indexed, indexedCustomer string
}

// follow keeps the indexes true to an order's newest event.
func (h *head) follow(ev *eventv1.OrderEvent) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		h.customer, h.left = c.OrderPlaced.CustomerId, units(c.OrderPlaced.Lines)
	case *eventv1.OrderEvent_OrderImported:
		h.customer = c.OrderImported.CustomerId
	case *eventv1.OrderEvent_CreditNoteImported:
		h.customer = c.CreditNoteImported.CustomerId
	case *eventv1.OrderEvent_ImportRequested:
		h.customer = asked(c.ImportRequested).CustomerId
	case *eventv1.OrderEvent_LinesShipped:
		h.ship(c.LinesShipped.Lines)
	case *eventv1.OrderEvent_ShipmentReconciled:
		h.ship(c.ShipmentReconciled.Lines)
	case *eventv1.OrderEvent_OrderAmended:
		for _, l := range c.OrderAmended.Lines {
			h.left += l.Quantity - l.FormerQuantity
		}
	case *eventv1.OrderEvent_LinesCancelled:
		h.take(units(c.LinesCancelled.Lines))
	}
	if ev.Meta.Version == 1 {
		h.placedAt = ev.Meta.OccurredAtMicros
	}
	if status := statusAfter(ev); status != "" {
		h.status = status
	}
}

// index moves the order in the index by status, and enters a new one in the index by customer. scratch is memory to
// make keys in.
func (h *head) index(b *pebble.Batch, id string, scratch []byte) ([]byte, error) {
	if h.status == h.indexed && h.customer == h.indexedCustomer {
		return scratch, nil
	}
	var err error
	if h.indexed != "" {
		scratch = indexKey(scratch[:0], keyStatus, h.indexed, h.placedAt, id)
		err = b.Delete(scratch, nil)
	}
	if h.indexed != "" && h.customer != h.indexedCustomer { // a document that was refused has come again, with another one
		scratch = indexKey(scratch[:0], keyCustomer, h.indexedCustomer, h.placedAt, id)
		err = errors.Join(err, b.Delete(scratch, nil))
	}
	if h.indexed == "" || h.customer != h.indexedCustomer {
		scratch = indexKey(scratch[:0], keyCustomer, h.customer, h.placedAt, id)
		err = errors.Join(err, b.Set(scratch, nil, nil))
	}
	scratch = indexKey(scratch[:0], keyStatus, h.status, h.placedAt, id)
	return scratch, errors.Join(err, b.Set(scratch, nil, nil))
}

func (h *head) ship(lines []*eventv1.LineQuantity) {
	var n int64
	for _, l := range lines {
		n += l.Quantity
	}
	h.left -= n
	h.status = statusShipped(h.status, h.left)
}

// take notes units that need not ship any more.
func (h *head) take(n int64) {
	if h.left -= n; h.left <= 0 {
		h.status = statusCompleted
	}
}

func units(lines []*eventv1.OrderLine) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}

func (w *writer) head(id string) (*head, error) {
	h := &head{}
	v, closer, err := w.db.Get(historyKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", id, err)
	}
	var last []byte
	err = chapters(v, func(head, _ []byte) error { last = head; return nil })
	if err == nil {
		err = h.decode(last)
	}
	if err != nil {
		err = fmt.Errorf("read order %s: %w; delete the order view's folder, the log restores it", id, err)
	}
	return h, errors.Join(err, closer.Close())
}

const headBytes = 24

func (h *head) encode(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(h.placedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(h.left))
	b = binary.BigEndian.AppendUint64(b, h.version)
	return append(append(append(b, h.status...), 0), h.customer...)
}

func (h *head) decode(v []byte) error {
	if len(v) < headBytes {
		return errShortHistory
	}
	h.placedAt = int64(binary.BigEndian.Uint64(v))
	h.left = int64(binary.BigEndian.Uint64(v[8:]))
	h.version = binary.BigEndian.Uint64(v[16:])
	h.status, h.customer, _ = strings.Cut(string(v[headBytes:]), "\x00")
	h.indexed, h.indexedCustomer = h.status, h.customer
	return nil
}
