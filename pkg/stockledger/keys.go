package stockledger

import (
	"bytes"
	"encoding/binary"
)

// storeFormat is in the name of a store's folder. It rises when keys or values change; the new store is then built from
// the log.
const storeFormat = 3

// Keys begin with a letter for their kind, then the SKU and a zero byte: no SKU has control characters. Numbers in them
// are big-endian, so that keys are sorted by them.
const (
	keyItem     = 'c' // SKU → nothing
	keyEvent    = 'e' // SKU, offset → when it was recorded, the event as it stands in the log
	keySnapshot = 'r' // SKU, offset → the row after that event
	keyTime     = 't' // SKU, when the event of a snapshot was recorded, its offset → nothing
	keyLate     = 'l' // SKU, when an event occurred, its offset → a shift: the event was recorded long after
	keyEarly    = 'f' // SKU, when an event occurred, its offset → a shift: the event was recorded before
	keyOrder    = 'o' // order ID in the place of the SKU; SKU, 0, offset of an event that changes what it has → nothing
	// localstore.KeyOffset is that of the offsets.
)

// snapshotEvery is after how many events of an item its row is kept. A row of the past is folded from the snapshot
// before it.
const snapshotEvery = 16

// lateMicros is how long after it occurred an event is recorded before it counts as late. Events that are recorded
// sooner are found by when they were recorded.
const lateMicros = 60_000_000

func itemPrefix(dst []byte, kind byte, sku string) []byte {
	return append(append(append(dst, kind), sku...), 0)
}

func offsetKey(dst []byte, kind byte, sku string, offset int64) []byte {
	return binary.BigEndian.AppendUint64(itemPrefix(dst, kind, sku), uint64(offset))
}

// timeKey is a key with a time and an offset. Times before 1970 are sorted like others.
func timeKey(dst []byte, kind byte, sku string, micros, offset int64) []byte {
	dst = binary.BigEndian.AppendUint64(itemPrefix(dst, kind, sku), uint64(micros)^1<<63)
	return binary.BigEndian.AppendUint64(dst, uint64(offset))
}

// orderKey finds an event by the order whose reservation it changes.
func orderKey(dst []byte, orderID, sku string, offset int64) []byte {
	dst = append(append(itemPrefix(dst, keyOrder, orderID), sku...), 0)
	return binary.BigEndian.AppendUint64(dst, uint64(offset))
}

// skuAndOffset are those at the end of the key of an order.
func skuAndOffset(rest []byte) (sku string, offset int64) {
	return string(rest[:len(rest)-9]), offsetOf(rest)
}

// offsetOf is the offset at the end of a key.
func offsetOf(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[len(key)-8:])) }

// skuOf is the SKU in the key of an item.
func skuOf(key []byte) string { return string(key[1 : len(key)-1]) }

// upperBound is the first key that does not begin with the prefix.
func upperBound(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	end[len(end)-1]++
	return end
}
