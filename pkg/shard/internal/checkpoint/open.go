package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/localstore"
)

// Delete deletes the checkpoint in dir, which must not be open.
func Delete(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete the checkpoint %s: %w", dir, err)
	}
	return nil
}

// Config is what a checkpoint is told of its shard.
type Config struct {
	// Partitions are those of the shard.
	Partitions []eventlog.TopicPartition
	// PartitionCount is how many each topic has, for the numbers of orders.
	PartitionCount int32
	// Foreign reports whether another shard writes an order.
	Foreign func(orderID string) bool
	// MemoryBytes are about what the checkpoint may take of memory, beside what is fixed; 0: as much as it can use.
	MemoryBytes int64
	// Damaged is told of a checkpoint whose files are damaged: it is deleted, and an empty one takes its place.
	Damaged func(error)
}

// Shares of a checkpoint's memory: each of the cache's two generations has a quarter, and each of the three copies of
// the changes of a checkpoint (encoded, written, and Pebble's) a sixteenth. Pebble has two memtables, at least.
const (
	generationShare = 4
	changesShare    = 16
	memTableShare   = 8
)

// maxChangesBytes of changes are enough for any checkpoint.
const maxChangesBytes = 32 << 20

// Open opens the checkpoint in dir and makes it where there is none.
func Open(dir string, cfg Config) (*Store, error) {
	memory := cfg.MemoryBytes
	if memory == 0 {
		memory = math.MaxInt64
	}
	db, err := localstore.OpenOrBuild(dir, memory/memTableShare, cfg.Damaged)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint: %w", err)
	}
	s := &Store{
		db: db, foreign: cfg.Foreign, cacheSize: MaxCached, generationBytes: memory / generationShare,
		changesBytes: int(min(memory/changesShare, maxChangesBytes)),
		items:        newCache[string](func(it *cachedItem) int { return it.encoded }),
		reservations: newCache[string](func(r *Reservations) int { return r.encoded }),
		orders:       newCache[string](func(e *Entry) int { return e.encoded }),
		commands:     newCache[commandKey](func(c *CommandRecord) int { return len(c.key) }),
		cursors:      map[eventlog.TopicPartition]*Cursor{},
		begun:        map[int32]uint64{}, partitionCount: cfg.PartitionCount,
		changes: &Changes{}, spare: &Changes{}, saved: make(chan saved, 1),
	}
	s.batch = db.NewBatch(pebble.WithMaxRetainedSizeBytes(s.changesBytes))
	s.resetDirty()
	s.filter = startOrderFilter(func(fn func(id, value []byte) error) error {
		return errors.Join(s.scan(keyOrder, "", fn), s.scan(keyReservations, "", fn))
	})
	for _, tp := range cfg.Partitions {
		c, err := s.loadCursor(tp)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.cursors[tp] = c
		if tp.Topic != eventlog.TopicOrders {
			continue
		}
		if s.begun[tp.Partition], err = s.loadBegun(tp.Partition); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close waits for a checkpoint that is being written, and closes the database. What was not saved is lost; the log
// gives it back.
func (s *Store) Close() error {
	s.filter.close()
	if s.db.Err() != nil {
		return s.db.Abandon(func() error {
			if s.saving {
				<-s.saved
			}
			return s.batch.Close()
		})
	}
	return errors.Join(s.awaitSave(), s.batch.Close(), s.db.Close())
}

// load decodes the value under a key, if there is one.
func (s *Store) load(k key, decode func([]byte) error) error {
	s.keyBuf = k.append(s.keyBuf[:0])
	v, closer, err := s.db.Get(s.keyBuf)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", s.db.Explain(err))
	}
	err = decode(v)
	if cerr := closer.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return s.db.Damaged(fmt.Errorf("the value under %q: %w", k.append(nil), err))
	}
	return nil
}

func (s *Store) loadCursor(tp eventlog.TopicPartition) (*Cursor, error) {
	c := &Cursor{Last: -1}
	err := s.load(cursorKey(tp), func(v []byte) error {
		if len(v) != 32 {
			return fmt.Errorf("a cursor has %d bytes, not 32", len(v))
		}
		c.Next, c.Last = int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))
		copy(c.LastID[:], v[16:])
		return nil
	})
	return c, err
}

func (s *Store) loadBegun(partition int32) (n uint64, err error) {
	err = s.load(begunKey(partition), func(v []byte) error {
		if len(v) != 8 {
			return fmt.Errorf("a count of orders has %d bytes, not 8", len(v))
		}
		n = binary.BigEndian.Uint64(v)
		return nil
	})
	return n, err
}

// EachDeadline calls fn with every saved order that expires unless it is paid, and when.
func (s *Store) EachDeadline(fn func(orderID string, atMicros int64)) error {
	return s.scan(keyDeadline, "", func(id, v []byte) error {
		if len(v) != 8 {
			return s.db.Damaged(fmt.Errorf("a deadline of %d bytes, not 8", len(v)))
		}
		fn(string(id), int64(binary.BigEndian.Uint64(v)))
		return nil
	})
}

// UnsettledAfter returns at most n saved orders that are unsettled, in the order of their IDs from the one behind
// orderID.
func (s *Store) UnsettledAfter(orderID string, n int) (ids []string, err error) {
	err = s.scan(keyUnsettled, orderID+"\x00", func(id, _ []byte) error {
		if len(ids) == n {
			return errEnoughScanned
		}
		ids = append(ids, string(id))
		return nil
	})
	return ids, err
}

// EachTouched calls fn with every saved order that reconciliation has to look at.
func (s *Store) EachTouched(fn func(orderID string) error) error {
	return s.scan(keyTouched, "", func(id, _ []byte) error { return fn(string(id)) })
}

// EachOpenReservation calls fn with every saved order for which something is reserved or committed here, and which is
// another shard's, or is not in the log, or was placed by another attempt than the one that it is reserved for.
func (s *Store) EachOpenReservation(fn func(orderID string)) error {
	return s.scan(keyOpenReservations, "", func(id, _ []byte) error {
		fn(string(id))
		return nil
	})
}

// errEnoughScanned ends a scan early.
var errEnoughScanned = errors.New("enough")

// scan calls fn with the keys of a kind, from one on.
func (s *Store) scan(kind byte, from string, fn func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: append([]byte{kind}, from...), UpperBound: []byte{kind + 1},
	})
	if err != nil {
		return fmt.Errorf("scan the checkpoint: %w", s.db.Explain(err))
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		err = fn(it.Key()[1:], it.Value())
	}
	if errors.Is(err, errEnoughScanned) {
		err = nil
	}
	return errors.Join(err, s.db.Explain(it.Close()))
}
