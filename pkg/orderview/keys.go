package orderview

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Keys: a letter, then the parts. Times are inverted, so that the newest comes first.
const (
	keyEvent    = 'e' // order ID \0 version → the event as it stands in the log
	keyHead     = 'h' // order ID → head
	keyCustomer = 'c' // customer ID \0 inverted time, order ID
	keyStatus   = 's' // status \0 inverted time, order ID
	keyRecent   = 't' // inverted time, order ID
	keyOffset   = 'p' // partition → next offset
)

func key(kind byte, id string) []byte { return append([]byte{kind}, id...) }

func offsetKey(partition int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{keyOffset}, uint32(partition))
}

func eventKey(id string, version uint64) []byte {
	return binary.BigEndian.AppendUint64(append(key(keyEvent, id), 0), version)
}

func indexPrefix(kind byte, value string) []byte {
	if kind == keyRecent {
		return []byte{kind}
	}
	return append(key(kind, value), 0)
}

func indexKey(kind byte, value string, at int64, id string) []byte {
	b := binary.BigEndian.AppendUint64(indexPrefix(kind, value), uint64(math.MaxInt64-at))
	return append(b, id...)
}

func upperBound(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	end[len(end)-1]++
	return end
}
