package shard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

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
	keyDeadline  = 'd' // order ID → its payment deadline: orders that expire unless they are paid
	keyUnsettled = 'u' // order ID: orders whose newest step is not known to be answered
	keyTouched   = 't' // order ID: orders of the log's end that reconciliation has not looked at yet
	keyOffset    = 'p' // topic letter, partition → next offset and last event
)

// checkpointFormat names the folder of a checkpoint. It rises when events make more of the state than before, or when
// the keys change: the new checkpoint is then built from the log.
const checkpointFormat = 4

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
		db: db, dir: dir, foreign: foreign, cached: maxCached,
		items: newCache[string, inventory.Item](), holdings: newCache[string, holdings](),
		orders: newCache[string, entry](), commands: newCache[pairKey, commandRecord](),
		cursors: map[eventlog.TopicPartition]*cursor{}, changes: &changes{}, spare: &changes{}, saved: make(chan saved, 1),
	}
	s.batch = db.NewBatch(pebble.WithMaxRetainedSizeBytes(changesRetained))
	s.resetDirty()
	s.known = learn(func(fn func(id, value []byte) error) error {
		return errors.Join(s.scan(keyOrder, "", fn), s.scan(keyHoldings, "", fn))
	})
	for _, tp := range tps {
		c, err := s.loadCursor(tp)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.cursors[tp] = c
	}
	return s, nil
}

func (s *store) close() error {
	s.known.close()
	return errors.Join(s.settle(), s.batch.Close(), s.db.Flush(), s.db.Close())
}

// load decodes the value under key, if there is one.
func (s *store) load(k changeKey, decode func([]byte) error) error {
	s.keyBuf = k.append(s.keyBuf[:0])
	v, closer, err := s.db.Get(s.keyBuf)
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
		return fmt.Errorf("the checkpoint %s has a bad value under %q; delete it and start again, the log restores it: %w", s.dir, k.append(nil), err)
	}
	return nil
}

func cursorKey(tp eventlog.TopicPartition) changeKey {
	return changeKey{kind: keyOffset, a: string(binary.BigEndian.AppendUint32([]byte(tp.Topic), uint32(tp.Partition)))}
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

// deadlines calls fn with every order that expires unless it is paid, and when.
func (s *store) deadlines(fn func(orderID string, atMicros int64)) error {
	return s.scan(keyDeadline, "", func(id, v []byte) error {
		if len(v) != 8 {
			return fmt.Errorf("the checkpoint %s has a deadline of %d bytes, not 8; delete it and start again, the log restores it", s.dir, len(v))
		}
		fn(string(id), int64(binary.BigEndian.Uint64(v)))
		return nil
	})
}

// unsettledAfter returns at most n unsettled orders, from the one behind an order ID on.
func (s *store) unsettledAfter(orderID string, n int) (ids []string, err error) {
	err = s.scan(keyUnsettled, orderID+"\x00", func(id, _ []byte) error {
		if len(ids) == n {
			return errEnoughScanned
		}
		ids = append(ids, string(id))
		return nil
	})
	return ids, err
}

// touched calls fn with every order that reconciliation has to look at.
func (s *store) touched(fn func(orderID string) error) error {
	return s.scan(keyTouched, "", func(id, _ []byte) error { return fn(string(id)) })
}

// openStock calls fn with every order of another shard for which the checkpoint holds something.
func (s *store) openStock(fn func(orderID string)) error {
	return s.scan(keyOpenStock, "", func(k, _ []byte) error {
		fn(string(k))
		return nil
	})
}

// errEnoughScanned ends a scan early.
var errEnoughScanned = errors.New("enough")

// scan calls fn with the keys of a kind, from one on.
func (s *store) scan(kind byte, from string, fn func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: append([]byte{kind}, from...), UpperBound: []byte{kind + 1}})
	if err != nil {
		return fmt.Errorf("scan the checkpoint %s: %w", s.dir, err)
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		err = fn(it.Key()[1:], it.Value())
	}
	if errors.Is(err, errEnoughScanned) {
		err = nil
	}
	return errors.Join(err, it.Close())
}
