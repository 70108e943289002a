package orderview

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// Find returns the ID of the order that an ID stands for: that of a key alone stands for the order that was placed with
// the key.
func (s *Store) Find(id string) (found string, ok bool, err error) {
	_, err = readEvents(s.view.db, id)
	if errors.Is(err, pebble.ErrNotFound) && orderid.IsByKey(id) {
		id, err = s.named(id)
	}
	if errors.Is(err, pebble.ErrNotFound) {
		return "", false, nil
	}
	return id, err == nil, err
}

// After returns an order as it is after the event at an offset of its partition, and the name of that event. The name
// is empty where nothing that clients see has changed.
func (s *Store) After(id string, offset int64) (event string, o *Order, err error) {
	h, err := readEvents(s.view.db, id)
	if err != nil {
		return "", nil, err
	}
	n, found := slices.BinarySearch(h.offsets, offset)
	if !found {
		return "", nil, fmt.Errorf("order %s has no event at offset %d", id, offset)
	}
	before := uint64(0)
	if n > 0 {
		before = orderOf(h.number, h.events[:n]).Version
	}
	if o = orderOf(h.number, h.events[:n+1]); o.Version == before {
		return "", nil, nil
	}
	event, _ = schema.Name(h.events[n])
	return event, o, nil
}
