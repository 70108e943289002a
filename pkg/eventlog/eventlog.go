// Package eventlog is the log: topics, records, positions, transactional append and ordered read.
// It is the only importer of the Kafka client. It knows nothing of orders or stock; package codec
// beside it turns events into record values.
//
// Three rights, three types: a Client reads anything and administers topics, a Writer is one shard's
// exclusive right to append, and an Ownership schedules who should hold which right. Correctness rests
// on the Writer alone: the broker itself refuses a former writer.
package eventlog

import (
	"math"
	"time"
)

// The topics.
const (
	TopicOrders       = "orders.events"
	TopicInventory    = "inventory.events"
	TopicAvailability = "inventory.availability"
	TopicShards       = "holdfast.shards"
	TopicLayout       = "holdfast.layout"
	// TopicDeadLetters says which events the mirror could not take.
	TopicDeadLetters = "analytics.dead_letters"
)

// Limits on what the log carries.
const (
	// MaxPartitionCount is the most partitions an event topic may have.
	MaxPartitionCount = 1024
	// MaxRecordBytes is the most that a record's key, value and headers may come to together. It leaves
	// room for framing below the brokers' default limit of 1 MiB a batch.
	MaxRecordBytes = 900 << 10
)

// TopicPartition names one partition. The topic is always one of the constants above: a configured
// TopicPrefix is added and removed inside this package.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of the log. Offset is set on records that were read or committed. The log keeps
// milliseconds: a TimestampMicros that is read back is rounded down, and 0 means now.
type Record struct {
	TopicPartition
	Offset          int64
	Key, Value      []byte
	Headers         []Header
	TimestampMicros int64
}

// Size is what the record counts against MaxRecordBytes.
func (r *Record) Size() int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// timestamp is the record's time for the client; the zero time lets the client use the present.
func (r *Record) timestamp() time.Time {
	if r.TimestampMicros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(r.TimestampMicros)
}

// Offsets are exclusive ends: the offset after the last record, by partition.
type Offsets map[TopicPartition]int64

// Clone returns a copy that shares nothing.
func (o Offsets) Clone() Offsets {
	c := make(Offsets, len(o))
	for tp, end := range o {
		c[tp] = end
	}
	return c
}

// Merge raises each offset to the one in other where that is larger, and adds those that are missing.
func (o Offsets) Merge(other Offsets) {
	for tp, end := range other {
		if have, ok := o[tp]; !ok || end > have {
			o[tp] = end
		}
	}
}

// Covers reports whether every offset of other is reached.
func (o Offsets) Covers(other Offsets) bool {
	for tp, end := range other {
		if o[tp] < end {
			return false
		}
	}
	return true
}

// maxOffset bounds offsets read from outside, so that adding one never overflows.
const maxOffset = math.MaxInt64 - 1
