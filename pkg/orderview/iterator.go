package orderview

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// newestFirst iterates over orders from the newest to the oldest. Orders of a filter come from one of its
// indexes; all orders come from the index by status, through the ranges of all statuses at once. A cursor is the place
// of an order in that sequence: its inverted time and its ID.
type newestFirst struct {
	// snapshot makes an order that changes its status meanwhile appear once.
	snapshot *pebble.Snapshot
	ranges   []indexRange
	current  int // index of the range with the newest order; -1: all are at their ends
	// also are the prefixes of the other indexes that must have an order: all have it under the same cursor.
	also [][]byte
}

type indexRange struct {
	*pebble.Iterator
	prefixLen int // of the keys, before the cursor
}

// newestFrom iterates over the orders of a filter but for its number, behind a cursor (nil: from the newest).
func newestFrom(db *pebble.DB, f *Filter, after []byte) (_ *newestFirst, err error) {
	n := &newestFirst{snapshot: db.NewSnapshot()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	prefixes := f.prefixes()
	if len(prefixes) > 0 {
		prefixes, n.also = prefixes[:1], prefixes[1:]
	} else {
		for _, s := range statuses {
			prefixes = append(prefixes, indexPrefix(nil, keyStatus, s))
		}
	}
	for _, prefix := range prefixes {
		lower, upper := f.bounds(prefix, after)
		it, err := n.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return nil, err
		}
		n.ranges = append(n.ranges, indexRange{it, len(prefix)})
		it.First()
	}
	n.choose()
	return n, nil
}

// choose finds the range with the newest order.
func (n *newestFirst) choose() {
	n.current = -1
	for i := range n.ranges {
		if n.ranges[i].Valid() && (n.current < 0 || bytes.Compare(n.ranges[i].cursor(), n.cursor()) < 0) {
			n.current = i
		}
	}
}

func (r *indexRange) cursor() []byte { return r.Key()[r.prefixLen:] }

// cursor is that of the current order, valid until next; nil at the end.
func (n *newestFirst) cursor() []byte {
	if n.current < 0 {
		return nil
	}
	return n.ranges[n.current].cursor()
}

func (n *newestFirst) next() {
	n.ranges[n.current].Next()
	n.choose()
}

// selected calls fn with the current order if the filter selects it: if the other indexes have it, and what no index
// has is as the filter wants it.
func (n *newestFirst) selected(f *Filter, fn func(*Order) error) error {
	cursor := n.cursor()
	for _, prefix := range n.also {
		_, closer, err := n.snapshot.Get(slices.Concat(prefix, cursor))
		if errors.Is(err, pebble.ErrNotFound) {
			return nil
		}
		if err == nil {
			err = closer.Close()
		}
		if err != nil {
			return fmt.Errorf("read order %s: %w", orderIDOf(cursor), err)
		}
	}
	o, err := n.order(orderIDOf(cursor))
	if err != nil || !f.selects(o) {
		return err
	}
	return fn(o)
}

// order is an order as it was when the iteration began.
func (n *newestFirst) order(id string) (*Order, error) {
	h, err := readEvents(n.snapshot, id)
	if err != nil {
		return nil, err
	}
	return orderOf(h.number, h.events), nil
}

func (n *newestFirst) error() error {
	var errs []error
	for _, r := range n.ranges {
		errs = append(errs, r.Error())
	}
	return errors.Join(errs...)
}

func (n *newestFirst) close() error {
	var errs []error
	for _, r := range n.ranges {
		errs = append(errs, r.Close())
	}
	return errors.Join(append(errs, n.snapshot.Close())...)
}
