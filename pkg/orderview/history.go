package orderview

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// A history is what the store holds of an order: the events as they stand in the log, in chapters. A chapter has its
// length, the head as it is after the chapter's last event, and the events, each after its length. Chapters are
// appended without reading what is there: the database joins them (its default merge operator).
//
// chapter gathers events of one order that follow each other.
type chapter struct {
	orderID string
	head    *head
	events  []byte
}

func (c *chapter) add(event []byte) { c.events = appendFrame(c.events, event) }

// close appends the chapter to the order's history in the batch, and begins the next one. scratch is memory to
// encode the head in.
func (c *chapter) close(b *pebble.Batch, scratch []byte) ([]byte, error) {
	if len(c.events) == 0 {
		return scratch, nil
	}
	scratch = c.head.encode(scratch[:0])
	framed := uvarintLen(len(scratch)) + len(scratch)
	size := framed + len(c.events)
	op := b.MergeDeferred(1+len(c.orderID), uvarintLen(size)+size)
	op.Key[0] = keyHistory
	copy(op.Key[1:], c.orderID)
	v := binary.AppendUvarint(op.Value[:0], uint64(size))
	copy(op.Value[len(appendFrame(v, scratch)):], c.events)
	c.orderID, c.head, c.events = "", nil, c.events[:0]
	return scratch, op.Finish()
}

var errShortHistory = errors.New("the history ends too early")

// chapters calls fn with the head and the framed events of each chapter.
func chapters(history []byte, fn func(head, events []byte) error) error {
	for len(history) > 0 {
		chapter, rest, err := frame(history)
		if err != nil {
			return err
		}
		head, events, err := frame(chapter)
		if err != nil {
			return err
		}
		if err := fn(head, events); err != nil {
			return err
		}
		history = rest
	}
	return nil
}

func appendFrame(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// frame cuts a length and as many bytes off v.
func frame(v []byte) (framed, rest []byte, err error) {
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
