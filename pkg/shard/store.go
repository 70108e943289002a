package shard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cockroachdb/pebble/v2"
	pebblebloom "github.com/cockroachdb/pebble/v2/bloom"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// Keys of the checkpoint: a letter, then the aggregate.
const (
	keyItem      = 'i' // SKU → item
	keyHoldings  = 'r' // order ID → its reservations of this shard's SKUs
	keyOrder     = 'o' // order ID → order, with the commands it has seen
	keyCommand   = 'c' // SKU \0 idempotency key → command record
	keyOpenStock = 'x' // order ID: orders of other shards for which something is held here
	keyOpenOrder = 'y' // order ID → payment deadline, settled: orders that have not ended, or whose step is unanswered
	keyOffset    = 'p' // topic letter, partition → next offset and last event
)

// memTableBytes bounds the tail of the log that a restart folds again, and keeps look-ups short.
const memTableBytes = 16 << 20

// maxCached entries of each kind stay decoded in memory, and as many again on their way out.
const maxCached = 50_000

// entry is an order as the store keeps it.
type entry struct {
	o        order.Order
	commands []commandRecord
}

// commandRecord remembers a client's key.
type commandRecord struct {
	key         string
	fingerprint [16]byte
	version     uint64
}

type pairKey struct{ a, b string }

// holdings are an order's reservations of this shard's SKUs: one step changes them together.
type holdings struct {
	orderID string
	list    []*holding
}

type holding struct {
	sku string
	res inventory.Reservation
}

// of returns the reservation of a SKU; there is always one, at first an empty one.
func (h *holdings) of(sku string) *inventory.Reservation {
	for _, held := range h.list {
		if held.sku == sku {
			return &held.res
		}
	}
	held := &holding{sku: sku, res: inventory.Reservation{OrderID: h.orderID}}
	h.list = append(h.list, held)
	return &held.res
}

// open reports whether anything is reserved or committed.
func (h *holdings) open() bool {
	for _, held := range h.list {
		if held.res.Open() {
			return true
		}
	}
	return false
}

// cache is a map in two generations: what is used stays, what is not goes. Entries changed since the
// last checkpoint are kept by the store's dirty sets.
type cache[K comparable, V any] struct{ young, old map[K]*V }

func newCache[K comparable, V any]() cache[K, V] {
	return cache[K, V]{young: map[K]*V{}, old: map[K]*V{}}
}

func (c *cache[K, V]) get(k K) (*V, bool) {
	if v, ok := c.young[k]; ok {
		return v, true
	}
	v, ok := c.old[k]
	if ok {
		c.young[k] = v
	}
	return v, ok
}

// age lets the older generation go; only right after a checkpoint, when nothing in it is dirty.
func (c *cache[K, V]) age() {
	if len(c.young) > maxCached {
		c.old, c.young = c.young, make(map[K]*V, maxCached)
	}
}

// cursor is how far a partition has been applied.
type cursor struct {
	next, last int64 // last: offset of the last applied event, -1: none
	lastID     [16]byte
}

// store is a shard's state: memory in front of a Pebble checkpoint. The checkpoint is always a
// prefix of the committed log, because it is written only between transactions.
type store struct {
	db  *pebble.DB
	dir string
	// foreign tells orders that another shard writes.
	foreign  func(orderID string) bool
	items    cache[string, inventory.Item]
	holdings cache[string, holdings]
	orders   cache[string, entry]
	commands cache[pairKey, commandRecord]
	// known has every order of the checkpoint: most look-ups are for orders that do not exist yet, and
	// a miss in it spares the search on disk.
	known *bloom.BloomFilter

	dirtyItems       map[string]*inventory.Item
	dirtyHoldings    map[string]*holdings
	dirtyOrders      map[string]*entry
	dirtyCommands    map[pairKey]*commandRecord
	cursors          map[eventlog.TopicPartition]*cursor
	keyBuf, valueBuf []byte
}

