package orderview

import (
	"bytes"
	"encoding/binary"
	"math"
)

// storeFormat is in the name of a store's folder. It rises when keys or values change; the new store is then built from
// the log.
const storeFormat = 9

// Keys begin with a letter for their kind. Times in them are inverted, so that the newest order comes first.
const (
	keyHistory   = 'e' // order ID → history
	keyCustomer  = 'c' // customer ID \0 inverted time, order ID
	keyStatus    = 's' // status \0 inverted time, order ID
	keyMetadata  = 'm' // key of an entry, =, its value \0 inverted time, order ID
	keySKU       = 'k' // SKU of a line \0 inverted time, order ID
	keyReference = 'r' // reference \0 inverted time, order ID
	keyNumber    = 'n' // partition, place in it → order ID
	// localstore.KeyOffset is that of the offsets.
)

func historyKey(id string) []byte { return append([]byte{keyHistory}, id...) }

func indexPrefix(dst []byte, kind byte, value string) []byte {
	return append(append(append(dst, kind), value...), 0)
}

func indexKey(dst []byte, kind byte, value string, at int64, id string) []byte {
	return append(binary.BigEndian.AppendUint64(indexPrefix(dst, kind, value), uint64(math.MaxInt64-at)), id...)
}

// metadataValue is an entry of metadata in its index. A key has no =, and a value no control character.
func metadataValue(key, value string) string { return key + "=" + value }

// orderIDOf is the order ID in a list's cursor, which is what follows an index key's prefix.
func orderIDOf(cursor []byte) string { return string(cursor[8:]) }

func upperBound(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	end[len(end)-1]++
	return end
}
