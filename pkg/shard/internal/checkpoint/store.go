// Package checkpoint keeps the state of one shard: its orders, its stock items, what stock has reserved for orders of
// other shards, the keys of commands, and how far the log has been applied. Memory stands in front of a Pebble
// database.
//
// The database is a cache of the log: deleting it costs a longer restart and nothing else. It always is a prefix of
// the committed log, because it is encoded where a batch ends and written once that batch has committed. The package
// decides nothing and reads no log; package shard tells it what happened. A Store is for one goroutine.
package checkpoint

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// Cursor is how far a partition has been applied.
type Cursor struct {
	// Next is the offset to read next, Last that of the last applied event (-1: none), LastID the ID of that event.
	Next, Last int64
	LastID     [16]byte
}

// Store is the state of a shard. Its values are shared: whoever gets an item, an order or reservations sees later
// changes of them too.
type Store struct {
	db *localstore.DB
	// foreign reports whether another shard writes an order.
	foreign func(orderID string) bool

	items        cache[string, cachedItem]
	reservations cache[string, Reservations] // of orders of other shards
	orders       cache[string, Entry]
	commands     cache[commandKey, CommandRecord]
	cacheSize    int // of each kind
	// generationBytes are for the younger generation of all kinds together, changesBytes for the changes of a checkpoint.
	generationBytes int64
	changesBytes    int
	filter          *OrderFilter

	dirtyItems        map[string]*cachedItem
	dirtyReservations map[string]*Reservations
	dirtyOrders       map[string]*Entry
	dirtyCommands     map[commandKey]*CommandRecord
	// savingOrders and savingReservations are those of the checkpoint that is prepared or written.
	savingOrders       map[string]*Entry
	savingReservations map[string]*Reservations
	// reservationsToEncode and ordersToEncode are the dirty ones that are not encoded as they are now.
	reservationsToEncode []*Reservations
	ordersToEncode       []*Entry
	// touched orders are not under keyTouched yet. forgetTouched: the next checkpoint deletes those that are.
	touched       map[string]struct{}
	forgetTouched bool
	cursors       map[eventlog.TopicPartition]*Cursor
	// begun is how many orders begin in each partition, and partitionCount how many partitions a topic has.
	begun          map[int32]uint64
	partitionCount int32

	keyBuf, scratch []byte

	// changes are for the next checkpoint, spare for the one after it. spare is nil while its memory belongs to the
	// checkpoint that is prepared or written.
	changes, spare *Changes
	encodeErr      error
	// batch is the checkpoint that is being written; there is one at a time.
	batch *pebble.Batch
	// saving: a checkpoint is being written; saved gets its outcome.
	saving bool
	saved  chan saved
}

// commandKey names a command on an item.
type commandKey struct{ sku, idempotencyKey string }

func (s *Store) resetDirty() {
	s.dirtyItems = map[string]*cachedItem{}
	s.dirtyReservations = map[string]*Reservations{}
	s.dirtyOrders = map[string]*Entry{}
	s.dirtyCommands = map[commandKey]*CommandRecord{}
	s.touched, s.forgetTouched = map[string]struct{}{}, false
}

// Item returns a stock item; there is always one, at first an empty one.
func (s *Store) Item(sku string) (*inventory.Item, error) {
	if it, ok := s.items.get(sku); ok {
		return &it.Item, nil
	}
	it := &cachedItem{Item: inventory.Item{SKU: sku}}
	err := s.load(key{kind: keyItem, a: sku}, func(v []byte) (err error) {
		it.encoded = len(v)
		it.Item, err = codec.DecodeItem(v)
		return err
	})
	s.items.add(sku, it)
	return &it.Item, err
}

// Reservations returns an order's reservations of this shard's SKUs, wherever the order is written.
func (s *Store) Reservations(orderID string) (*Reservations, error) {
	if !s.foreign(orderID) {
		e, err := s.Order(orderID)
		return &e.Reservations, err
	}
	if r, ok := s.reservations.get(orderID); ok {
		return r, nil
	}
	r := &Reservations{OrderID: orderID}
	var err error
	if s.filter.MayHave(orderID) {
		err = s.load(key{kind: keyReservations, a: orderID}, r.decode)
	}
	s.reservations.add(orderID, r)
	return r, err
}

// Filter tells which orders the store may have. It stays true of the store's state when that is closed.
func (s *Store) Filter() *OrderFilter { return s.filter }

// Expect has the filter know an order that is about to be written: who has its key asks this shard from now on.
func (s *Store) Expect(orderID string) { s.filter.add(orderID) }

// Order returns an order of this shard; there is always one, at first an empty one of version 0.
func (s *Store) Order(id string) (*Entry, error) {
	if e, ok := s.orders.get(id); ok {
		return e, nil
	}
	e := &Entry{Order: order.Order{ID: id}, Reservations: Reservations{OrderID: id}}
	e.Reservations.entry = e
	var err error
	if s.filter.MayHave(id) {
		err = s.load(key{kind: keyOrder, a: id}, e.decode)
	}
	s.orders.add(id, e)
	return e, err
}

