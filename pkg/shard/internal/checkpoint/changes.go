package checkpoint

import (
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// Changes are new values of the checkpoint's keys. They are encoded batch by batch and written together. Where a key
// has several values, the last one counts.
type Changes struct {
	list  []change
	arena []byte
	order []int32 // memory of inOrder
	// forgetTouched: all that was under keyTouched is deleted first.
	forgetTouched bool
}

// change is a key with its value, arena[start:end], or the deletion of a key.
type change struct {
	key        key
	start, end int
	deleted    bool
}

// put gives a key the value that was appended to the arena.
func (c *Changes) put(k key, arena []byte) {
	c.list = append(c.list, change{key: k, start: len(c.arena), end: len(arena)})
	c.arena = arena
}

func (c *Changes) delete(k key) { c.list = append(c.list, change{key: k, deleted: true}) }

// writeTo puts the changes into a Pebble batch. Pebble inserts keys faster in their order.
func (c *Changes) writeTo(b *pebble.Batch) error {
	if c.forgetTouched {
		if err := b.DeleteRange([]byte{keyTouched}, []byte{keyTouched + 1}, nil); err != nil {
			return err
		}
	}
	order := c.inOrder()
	var encoded []byte
	for i, at := range order {
		last := &c.list[at]
		if i+1 < len(order) && c.list[order[i+1]].key == last.key {
			continue
		}
		encoded = last.key.append(encoded[:0])
		var err error
		if last.deleted {
			err = b.Delete(encoded, nil)
		} else {
			err = b.Set(encoded, c.arena[last.start:last.end], nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inOrder are the places of the changes in the list, by their keys; those of one key as they came. Changes are large:
// sorting their places takes half of the time of sorting them.
func (c *Changes) inOrder() []int32 {
	c.order = c.order[:0]
	for i := range c.list {
		c.order = append(c.order, int32(i))
	}
	slices.SortFunc(c.order, func(a, b int32) int {
		if ordered := c.list[a].key.compare(c.list[b].key); ordered != 0 {
			return ordered
		}
		return int(a - b)
	})
	return c.order
}

// reset empties the changes. Up to retained bytes, their memory is kept for the next checkpoint.
func (c *Changes) reset(retained int) {
	clear(c.list)
	c.list, c.arena, c.forgetTouched = c.list[:0], c.arena[:0], false
	if cap(c.arena) > retained {
		*c = Changes{}
	}
}

// compare orders keys by their bytes.
func (k key) compare(other key) int {
	if k.kind != other.kind {
		return int(k.kind) - int(other.kind)
	}
	if c := strings.Compare(k.a, other.a); c != 0 {
		return c
	}
	return strings.Compare(k.b, other.b)
}
