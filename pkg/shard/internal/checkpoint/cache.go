package checkpoint

import "maps"

// MaxCached entries of each kind stay decoded in memory, and as many again that have not been used for a while.
const MaxCached = 50_000

// cache is a map in two generations: an entry that is used moves to the younger one, and the older one is dropped as a
// whole. Entries that are not saved yet are also in the store's dirty sets.
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

// age drops the older generation when the younger one is full, but for the dirty entries.
func (c *cache[K, V]) age(full int, dirty map[K]*V) {
	if len(c.young) <= full {
		return
	}
	c.old, c.young = c.young, make(map[K]*V, full)
	maps.Copy(c.young, dirty)
}

// Cached is how many orders are in memory.
func (s *Store) Cached() int { return len(s.orders.young) + len(s.orders.old) }

// LimitCache sets how many entries of each kind stay in memory, MaxCached or fewer.
func (s *Store) LimitCache(entries int) { s.cacheSize = entries }

// Age drops unused entries from memory where there are too many. The caller must know that no checkpoint is being
// written (Idle), because the dirty sets do not have what one is writing.
func (s *Store) Age() {
	s.items.age(s.cacheSize, s.dirtyItems)
	s.reservations.age(s.cacheSize, s.dirtyReservations)
	s.orders.age(s.cacheSize, s.dirtyOrders)
	s.commands.age(s.cacheSize, s.dirtyCommands)
}
