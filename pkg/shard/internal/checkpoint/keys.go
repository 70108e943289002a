package checkpoint

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Format is part of the name of a checkpoint's folder. Raise it with each new field of schemas/holdfast/state, and when
// the keys change: a replica of the former version may have folded events without the field. The new checkpoint is then
// built from the log. A test holds it to the schema (testdata/format.golden).
const Format = 21

// folder is the name of a checkpoint's folder, by generation of the layout, shard and format: "g1-s0-f4".
const folder = "g%d-s%d-f%d"

// Folder is the name of the folder of a shard's checkpoint.
func Folder(generation uint32, shard int32) string {
	return fmt.Sprintf(folder, generation, shard, uint32(Format))
}

// Outdated reports whether a folder has a checkpoint that nobody reads again: one of a former generation, or one of
// this shard in a former format.
func Outdated(name string, generation uint32, shard int32) bool {
	var g, f uint32
	var s int32
	if _, err := fmt.Sscanf(name, folder, &g, &s, &f); err != nil || fmt.Sprintf(folder, g, s, f) != name {
		return false // not a checkpoint
	}
	return g < generation || g == generation && s == shard && f < Format
}

// GenerationOf is the generation of the layout that the checkpoint in a folder is of; false: it has none.
func GenerationOf(name string) (generation uint32, ok bool) {
	var f uint32
	var s int32
	if _, err := fmt.Sscanf(name, folder, &generation, &s, &f); err != nil {
		return 0, false
	}
	return generation, fmt.Sprintf(folder, generation, s, f) == name
}

// Keys of the checkpoint: a letter, then the aggregate.
const (
	keyItem             = 'i' // SKU → item
	keyReservations     = 'r' // order ID, of another shard → its reservations of this shard's SKUs
	keyOrder            = 'o' // order ID → order, with its reservations of this shard's SKUs and its commands
	keyCommand          = 'c' // SKU \0 idempotency key → command record
	keyOpenReservations = 'x' // order ID: those with open reservations here that no order in this shard is known to want
	keyPromise          = 's' // SKU \0 when it was promised, newest first, order ID: the open reservations of a SKU
	keyDeadline         = 'd' // order ID → its payment deadline: orders that expire unless they are paid
	keyUnsettled        = 'u' // order ID: orders whose newest step is not known to be answered
	keyTouched          = 't' // order ID: orders at the log's end that reconciliation has not looked at yet
	keyCursor           = 'p' // topic, partition → next offset and last event
	keyBegun            = 'n' // partition of orders → how many orders begin there
)

// key is a key of the checkpoint: what kind of value it has, and whose. Only the keys of a SKU's commands and promises
// use b.
type key struct {
	kind byte
	a, b string
}

// append appends the bytes of a key.
func (k key) append(dst []byte) []byte {
	dst = append(append(dst, k.kind), k.a...)
	if k.kind == keyCommand || k.kind == keyPromise {
		dst = append(append(dst, 0), k.b...)
	}
	return dst
}

func begunKey(partition int32) key {
	return key{kind: keyBegun, a: string(binary.BigEndian.AppendUint32(nil, uint32(partition)))}
}

func cursorKey(tp eventlog.TopicPartition) key {
	return key{kind: keyCursor, a: string(binary.BigEndian.AppendUint32([]byte(tp.Topic), uint32(tp.Partition)))}
}
