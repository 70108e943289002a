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

	// indexed is the status that the index on disk has.
	indexed string
}

// follow keeps the indexes true to an order's newest event.
func (h *head) follow(b *pebble.Batch, ev *eventv1.OrderEvent) error {
	var err error
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		h.customer, h.left = c.OrderPlaced.CustomerId, units(c.OrderPlaced.Lines)
	case *eventv1.OrderEvent_OrderImported:
		h.customer = c.OrderImported.CustomerId
	case *eventv1.OrderEvent_CreditNoteImported:
		h.customer = c.CreditNoteImported.CustomerId
	case *eventv1.OrderEvent_LinesShipped:
		h.ship(c.LinesShipped.Lines)
	case *eventv1.OrderEvent_ShipmentReconciled:
		h.ship(c.ShipmentReconciled.Lines)
	case *eventv1.OrderEvent_LinesCancelled:
		h.take(units(c.LinesCancelled.Lines))
	}
	if ev.Meta.Version == 1 {
		h.placedAt = ev.Meta.OccurredAtMicros
		err = errors.Join(
			b.Set(indexKey(keyCustomer, h.customer, h.placedAt, ev.OrderId), nil, nil),
			b.Set(indexKey(keyRecent, "", h.placedAt, ev.OrderId), nil, nil))
	}
	if status := statusAfter(ev); status != "" {
		h.status = status
	}
	return err
}

// write stores the head and moves the order in the index by status.
func (h *head) write(b *pebble.Batch, id string) error {
	err := b.Set(key(keyHead, id), h.encode(), nil)
	if h.status == h.indexed {
		return err
	}
	if h.indexed != "" {
		err = errors.Join(err, b.Delete(indexKey(keyStatus, h.indexed, h.placedAt, id), nil))
	}
	return errors.Join(err, b.Set(indexKey(keyStatus, h.status, h.placedAt, id), nil, nil))
}

func (h *head) ship(lines []*eventv1.LineQuantity) {
	var n int64
	for _, l := range lines {
		n += l.Quantity
	}
	h.take(n)
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
	v, closer, err := w.db.Get(key(keyHead, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", id, err)
	}
	if len(v) >= 24 {
		h.placedAt = int64(binary.BigEndian.Uint64(v))
		h.left = int64(binary.BigEndian.Uint64(v[8:]))
		h.version = binary.BigEndian.Uint64(v[16:])
		h.status, h.customer, _ = strings.Cut(string(v[24:]), "\x00")
		h.indexed = h.status
	}
	return h, closer.Close()
}

func (h *head) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(h.placedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(h.left))
	b = binary.BigEndian.AppendUint64(b, h.version)
	return append(append(append(b, h.status...), 0), h.customer...)
}
