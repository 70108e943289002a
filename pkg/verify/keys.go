package verify

import (
	"hash/maphash"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// effects remembers which idempotency key took effect on which aggregate (I4), by hash: the keys of a long log would
// not fit into memory.
type effects struct {
	seed maphash.Seed
	// versions is the aggregate's version at which a key took effect last, by the hash of topic, aggregate and key.
	versions map[uint64]uint64
}

func newEffects() effects { return effects{maphash.MakeSeed(), map[uint64]uint64{}} }

// again notes an event's key, and reports whether the key had taken effect before. The events of one decision have the
// same key and follow each other directly, which is one effect.
func (e *effects) again(topic, id string, meta *eventv1.Meta) bool {
	sum := e.sum(topic, id, meta.IdempotencyKey)
	last, seen := e.versions[sum]
	e.versions[sum] = meta.Version
	return seen && meta.Version != last+1
}

// has reports whether a key took effect on an aggregate.
func (e *effects) has(topic, id, key string) bool {
	_, seen := e.versions[e.sum(topic, id, key)]
	return seen
}

func (e *effects) sum(texts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(e.seed)
	for _, text := range texts {
		_, _ = h.WriteString(text) // never fails
		_ = h.WriteByte(0)         // never fails
	}
	return h.Sum64()
}
