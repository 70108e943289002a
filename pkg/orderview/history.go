package orderview

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// A history is the stored value of an order: its events as they stand in the log, in chunks. A chunk is:
//
//	length of the chunk, then in the chunk
//	    length, the summary as it is after the chunk's last event
//	    the event's offset in its partition, length, an event; and so on
//
// Lengths and offsets are uvarints. A chunk is appended without reading what is stored: the database joins the chunks
// (its default merge operator). The last chunk's summary is the order's.
//
// chunk gathers consecutive events of one order.
type chunk struct {
	orderID string
	summary *summary
	events  []byte
}

func (c *chunk) add(offset int64, event []byte) {
	c.events = appendWithLength(binary.AppendUvarint(c.events, uint64(offset)), event)
}

// flush appends the chunk to the order's history in the batch, and empties it. buf is memory to encode the summary in,
// which is returned.
func (c *chunk) flush(b *pebble.Batch, buf []byte) ([]byte, error) {
	if len(c.events) == 0 {
		return buf, nil
	}
	buf = c.summary.encode(buf[:0])
	size := uvarintLen(len(buf)) + len(buf) + len(c.events)
	op := b.MergeDeferred(1+len(c.orderID), uvarintLen(size)+size)
	op.Key[0] = keyHistory
	copy(op.Key[1:], c.orderID)
	v := binary.AppendUvarint(op.Value[:0], uint64(size))
	copy(op.Value[len(appendWithLength(v, buf)):], c.events)
	c.orderID, c.summary, c.events = "", nil, c.events[:0]
	return buf, op.Finish()
}

var errShortHistory = errors.New("the history ends too early")

// eachChunk calls fn with the summary and the events of each chunk; each event follows its offset and its length.
func eachChunk(history []byte, fn func(summary, events []byte) error) error {
	for len(history) > 0 {
		chunk, next, err := cutWithLength(history)
		if err != nil {
			return err
		}
		summary, events, err := cutWithLength(chunk)
		if err != nil {
			return err
		}
		if err := fn(summary, events); err != nil {
			return err
		}
		history = next
	}
	return nil
}

// history is what is stored of an order.
type history struct {
	number  uint64
	events  []*eventv1.OrderEvent
	offsets []int64 // of the events in their partition
}

// readHistory decodes the order's number and all its events.
func readHistory(stored []byte) (h history, err error) {
	err = eachChunk(stored, func(encoded, stored []byte) error {
		if h.number == 0 {
			var s summary
			if err := s.decode(encoded); err != nil {
				return err
			}
			h.number = s.number
		}
		for len(stored) > 0 {
			offset, w := binary.Uvarint(stored)
			if w <= 0 {
				return errShortHistory
			}
			value, next, err := cutWithLength(stored[w:])
			if err != nil {
				return err
			}
			ev := &eventv1.OrderEvent{}
			if err := schema.ReadOrder(value, ev); err != nil {
				return err
			}
			h.events, h.offsets, stored = append(h.events, ev), append(h.offsets, int64(offset)), next
		}
		return nil
	})
	if err == nil && len(h.events) == 0 {
		err = errShortHistory
	}
	return h, err
}

func appendWithLength(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// cutWithLength cuts a length, and as many bytes, off v.
func cutWithLength(v []byte) (b, after []byte, err error) {
	n, w := binary.Uvarint(v)
	if w <= 0 || uint64(len(v)-w) < n {
		return nil, nil, errShortHistory
	}
	return v[w : w+int(n)], v[w+int(n):], nil
}

func uvarintLen(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n))
}
