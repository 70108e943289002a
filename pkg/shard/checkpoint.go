package shard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/localstore"
)

// Keys of the checkpoint: a letter, then the aggregate.
const (
	keyItem      = 'i' // SKU → item
	keyHoldings  = 'r' // order ID, of another shard → its reservations of this shard's SKUs
	keyOrder     = 'o' // order ID → order, with its reservations of this shard's SKUs and the commands it has seen
	keyCommand   = 'c' // SKU \0 idempotency key → command record
	keyOpenStock = 'x' // order ID: orders of other shards for which something is held here
	keyOffset    = 'p' // topic letter, partition → next offset and last event
)

// batchRetained is up to what size the memory of one checkpoint's changes is kept for the next.
const batchRetained = 32 << 20

// checkpointFormat names the folder of a checkpoint. It rises when events make more of the state than before, or when
// the keys change: the new checkpoint is then built from the log.
const checkpointFormat = 3

// openStore opens the checkpoint in dir; with fresh it deletes what is there first.
func openStore(dir string, tps []eventlog.TopicPartition, foreign func(orderID string) bool, fresh bool) (*store, error) {
	if fresh {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("delete the checkpoint %s: %w", dir, err)
		}
	}
	db, err := localstore.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint: %w", err)
	}
	s := &store{
		db: db, dir: dir, foreign: foreign,
		items: newCache[string, inventory.Item](), holdings: newCache[string, holdings](),
		orders: newCache[string, entry](), commands: newCache[pairKey, commandRecord](),
		cursors: map[eventlog.TopicPartition]*cursor{}, opened: map[string]openOrder{}, saved: make(chan error, 1),
	}
	s.batch = db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchRetained))
	s.resetDirty()
	if err := s.learnOrders(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, tp := range tps {
		c, err := s.loadCursor(tp)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.cursors[tp] = c
	}
	return s, nil
}

// knownOrders is how many orders the filter is made for; beyond that it lets more look-ups through.
const (
	knownOrders     = 5_000_000
	knownFalseRatio = 0.01
)

// learnOrders notes which orders the checkpoint has, and which of them are open.
func (s *store) learnOrders() error {
	s.known = bloom.NewWithEstimates(knownOrders, knownFalseRatio)
	return s.scan(keyOrder, func(id, v []byte) error {
		s.known.Add(id)
		o, open, err := decodeOpen(v)
		if open {
			s.opened[string(id)] = o
		}
		return err
	})
}

func (s *store) close() error {
	return errors.Join(s.settle(), s.batch.Close(), s.db.Flush(), s.db.Close())
}

func (s *store) key(kind byte, a, b string, pair bool) []byte {
	s.keyBuf = append(append(s.keyBuf[:0], kind), a...)
	if pair {
		s.keyBuf = append(append(s.keyBuf, 0), b...)
	}
	return s.keyBuf
}

// load decodes the value under key, if there is one.
func (s *store) load(key []byte, decode func([]byte) error) error {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the checkpoint %s: %w", s.dir, err)
	}
	err = decode(v)
	if cerr := closer.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("the checkpoint %s has a bad value under %q; delete it and start again, the log restores it: %w", s.dir, key, err)
	}
	return nil
}

func cursorKey(tp eventlog.TopicPartition) []byte {
	return binary.BigEndian.AppendUint32(append([]byte{keyOffset}, tp.Topic...), uint32(tp.Partition))
}

func (s *store) loadCursor(tp eventlog.TopicPartition) (*cursor, error) {
	c := &cursor{last: -1}
	err := s.load(cursorKey(tp), func(v []byte) error {
		if len(v) != 32 {
			return fmt.Errorf("a cursor has %d bytes, not 32", len(v))
		}
		c.next, c.last = int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))
		copy(c.lastID[:], v[16:])
		return nil
	})
	return c, err
}

// openOrder is an order that has not ended, or whose newest step is unanswered.
type openOrder struct {
	deadlineMicros int64 // for the payment; 0: none
	settled        bool  // stock has answered the newest step
}

// openOrders hands over the orders that are open in the checkpoint. It is for once, after the restore.
func (s *store) openOrders() map[string]openOrder {
	opened := s.opened
	s.opened = nil
	return opened
}

// openStock calls fn with every order of another shard for which the checkpoint holds something.
func (s *store) openStock(fn func(orderID string)) error {
	return s.scan(keyOpenStock, func(k, _ []byte) error {
		fn(string(k))
		return nil
	})
}

func (s *store) scan(kind byte, fn func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return fmt.Errorf("scan the checkpoint %s: %w", s.dir, err)
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		err = fn(it.Key()[1:], it.Value())
	}
	return errors.Join(err, it.Close())
}
