package shard

import (
	"encoding/binary"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// maxCached entries of each kind stay decoded in memory, and as many again on their way out.
const maxCached = 50_000

// entry is an order as the store keeps it, with what this shard's stock holds for it.
type entry struct {
	o        order.Order
	held     holdings
	commands []commandRecord
	// indexed is under which of the checkpoint's indexes the order is, as it was last saved.
	indexed indexed
}

// indexed is what an acquire wants to know of an order without reading it.
type indexed struct {
	deadlineMicros int64 // 0: none
	unsettled      bool
}

func indexOf(o *order.Order) indexed { return indexed{deadlineOf(o), o.Version > 0 && !o.Settled} }

// hasSeen reports whether stock of this shard has seen the order's newest step of a SKU. Where it rejected the order
// and holds nothing of it, it is not told that nothing is wanted any more.
func (e *entry) hasSeen(w *order.Wanted) bool {
	if w.Nothing() && !w.Imported && e.neverHeld(w.SKU) {
		return true
	}
	res := e.held.find(w.SKU)
	return res != nil && res.PlacedEventID == inventory.ID(e.o.PlacedEventID) && res.Version == e.o.ReservationVersion
}

// neverHeld reports whether stock of this shard rejected the order, and holds nothing of what it had: there is nothing
// to give back.
func (e *entry) neverHeld(sku string) bool {
	res := e.held.find(sku)
	return res != nil && res.PlacedEventID == inventory.ID(e.o.PlacedEventID) && heldOf(sku, res).RefusedAll()
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
	order   *entry // that they are part of; nil for an order of another shard
	list    []*holding
	changed bool // they, or the order that they are part of, since that was last encoded
}

type holding struct {
	sku string
	res inventory.Reservation
}

// of returns the reservation of a SKU; there is always one, at first an empty one.
func (h *holdings) of(sku string) *inventory.Reservation {
	if res := h.find(sku); res != nil {
		return res
	}
	held := &holding{sku: sku, res: inventory.Reservation{OrderID: h.orderID}}
	h.list = append(h.list, held)
	return &held.res
}

func (h *holdings) find(sku string) *inventory.Reservation {
	for _, held := range h.list {
		if held.sku == sku {
			return &held.res
		}
	}
	return nil
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

// age lets the older generation go when the younger one is full, but for what is not in the checkpoint yet.
func (c *cache[K, V]) age(full int, dirty map[K]*V) {
	if len(c.young) <= full {
		return
	}
	c.old, c.young = c.young, make(map[K]*V, full)
	maps.Copy(c.young, dirty)
}

// cursor is how far a partition has been applied.
type cursor struct {
	next, last int64 // last: offset of the last applied event, -1: none
	lastID     [16]byte
}

// store is a shard's state: memory in front of a Pebble checkpoint. The checkpoint is always a
// prefix of the committed log, because it is taken only where a batch ends, and written once that has committed.
type store struct {
	db  *pebble.DB
	dir string
	// foreign tells aggregates that another shard writes.
	foreign  func(key string) bool
	items    cache[string, inventory.Item]
	holdings cache[string, holdings] // of orders of other shards
	orders   cache[string, entry]
	commands cache[pairKey, commandRecord]
	cached   int // of each kind, maxCached or less
	known    *known

	dirtyItems    map[string]*inventory.Item
	dirtyHoldings map[string]*holdings
	dirtyOrders   map[string]*entry
	dirtyCommands map[pairKey]*commandRecord
	// changedHoldings and changedOrders are the dirty ones that are not encoded as they are now.
	changedHoldings []*holdings
	changedOrders   []*entry
	// newlyTouched orders are not under keyTouched yet; forgetTouched: what is, goes with the next checkpoint.
	newlyTouched  map[string]struct{}
	forgetTouched bool
	cursors       map[eventlog.TopicPartition]*cursor

	keyBuf, frameBuf []byte

	// changes are for the checkpoint to come, spare for the one behind it; it is nil while its memory is with the
	// checkpoint that is prepared or written.
	changes, spare *changes
	encodeErr      error
	// batch is the checkpoint that is being written; there is one at a time.
	batch *pebble.Batch
	// saving: a checkpoint is being written; saved gets its outcome.
	saving bool
	saved  chan saved
}

func (s *store) resetDirty() {
	s.dirtyItems = map[string]*inventory.Item{}
	s.dirtyHoldings = map[string]*holdings{}
	s.dirtyOrders = map[string]*entry{}
	s.dirtyCommands = map[pairKey]*commandRecord{}
	s.newlyTouched, s.forgetTouched = map[string]struct{}{}, false
}

func (s *store) item(sku string) (*inventory.Item, error) {
	if it, ok := s.items.get(sku); ok {
		return it, nil
	}
	it := &inventory.Item{SKU: sku}
	err := s.load(changeKey{kind: keyItem, a: sku}, func(v []byte) (err error) { *it, err = codec.DecodeItem(v); return })
	s.items.young[sku] = it
	return it, err
}

func (s *store) held(orderID string) (*holdings, error) {
	if !s.foreign(orderID) {
		e, err := s.order(orderID)
		return &e.held, err
	}
	if h, ok := s.holdings.get(orderID); ok {
		return h, nil
	}
	h := &holdings{orderID: orderID}
	s.holdings.young[orderID] = h
	if !s.known.has(orderID) {
		return h, nil
	}
	return h, s.load(changeKey{kind: keyHoldings, a: orderID}, h.decode)
}

func (s *store) order(id string) (*entry, error) {
	if e, ok := s.orders.get(id); ok {
		return e, nil
	}
	e := &entry{o: order.Order{ID: id}, held: holdings{orderID: id}}
	e.held.order = e
	s.orders.young[id] = e
	if !s.known.has(id) {
		return e, nil
	}
	return e, s.load(changeKey{kind: keyOrder, a: id}, e.decode)
}

// stockCommand returns what is remembered of a key on a SKU; version 0: nothing.
func (s *store) stockCommand(sku, key string) (*commandRecord, error) {
	k := pairKey{sku, key}
	if c, ok := s.commands.get(k); ok {
		return c, nil
	}
	c := &commandRecord{key: key}
	err := s.load(changeKey{keyCommand, sku, key}, func(v []byte) error {
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

// answeredHere reports whether an order's newest step decided nothing and was answered by stock of this shard alone: no
// event says so, but what is held does.
func (s *store) answeredHere(e *entry) bool {
	if e.o.Version == 0 || e.o.Undecided() {
		return false
	}
	wanted := e.o.Wanted()
	for i := range wanted {
		if s.foreign(wanted[i].SKU) || !e.hasSeen(&wanted[i]) {
			return false
		}
		if res := e.held.find(wanted[i].SKU); res.Rejected != nil && !wanted[i].Nothing() {
			return false // refused by stock that was another shard's, and the order has not heard
		}
	}
	return true
}

// applyOrder applies an event to an order; what it had is remembered under its key.
func (s *store) applyOrder(e *entry, m *codec.Meta, ev order.Event) {
	e.o = order.Evolve(e.o, ev, order.Facts{EventID: m.EventID, OccurredAtMicros: m.OccurredAtMicros})
	if m.IdempotencyKey != "" {
		e.remember(m)
	}
	s.changedOrder(e)
}

func (e *entry) remember(m *codec.Meta) {
	for i := range e.commands {
		if e.commands[i].key == m.IdempotencyKey {
			e.commands[i].fingerprint, e.commands[i].version = m.Fingerprint, m.Version
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
		s.changedHeld(h)
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

// changedHeld notes that holdings have changed.
func (s *store) changedHeld(h *holdings) {
	if h.order != nil {
		s.changedOrder(h.order)
		return
	}
	s.dirtyHoldings[h.orderID] = h
	if !h.changed {
		h.changed = true
		s.changedHoldings = append(s.changedHoldings, h)
	}
}

// changedOrder notes that an order, or what is held for it, has changed.
func (s *store) changedOrder(e *entry) {
	s.dirtyOrders[e.o.ID] = e
	if !e.held.changed {
		e.held.changed = true
		s.changedOrders = append(s.changedOrders, e)
	}
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

// deadlineOf is when an order expires unless it is paid; 0: it does not.
func deadlineOf(o *order.Order) int64 {
	if o.Terms == order.Prepaid && (o.Lifecycle == order.Placed || o.Lifecycle == order.Reserved) {
		return o.PaymentDeadlineMicros
	}
	return 0
}

// age lets unused entries go; only while no checkpoint is being applied, since the dirty sets do not have what
// is on its way.
func (s *store) age() {
	s.items.age(s.cached, s.dirtyItems)
	s.holdings.age(s.cached, s.dirtyHoldings)
	s.orders.age(s.cached, s.dirtyOrders)
	s.commands.age(s.cached, s.dirtyCommands)
}
