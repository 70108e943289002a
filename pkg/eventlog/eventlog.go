// Package eventlog is the log: topics, records, positions, transactional appends and ordered reads. It is the only
// importer of the Kafka client. It knows nothing of orders or stock; package codec turns events into record values.
//
// Three types have three rights. A Client reads everything and administers topics. A Writer is one shard's exclusive
// right to append. An Ownership schedules which replica should own which shard. Correctness depends on the Writer
// alone: the broker itself refuses the commits of a former writer.
package eventlog

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// Limits of the log.
const (
	// MaxPartitionCount is the largest number of partitions of an event topic.
	MaxPartitionCount = 1024
	// MaxRecordBytes is the largest sum of a record's key, value and headers. The brokers' default limit is 1 MiB a
	// batch; the difference is for what the protocol adds.
	MaxRecordBytes = 900 << 10
)

// TopicPartition names one partition. The topic is always one of the Topic constants: this package adds and removes a
// configured TopicPrefix.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Compare orders by topic and then by number.
func (tp TopicPartition) Compare(other TopicPartition) int {
	return cmp.Or(cmp.Compare(tp.Topic, other.Topic), cmp.Compare(tp.Partition, other.Partition))
}

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of the log.
type Record struct {
	TopicPartition
	// Offset is set on records that were read or committed.
	Offset     int64
	Key, Value []byte
	Headers    []Header
	// TimestampMicros of a record to write may be 0: now. The log keeps milliseconds, so it is rounded down when it is
	// read.
	TimestampMicros int64
}

// Header is the value of a header; empty: there is none.
func (r *Record) Header(key string) string {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value)
		}
	}
	return ""
}

// Size is the number of bytes that count towards MaxRecordBytes.
func (r *Record) Size() int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// timestamp is the record's time for the client, which writes the current time for the zero time.
func (r *Record) timestamp() time.Time {
	if r.TimestampMicros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(r.TimestampMicros)
}

// Offsets are exclusive ends by partition: the offset after the last record.
type Offsets map[TopicPartition]int64

// Partitions are the partitions in their order.
func (o Offsets) Partitions() []TopicPartition {
	return slices.SortedFunc(maps.Keys(o), TopicPartition.Compare)
}

// Clone returns an independent copy.
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

// Reaches reports whether every offset of other is reached.
func (o Offsets) Reaches(other Offsets) bool {
	for tp, end := range other {
		if o[tp] < end {
			return false
		}
	}
	return true
}

// maxOffset limits offsets that come from outside, so that adding one never overflows.
const maxOffset = math.MaxInt64 - 1
