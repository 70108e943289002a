package checkpoint

import "github.com/holdfast/holdfast/pkg/inventory"

// MaxCached entries of each kind stay decoded in memory, and as many again that have not been used for a while: fewer
// where they are large (Config.MemoryBytes).
const MaxCached = 50_000

// What an entry takes of memory, from the length of its encoded value: its structs, and how much larger it is decoded.
// TestTheCacheIsBoundedInBytes compares the estimate with the heap.
const (
	entryBytes   = 768
	decodedBytes = 6
)

// cache is a map in two generations: an entry that is used moves to the younger one, and the older one is dropped as a
// whole. Entries that are not saved yet are also in the store's dirty sets.
type cache[K comparable, V any] struct {
	young, old map[K]*V
	// length is how long the encoded value of an entry is.
	length func(*V) int
	// bytes are about what the younger generation takes of memory, but for the entries that were dirty when it began.
	bytes int64
}

func newCache[K comparable, V any](length func(*V) int) cache[K, V] {
	return cache[K, V]{young: map[K]*V{}, old: map[K]*V{}, length: length}
}

func (c *cache[K, V]) get(k K) (*V, bool) {
	if v, ok := c.young[k]; ok {
		return v, true
	}
	v, ok := c.old[k]
	if ok {
		c.add(k, v)
	}
	return v, ok
}

func (c *cache[K, V]) add(k K, v *V) {
	c.young[k] = v
	c.bytes += entryBytes + decodedBytes*int64(c.length(v))
}

// grown notes that the encoded value of an entry is so many bytes longer than it was.
func (c *cache[K, V]) grown(bytes int) { c.bytes += decodedBytes * int64(bytes) }

// age drops the older generation when the younger one has too many entries, or is full in bytes. The dirty entries
// stay.
func (c *cache[K, V]) age(entries int, full bool, dirty map[K]*V) {
	if len(c.young) <= entries && !full {
		return
	}
	c.old, c.young = c.young, make(map[K]*V, len(c.young))
	c.bytes = 0
	for k, v := range dirty {
		c.young[k] = v
	}
}

// cachedItem is a stock item with the length of its encoded value.
type cachedItem struct {
	inventory.Item
	encoded int
}

// Cached is how many orders are in memory.
func (s *Store) Cached() int { return len(s.orders.young) + len(s.orders.old) }

// LimitCache sets how many entries of each kind stay in memory, MaxCached or fewer.
func (s *Store) LimitCache(entries int) { s.cacheSize = entries }

// Age drops unused entries from memory where there are too many. The caller must know that no checkpoint is being
// written (Idle), because the dirty sets do not have what one is writing.
func (s *Store) Age() {
	full := s.items.bytes+s.reservations.bytes+s.orders.bytes+s.commands.bytes > s.generationBytes
	s.items.age(s.cacheSize, full, s.dirtyItems)
	s.reservations.age(s.cacheSize, full, s.dirtyReservations)
	s.orders.age(s.cacheSize, full, s.dirtyOrders)
	s.commands.age(s.cacheSize, full, s.dirtyCommands)
}
