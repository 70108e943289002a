package orderview

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Orders have numbers, which are a function of the log: the n-th order that begins in partition p of orders.events has
// the number P·n + p, with P partitions and n from 1. With 12 partitions the first order of partition 5 is 17, the
// second one 29. No event has it: whoever reads the log counts (ADR 29).
//
// The store has the order of each number under its place. The last place of a partition is how far it has counted.

// place is the n-th order of a partition.
type place struct {
	partition int32
	n         uint64
}

// placeOf is the inverse of orderid.Number: the place of a number; n is 0 for numbers that no order can have.
func placeOf(number uint64, partitions int32) place {
	return place{int32(number % uint64(partitions)), number / uint64(partitions)}
}

func numberKey(dst []byte, p place) []byte {
	return binary.BigEndian.AppendUint64(numberPrefix(dst, p.partition), p.n)
}

func numberPrefix(dst []byte, partition int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, keyNumber), uint32(partition))
}

// readCounts reads how many orders the store has of each partition.
func readCounts(db *pebble.DB, next eventlog.Offsets) (_ map[int32]uint64, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyNumber}, UpperBound: []byte{keyNumber + 1}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	counts := map[int32]uint64{}
	for tp := range next {
		if it.SeekLT(numberKey(nil, place{tp.Partition, math.MaxUint64})) {
			prefix := numberPrefix(nil, tp.Partition)
			if key := it.Key(); len(key) == len(prefix)+8 && string(key[:len(prefix)]) == string(prefix) {
				counts[tp.Partition] = binary.BigEndian.Uint64(key[len(prefix):])
			}
		}
	}
	return counts, it.Error()
}

// numbered is the ID of the order with a number; "": the store has none.
func (s *Store) numbered(number uint64) (string, error) {
	p := placeOf(number, s.view.partitions)
	if p.n == 0 {
		return "", nil
	}
	v, closer, err := s.view.db.Get(numberKey(nil, p))
	if errors.Is(err, pebble.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read order number %d: %w", number, err)
	}
	return string(v), closer.Close()
}