// openStore opens the checkpoint in dir; with fresh it deletes what is there first.
func openStore(dir string, tps []eventlog.TopicPartition, foreign func(orderID string) bool, fresh bool) (*store, error) {
	if fresh {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("delete the checkpoint %s: %w", dir, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the checkpoint: %w", err)
	}
	// No write-ahead log: what a crash takes of the newest memtable, the log of events gives back.
	// Memtables are flushed whole and in order, so what is on disk stays a prefix.
	opts := &pebble.Options{
		MemTableSize: memTableBytes, DisableWAL: true, L0CompactionThreshold: 8, LBaseMaxBytes: 512 << 20, Logger: quietLogger{},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = pebblebloom.FilterPolicy(10)
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open the checkpoint %s: %w", dir, err)
	}
	s := &store{
		db: db, dir: dir, foreign: foreign,
		items: newCache[string, inventory.Item](), holdings: newCache[string, holdings](),
		orders: newCache[string, entry](), commands: newCache[pairKey, commandRecord](),
		cursors: map[eventlog.TopicPartition]*cursor{},
	}
	s.resetDirty()
	if err := s.learnOrders(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for _, tp := range tps {
		c, err := s.loadCursor(tp)
		if err != nil {
			return nil, errors.Join(err, db.Close())
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

func (s *store) learnOrders() error {
	s.known = bloom.NewWithEstimates(knownOrders, knownFalseRatio)
	return s.scan(keyOrder, func(id, _ []byte) error {
		s.known.Add(id)
		return nil
	})
}

func (s *store) resetDirty() {
	s.dirtyItems = map[string]*inventory.Item{}
	s.dirtyHoldings = map[string]*holdings{}
	s.dirtyOrders = map[string]*entry{}
	s.dirtyCommands = map[pairKey]*commandRecord{}
}

func (s *store) close() error { return errors.Join(s.db.Flush(), s.db.Close()) }

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

func (s *store) item(sku string) (*inventory.Item, error) {
	if it, ok := s.items.get(sku); ok {
		return it, nil
	}
	it := &inventory.Item{SKU: sku}
	err := s.load(s.key(keyItem, sku, "", false), func(v []byte) (err error) { *it, err = codec.DecodeItem(v); return })
	s.items.young[sku] = it
	return it, err
}

func (s *store) held(orderID string) (*holdings, error) {
	if h, ok := s.holdings.get(orderID); ok {
		return h, nil
	}
	h := s.newHoldings(orderID)
	err := s.load(s.key(keyHoldings, orderID, "", false), h.decode)
	return h, err
}

// newHoldings are those of an order that was placed just now: nothing can be held for it yet.
func (s *store) newHoldings(orderID string) *holdings {
	h := &holdings{orderID: orderID}
	s.holdings.young[orderID] = h
	return h
}

func (s *store) order(id string) (*entry, error) {
	if e, ok := s.orders.get(id); ok {
		return e, nil
	}
	e := &entry{o: order.Order{ID: id}}
	s.orders.young[id] = e
	if !s.known.TestString(id) {
		return e, nil
	}
	return e, s.load(s.key(keyOrder, id, "", false), e.decode)
}

// stockCommand returns what is remembered of a key on a SKU; version 0: nothing.
func (s *store) stockCommand(sku, key string) (*commandRecord, error) {
	k := pairKey{sku, key}
	if c, ok := s.commands.get(k); ok {
		return c, nil
	}
	c := &commandRecord{key: key}
	err := s.load(s.key(keyCommand, sku, key, true), func(v []byte) error {
		if len(v) != 24 {
			return fmt.Errorf("a command record has %d bytes, not 24", len(v))
		}
		copy(c.fingerprint[:], v)
		c.version = binary.BigEndian.Uint64(v[16:])
		return nil
	})
	s.commands.young[k] = c
	return c, err
}

// applyOrder applies an event to an order; what it had is remembered under its key.
func (s *store) applyOrder(e *entry, m *codec.Meta, ev order.Event) {
	e.o = order.Evolve(e.o, ev, order.Facts{EventID: m.EventID, OccurredAtMicros: m.OccurredAtMicros})
	if m.IdempotencyKey != "" {
		e.remember(m)
	}
	s.dirtyOrders[e.o.ID] = e
}

func (e *entry) remember(m *codec.Meta) {
	for i := range e.commands {
		if e.commands[i].key == m.IdempotencyKey {
			e.commands[i].version = m.Version
			return
		}
	}
	e.commands = append(e.commands, commandRecord{key: m.IdempotencyKey, fingerprint: m.Fingerprint, version: m.Version})
}

func (e *entry) command(key string) *commandRecord {
	for i := range e.commands {
		if e.commands[i].key == key {
			return &e.commands[i]
		}
	}
	return nil
}

// applyStock applies an event to an item and to the holdings that it changes (nil: none).
func (s *store) applyStock(it *inventory.Item, h *holdings, m *codec.Meta, ev inventory.Event) error {
	if h == nil {
		*it, _ = inventory.Evolve(*it, inventory.Reservation{}, ev)
	} else {
		r := h.of(it.SKU)
		*it, *r = inventory.Evolve(*it, *r, ev)
		s.dirtyHoldings[h.orderID] = h
	}
	s.dirtyItems[it.SKU] = it
	if m.IdempotencyKey != "" && h == nil {
		c, err := s.stockCommand(it.SKU, m.IdempotencyKey)
		if err != nil {
			return err
		}
		c.fingerprint, c.version = m.Fingerprint, m.Version
		s.dirtyCommands[pairKey{it.SKU, m.IdempotencyKey}] = c
	}
	return nil
}

// advance moves a partition's cursor past an event.
func (s *store) advance(tp eventlog.TopicPartition, offset int64, id [16]byte) {
	c := s.cursors[tp]
	c.next, c.last, c.lastID = offset+1, offset, id
}

// applied is the position after the last event of a partition. Unlike the cursor's next offset it leaves
// out the markers behind it: a view that counts events alone reaches it.
func (s *store) applied(tp eventlog.TopicPartition) int64 { return s.cursors[tp].last + 1 }

func (s *store) dirty() int {
	return len(s.dirtyItems) + len(s.dirtyHoldings) + len(s.dirtyOrders) + len(s.dirtyCommands)
}

// checkpoint writes all that changed, and the cursors, in one Pebble batch. Without a sync: what a
// power cut takes, the log gives back.
func (s *store) checkpoint() error {
	b := s.db.NewBatchWithSize(s.dirty()*256 + 1024)
	defer func() { _ = b.Close() }()
	var err error
	set := func(key, value []byte) { err = errors.Join(err, b.Set(key, value, nil)) }
	encode := func(key []byte, fn func(dst []byte) ([]byte, error)) {
		v, encodeErr := fn(s.valueBuf[:0])
		s.valueBuf = v
		if err = errors.Join(err, encodeErr); encodeErr == nil {
			set(key, v)
		}
	}
	for sku, it := range s.dirtyItems {
		encode(s.key(keyItem, sku, "", false), func(dst []byte) ([]byte, error) { return codec.EncodeItem(dst, *it) })
	}
	for id, h := range s.dirtyHoldings {
		encode(s.key(keyHoldings, id, "", false), h.encode)
		switch {
		case !s.foreign(id):
		case h.open():
			set(s.key(keyOpenStock, id, "", false), nil)
		default:
			err = errors.Join(err, b.Delete(s.key(keyOpenStock, id, "", false), nil))
		}
	}
	for id, e := range s.dirtyOrders {
		s.known.AddString(id)
		encode(s.key(keyOrder, id, "", false), e.encode)
		if e.o.Open() || !e.o.Settled {
			var v [9]byte
			binary.BigEndian.PutUint64(v[:], uint64(deadlineOf(&e.o)))
			if e.o.Settled {
				v[8] = 1
			}
			set(s.key(keyOpenOrder, id, "", false), v[:])
		} else {
			err = errors.Join(err, b.Delete(s.key(keyOpenOrder, id, "", false), nil))
		}
	}
	for k, c := range s.dirtyCommands {
		s.valueBuf = binary.BigEndian.AppendUint64(append(s.valueBuf[:0], c.fingerprint[:]...), c.version)
		set(s.key(keyCommand, k.a, k.b, true), s.valueBuf)
	}
	for tp, c := range s.cursors {
		s.valueBuf = binary.BigEndian.AppendUint64(s.valueBuf[:0], uint64(c.next))
		s.valueBuf = binary.BigEndian.AppendUint64(s.valueBuf, uint64(c.last))
		set(cursorKey(tp), append(s.valueBuf, c.lastID[:]...))
	}
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err != nil {
		return fmt.Errorf("write the checkpoint %s: %w", s.dir, err)
	}
	s.resetDirty()
	s.age()
	return nil
}

// age lets unused entries go; only while nothing is dirty.
func (s *store) age() {
	s.items.age()
	s.holdings.age()
	s.orders.age()
	s.commands.age()
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

// openOrders calls fn with every order that is open in the checkpoint: its payment deadline, and
// whether stock has answered its newest step.
func (s *store) openOrders(fn func(id string, deadlineMicros int64, settled bool)) error {
	return s.scan(keyOpenOrder, func(k, v []byte) error {
		if len(v) != 9 {
			return fmt.Errorf("an open order has %d bytes, not 9", len(v))
		}
		fn(string(k), int64(binary.BigEndian.Uint64(v)), v[8] == 1)
		return nil
	})
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

// encode and decode frame an order with its commands: the order's length, the order, then for each
// command its fingerprint, version, key length and key.
func (e *entry) encode(dst []byte) ([]byte, error) {
	o, err := codec.EncodeOrder(nil, e.o)
	if err != nil {
		return dst, err
	}
	dst = append(binary.AppendUvarint(dst, uint64(len(o))), o...)
	for _, c := range e.commands {
		dst = append(dst, c.fingerprint[:]...)
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, c.version), uint64(len(c.key)))
		dst = append(dst, c.key...)
	}
	return dst, nil
}

var errShortEntry = errors.New("the value ends too early")

func (e *entry) decode(v []byte) error {
	n, w := binary.Uvarint(v)
	if w <= 0 || uint64(len(v)-w) < n {
		return errShortEntry
	}
	o, err := codec.DecodeOrderState(v[w : w+int(n)])
	if err != nil {
		return err
	}
	e.o = o
	for v = v[w+int(n):]; len(v) > 0; {
		var c commandRecord
		if len(v) < 18 {
			return errShortEntry
		}
		copy(c.fingerprint[:], v)
		v = v[16:]
		if c.version, w = binary.Uvarint(v); w <= 0 {
			return errShortEntry
		}
		v = v[w:]
		n, w := binary.Uvarint(v)
		if w <= 0 || uint64(len(v)-w) < n {
			return errShortEntry
		}
		c.key = string(v[w : w+int(n)])
		v = v[w+int(n):]
		e.commands = append(e.commands, c)
	}
	return nil
}

// encode and decode frame holdings: each reservation's length, then the reservation.
func (h *holdings) encode(dst []byte) ([]byte, error) {
	var one []byte
	for _, held := range h.list {
		var err error
		if one, err = codec.EncodeReservation(one[:0], held.sku, held.res); err != nil {
			return dst, err
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(one))), one...)
	}
	return dst, nil
}

func (h *holdings) decode(v []byte) error {
	for len(v) > 0 {
		n, w := binary.Uvarint(v)
		if w <= 0 || uint64(len(v)-w) < n {
			return errShortEntry
		}
		sku, res, err := codec.DecodeReservation(v[w : w+int(n)])
		if err != nil {
			return err
		}
		h.list = append(h.list, &holding{sku: sku, res: res})
		v = v[w+int(n):]
	}
	return nil
}

// deadlineOf is when an order expires unless it is paid; 0: it does not.
func deadlineOf(o *order.Order) int64 {
	if o.Terms == order.Prepaid && (o.Lifecycle == order.Placed || o.Lifecycle == order.Reserved) {
		return o.PaymentDeadlineMicros
	}
	return 0
}

// quietLogger drops Pebble's information; its errors come back from its calls.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)  {}
func (quietLogger) Errorf(string, ...any) {}
func (quietLogger) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
