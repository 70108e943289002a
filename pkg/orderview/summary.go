package orderview

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// summary is what the indexes need to know of an order, so that the whole order need not be folded for each event. It
// is kept in the order's history.
type summary struct {
	status    string
	placedAt  int64 // micros
	unshipped int64 // units still to ship
	customer  string
	version   uint64
	number    uint64
	// metadata are the entries that an event of the batch states, as their index has them, and indexedMetadata those
	// that the index on disk has instead. Both are empty where no event states any: entries change only with a past
	// document that comes again.
	metadata, indexedMetadata []string

	// indexed is the status under which the index on disk has the order, indexedCustomer the customer. Both are empty
	// for an order that is not in the store.
	indexed, indexedCustomer string
}

// apply updates the summary by the order's next event.
func (s *summary) apply(ev *eventv1.OrderEvent) {
	if p := placedBy(ev); p != nil {
		s.customer, s.metadata = p.CustomerId, metadataValues(p.Metadata)
	}
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2:
		s.unshipped = units(c.OrderPlacedV2.Lines)
	case *eventv1.OrderEvent_LinesShippedV2:
		s.ship(c.LinesShippedV2.Lines)
	case *eventv1.OrderEvent_ShipmentReconciledV2:
		s.ship(c.ShipmentReconciledV2.Lines)
	case *eventv1.OrderEvent_DeliveryFailed:
		for _, l := range c.DeliveryFailed.Lines {
			s.unshipped += l.Quantity
		}
		s.status = statusAfterFailure(s.status)
	case *eventv1.OrderEvent_OrderAmendedV2:
		for _, l := range c.OrderAmendedV2.Lines {
			s.unshipped += l.Quantity - l.FormerQuantity
		}
	case *eventv1.OrderEvent_LinesCancelledV2:
		for _, l := range c.LinesCancelledV2.Lines {
			s.unshipped -= l.Quantity
		}
		if s.unshipped <= 0 {
			s.status = statusCompleted
		}
	}
	if ev.Meta.Version == 1 {
		s.placedAt = ev.Meta.OccurredAtMicros
	}
	if status := statusAfter(ev); status != "" {
		s.status = status
	}
}

func (s *summary) ship(lines []*eventv1.LineQuantity) {
	for _, l := range lines {
		s.unshipped -= l.Quantity
	}
	s.status = statusAfterShipment(s.status, s.unshipped)
}

func metadataValues(entries []*eventv1.MetadataEntry) (values []string) {
	for _, e := range entries {
		values = append(values, metadataValue(e.Key, e.Value))
	}
	return values
}

func units(lines []*eventv1.OrderLine) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}

// writeIndexes moves the order in the index by status, and enters a new order into the indexes by customer and by
// metadata. buf is memory to make keys in, which is returned.
func (s *summary) writeIndexes(b *pebble.Batch, id string, buf []byte) ([]byte, error) {
	if s.status == s.indexed && s.customer == s.indexedCustomer && len(s.metadata)+len(s.indexedMetadata) == 0 {
		return buf, nil
	}
	var err error
	if s.indexed != "" {
		buf = indexKey(buf[:0], keyStatus, s.indexed, s.placedAt, id)
		err = b.Delete(buf, nil)
	}
	if s.indexed != "" && s.customer != s.indexedCustomer { // a document that was refused comes again with another one
		buf = indexKey(buf[:0], keyCustomer, s.indexedCustomer, s.placedAt, id)
		err = errors.Join(err, b.Delete(buf, nil))
	}
	if s.indexed == "" || s.customer != s.indexedCustomer {
		buf = indexKey(buf[:0], keyCustomer, s.customer, s.placedAt, id)
		err = errors.Join(err, b.Set(buf, nil, nil))
	}
	for _, entry := range s.indexedMetadata {
		buf = indexKey(buf[:0], keyMetadata, entry, s.placedAt, id)
		err = errors.Join(err, b.Delete(buf, nil))
	}
	for _, entry := range s.metadata {
		buf = indexKey(buf[:0], keyMetadata, entry, s.placedAt, id)
		err = errors.Join(err, b.Set(buf, nil, nil))
	}
	buf = indexKey(buf[:0], keyStatus, s.status, s.placedAt, id)
	return buf, errors.Join(err, b.Set(buf, nil, nil))
}

// readSummary reads the summary of an order; that of an order that is not in the store is empty.
func readSummary(db *pebble.DB, id string) (*summary, error) {
	s := &summary{}
	v, closer, err := db.Get(historyKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", id, err)
	}
	var last []byte
	err = eachChunk(v, func(summary, _ []byte) error { last = summary; return nil })
	if err == nil {
		err = s.decode(last)
	}
	if err != nil {
		err = fmt.Errorf("read order %s: %w; delete the order view's folder, the log restores it", id, err)
	}
	return s, errors.Join(err, closer.Close())
}

// readIndexedMetadata reads which entries of an order's metadata are in the index: those that were stated last.
func readIndexedMetadata(db *pebble.DB, id string) (values []string, err error) {
	v, closer, err := db.Get(historyKey(id))
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	h, err := readHistory(v)
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w; delete the order view's folder, the log restores it", id, err)
	}
	for _, ev := range h.events {
		if p := placedBy(ev); p != nil {
			values = metadataValues(p.Metadata)
		}
	}
	return values, nil
}

// summaryBytes is the size of an encoded summary up to the number.
const summaryBytes = 24

func (s *summary) encode(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(s.placedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(s.unshipped))
	b = binary.BigEndian.AppendUint64(b, s.version)
	b = binary.AppendUvarint(b, s.number)
	return append(append(append(b, s.status...), 0), s.customer...)
}

func (s *summary) decode(v []byte) error {
	if len(v) < summaryBytes {
		return errShortHistory
	}
	s.placedAt = int64(binary.BigEndian.Uint64(v))
	s.unshipped = int64(binary.BigEndian.Uint64(v[8:]))
	s.version = binary.BigEndian.Uint64(v[16:])
	var w int
	if s.number, w = binary.Uvarint(v[summaryBytes:]); w <= 0 {
		return errShortHistory
	}
	s.status, s.customer, _ = strings.Cut(string(v[summaryBytes+w:]), "\x00")
	s.indexed, s.indexedCustomer = s.status, s.customer
	return nil
}
