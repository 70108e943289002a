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
	// entries are those of the indexes by SKU, reference and metadata that an event of the batch states, and
	// indexedEntries those that the indexes on disk have instead. Both are empty where no event states any: they change
	// only with a past document that comes again.
	entries, indexedEntries []entry

	// indexed is the status under which the index on disk has the order, indexedCustomer the customer. Both are empty
	// for an order that is not in the store.
	indexed, indexedCustomer string
}

// apply updates the summary by the order's next event.
func (s *summary) apply(ev *eventv1.OrderEvent) {
	if p := placedBy(ev); p != nil {
		s.customer, s.entries = p.CustomerId, entriesOf(p)
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
	case *eventv1.OrderEvent_ShipmentReversed:
		for _, l := range c.ShipmentReversed.Lines {
			s.unshipped += l.Quantity
		}
		s.status = statusAfterFailure(s.status)
	case *eventv1.OrderEvent_OrderAmendedV2:
		for _, l := range c.OrderAmendedV2.Lines {
			s.unshipped += l.Quantity - l.FormerQuantity
			s.entries = append(s.entries, entry{keySKU, l.Sku}) // it may be a new line
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

// entry is a value under which an index has the order.
type entry struct {
	kind  byte
	value string
}

// entriesOf are those of an order as it is placed. Lines may repeat a SKU.
func entriesOf(p *eventv1.OrderPlacedV2) []entry {
	entries := make([]entry, 0, len(p.Lines)+len(p.Metadata)+1)
	for _, l := range p.Lines {
		entries = append(entries, entry{keySKU, l.Sku})
	}
	if p.Reference != "" {
		entries = append(entries, entry{keyReference, p.Reference})
	}
	for _, e := range p.Metadata {
		entries = append(entries, entry{keyMetadata, metadataValue(e.Key, e.Value)})
	}
	return entries
}

func units(lines []*eventv1.OrderLine) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}

// writeIndexes moves the order in the index by status, and enters a new order into the other indexes. buf is memory to
// make keys in, which is returned.
func (s *summary) writeIndexes(b *pebble.Batch, id string, buf []byte) ([]byte, error) {
	if s.status == s.indexed && s.customer == s.indexedCustomer && len(s.entries)+len(s.indexedEntries) == 0 {
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
	for _, e := range s.indexedEntries {
		buf = indexKey(buf[:0], e.kind, e.value, s.placedAt, id)
		err = errors.Join(err, b.Delete(buf, nil))
	}
	for _, e := range s.entries {
		buf = indexKey(buf[:0], e.kind, e.value, s.placedAt, id)
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

// readIndexedEntries reads which entries the indexes have of an order: those that were stated last.
func readIndexedEntries(db *pebble.DB, id string) (entries []entry, err error) {
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
			entries = entriesOf(p)
		}
	}
	return entries, nil
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
