package shard

import (
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// changeKey is a key of the checkpoint: what kind of value it has, and whose.
type changeKey struct {
	kind byte
	a, b string
}

// append makes the bytes of a key. Only a command's has two parts.
func (k changeKey) append(dst []byte) []byte {
	dst = append(append(dst, k.kind), k.a...)
	if k.kind == keyCommand {
		dst = append(append(dst, 0), k.b...)
	}
	return dst
}

func (k changeKey) compare(other changeKey) int {
	if k.kind != other.kind {
		return int(k.kind) - int(other.kind)
	}
	if c := strings.Compare(k.a, other.a); c != 0 {
		return c
	}
	return strings.Compare(k.b, other.b)
}

// changes are new values of the checkpoint's keys, encoded as batches go and written together. Of a key that has several,
// the last counts.
type changes struct {
	list  []change
	arena []byte
	// forgetTouched: all that was under keyTouched goes first.
	forgetTouched bool
}

// change is a key with its value in the arena; deleted: the key goes.
type change struct {
	key        changeKey
	start, end int
	deleted    bool
}

// changesRetained is up to what size the memory of one checkpoint's changes is kept for the next.
const changesRetained = 32 << 20

// take gives a key what was appended to the arena.
func (c *changes) take(k changeKey, arena []byte) {
	c.list = append(c.list, change{key: k, start: len(c.arena), end: len(arena)})
	c.arena = arena
}

func (c *changes) delete(k changeKey) { c.list = append(c.list, change{key: k, deleted: true}) }

// fill puts the changes into a batch in the order of their keys, which Pebble inserts faster.
func (c *changes) fill(b *pebble.Batch) error {
	if c.forgetTouched {
		if err := b.DeleteRange([]byte{keyTouched}, []byte{keyTouched + 1}, nil); err != nil {
			return err
		}
	}
	slices.SortStableFunc(c.list, func(a, b change) int { return a.key.compare(b.key) })
	var key []byte
	for i := range c.list {
		last := &c.list[i]
		if i+1 < len(c.list) && c.list[i+1].key == last.key {
			continue
		}
		key = last.key.append(key[:0])
		var err error
		if last.deleted {
			err = b.Delete(key, nil)
		} else {
			err = b.Set(key, c.arena[last.start:last.end], nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *changes) reset() {
	clear(c.list)
	c.list, c.arena, c.forgetTouched = c.list[:0], c.arena[:0], false
	if cap(c.arena) > changesRetained {
		*c = changes{}
	}
}