// StockCommand returns what is remembered of a key on a SKU; version 0: nothing.
func (s *Store) StockCommand(sku, idempotencyKey string) (*CommandRecord, error) {
	k := commandKey{sku, idempotencyKey}
	if c, ok := s.commands.get(k); ok {
		return c, nil
	}
	c := &CommandRecord{key: idempotencyKey}
	err := s.load(key{keyCommand, sku, idempotencyKey}, func(v []byte) error {
		if len(v) != 24 {
			return fmt.Errorf("a command record has %d bytes, not 24", len(v))
		}
		copy(c.Fingerprint[:], v)
		c.Version = binary.BigEndian.Uint64(v[16:])
		return nil
	})
	s.commands.add(k, c)
	return c, err
}

// ApplyOrder applies an event of a partition to an order, and remembers the key of its command.
func (s *Store) ApplyOrder(partition int32, e *Entry, m *codec.Meta, ev order.Event) {
	if e.Order.RefusedDocument() && importsDocument(ev) {
		e.commands = nil // of the attempts that were refused: they had no effect, and their keys may come again
	}
	e.Order = order.Evolve(e.Order, ev, order.Facts{EventID: m.EventID, OccurredAtMicros: m.OccurredAtMicros})
	if m.IdempotencyKey != "" {
		e.remember(m)
	}
	if m.Version == 1 {
		s.filter.add(e.Order.ID)
		s.begun[partition]++
		e.Number = orderid.Number(s.partitionCount, partition, s.begun[partition])
	}
	s.OrderChanged(e)
}

// importsDocument reports whether an event brings a past document, or asks stock for it.
func importsDocument(ev order.Event) bool {
	switch ev.(type) {
	case order.ImportRequested, order.DocumentImported:
		return true
	}
	return false
}

// ApplyStock applies an event to an item, and to the reservations that it changes (nil: none).
func (s *Store) ApplyStock(it *inventory.Item, r *Reservations, m *codec.Meta, ev inventory.Event) error {
	if r == nil {
		*it, _ = inventory.Evolve(*it, inventory.Reservation{}, ev)
	} else {
		res := r.Of(it.SKU)
		*it, res.Reservation = inventory.Evolve(*it, res.Reservation, ev)
		s.reservationsChanged(r)
	}
	if s.dirtyItems[it.SKU] == nil {
		s.dirtyItems[it.SKU], _ = s.items.get(it.SKU)
	}
	if m.IdempotencyKey != "" && r == nil {
		c, err := s.StockCommand(it.SKU, m.IdempotencyKey)
		if err != nil {
			return err
		}
		c.Fingerprint, c.Version = m.Fingerprint, m.Version
		s.dirtyCommands[commandKey{it.SKU, m.IdempotencyKey}] = c
	}
	return nil
}

func (s *Store) reservationsChanged(r *Reservations) {
	if r.entry != nil {
		s.OrderChanged(r.entry)
		return
	}
	s.dirtyReservations[r.OrderID] = r
	if !r.changed {
		r.changed = true
		s.reservationsToEncode = append(s.reservationsToEncode, r)
	}
}

// OrderChanged notes that an order, or one of its reservations, has changed.
func (s *Store) OrderChanged(e *Entry) {
	s.dirtyOrders[e.Order.ID] = e
	if !e.Reservations.changed {
		e.Reservations.changed = true
		s.ordersToEncode = append(s.ordersToEncode, e)
	}
}

// Touch names the orders that reconciliation must look at, for the next checkpoint. They replace those of an earlier
// Touch that no checkpoint has yet.
func (s *Store) Touch(orderIDs map[string]struct{}) { s.touched = orderIDs }

// ForgetTouched has the next checkpoint delete the orders that earlier ones named for reconciliation.
func (s *Store) ForgetTouched() { s.forgetTouched = true }

// Cursors are how far each partition of the shard has been applied.
func (s *Store) Cursors() map[eventlog.TopicPartition]*Cursor { return s.cursors }

// Advance moves a partition's cursor past an event.
func (s *Store) Advance(tp eventlog.TopicPartition, offset int64, id [16]byte) {
	c := s.cursors[tp]
	c.Next, c.Last, c.LastID = offset+1, offset, id
}

// Applied is the offset after the last event of a partition. Unlike the cursor's next offset it leaves out the control
// markers behind that event: a view that counts events alone reaches it.
func (s *Store) Applied(tp eventlog.TopicPartition) int64 { return s.cursors[tp].Last + 1 }

// Unsaved is how many entries have changed since the last checkpoint.
func (s *Store) Unsaved() int {
	return len(s.dirtyItems) + len(s.dirtyReservations) + len(s.dirtyOrders) + len(s.dirtyCommands)
}

// Full reports whether what has changed since the last checkpoint takes as much memory as it may, encoded.
func (s *Store) Full() bool { return len(s.changes.arena) > s.changesBytes }
