package verify

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// keys remembers which idempotency key took effect on which aggregate (I4), by hash: the keys of a long log would
// not fit into memory.
type keys struct {
	// versions is the aggregate's version at which a key took effect last, by the hash of topic, aggregate and key.
	versions map[keyHash]uint64
	placedBy map[string]string // idempotency key of a placement → order ID
	// disk has what the maps have not; nil: they have all.
	disk *disk
}

// keyHash is long enough for no two keys of a log to have the same one.
type keyHash [16]byte

func newKeys(disk *disk) keys { return keys{map[keyHash]uint64{}, map[string]string{}, disk} }

// again notes an event's key, and reports whether the key had taken effect before. The events of one decision have the
// same key and follow each other directly, which is one effect.
func (k *keys) again(topic, id string, meta *eventv1.Meta) bool {
	sum := hashOf(topic, id, meta.IdempotencyKey)
	last, seen := k.versions[sum]
	if !seen && k.disk != nil {
		seen = k.disk.read(keyEffect, string(sum[:]), func(c *coder) { c.uint64(&last) })
	}
	k.versions[sum] = meta.Version
	return seen && meta.Version != last+1
}

// has reports whether a key took effect on an aggregate.
func (k *keys) has(topic, id, key string) bool {
	_, seen := k.versions[hashOf(topic, id, key)]
	return seen
}

// place notes that a key placed an order. It returns the order that the key had placed before.
func (k *keys) place(key, orderID string) (before string, seen bool) {
	before, seen = k.placedBy[key]
	if !seen && k.disk != nil {
		sum := hashOf(key)
		seen = k.disk.read(keyPlaced, string(sum[:]), func(c *coder) { c.text(&before) })
	}
	k.placedBy[key] = orderID
	return before, seen
}

// save adds what is in memory to the batch of the disk, and forgets it.
func (k *keys) save() {
	for sum, version := range k.versions {
		k.disk.write(keyEffect, string(sum[:]), func(c *coder) { c.uint64(&version) })
	}
	for key, orderID := range k.placedBy {
		sum := hashOf(key)
		k.disk.write(keyPlaced, string(sum[:]), func(c *coder) { c.text(&orderID) })
	}
	clear(k.versions)
	clear(k.placedBy)
}

// hashOf is made of two hashes with different seeds.
func hashOf(texts ...string) (sum keyHash) {
	for half := range 2 {
		h := xxhash.NewWithSeed(uint64(half))
		for _, text := range texts {
			_, _ = h.WriteString(text)  // never fails
			_, _ = h.Write([]byte{0x0}) // never fails
		}
		binary.BigEndian.PutUint64(sum[8*half:], h.Sum64())
	}
	return sum
}
