package orderview

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// newestFirst goes through orders from the newest to the oldest: through one index, or, for all orders, through that
// of every status at once. A place is an inverted time and an order ID.
type newestFirst struct {
	snapshot *pebble.Snapshot // an order that changes its status meanwhile is found once
	ranges   []indexRange
	current  int // -1: all are at their ends
}

type indexRange struct {
	*pebble.Iterator
	prefix int // length of what stands before a place
}

// newest stands at the first place at or after from: of a customer, of a status, or of all orders.
func (w *writer) newest(customerID, status string, from []byte) (_ *newestFirst, err error) {
	n := &newestFirst{snapshot: w.db.NewSnapshot()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	var prefixes [][]byte
	switch {
	case customerID != "":
		prefixes = append(prefixes, indexPrefix(nil, keyCustomer, customerID))
	case status != "":
		prefixes = append(prefixes, indexPrefix(nil, keyStatus, status))
	default:
		for _, s := range statuses {
			prefixes = append(prefixes, indexPrefix(nil, keyStatus, s))
		}
	}
	for _, prefix := range prefixes {
		it, err := n.snapshot.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upperBound(prefix)})
		if err != nil {
			return nil, err
		}
		n.ranges = append(n.ranges, indexRange{it, len(prefix)})
		it.SeekGE(append(bytes.Clone(prefix), from...))
	}
	n.choose()
	return n, nil
}

// choose finds the range that stands at the newest place.
func (n *newestFirst) choose() {
	n.current = -1
	for i := range n.ranges {
		if n.ranges[i].Valid() && (n.current < 0 || bytes.Compare(n.ranges[i].place(), n.place()) < 0) {
			n.current = i
		}
	}
}

func (r *indexRange) place() []byte { return r.Key()[r.prefix:] }

// place is the current one, until next; nil at the end.
func (n *newestFirst) place() []byte {
	if n.current < 0 {
		return nil
	}
	return n.ranges[n.current].place()
}

func (n *newestFirst) next() []byte {
	n.ranges[n.current].Next()
	n.choose()
	return n.place()
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
