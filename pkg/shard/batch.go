package shard

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// batch is what one transaction will write, and what to do once it has committed.
type batch struct {
	records []*eventlog.Record
	ids     [][16]byte // of the events in records
	slab    []eventlog.Record
	headers []eventlog.Header
	arena   []byte
	bytes   int
	inputs  int
	// commands among the inputs.
	commands int
	// deciding is how long its inputs took to decide.
	deciding time.Duration
	// traced are the spans of the commands among them that are traced.
	traced []string
	// answers wait for the commit.
	answers []answer
	// onCommit runs once the batch has committed: steps and replies to other shards.
	onCommit []func(b *batch)
	// fenced: something was said that depends on state. Even without events a commit must then prove that this owner was
	// still the owner.
	fenced bool
	// refused are the hashes of the commands that were refused. They need an announcement, which has them.
	refused []uint64
	// announces: the last record is an announcement, of this time.
	announces     bool
	announcedFrom time.Time
	// heartbeat adds an announcement: the topic of announcements keeps an hour only.
	heartbeat bool
	// changes are the checkpoint of the state as it is after this batch; nil: none was due.
	changes *checkpoint.Changes
	// events of the transaction, an announcement not counted, and when its commit began.
	events         int
	committingFrom time.Time

	now     int64 // in microseconds, for everything that is decided into the batch
	ceTime  []byte
	ceAt    int64
	ceTypes map[string][]byte
}

// answer is a command's answer, to be given once the batch has committed.
type answer struct {
	fut    *Future
	result Result
	// The command wrote the records [first, end).
	first, end int
	// saga knows what the order's records before these were, here and in other shards.
	saga *saga
	// dependsOn are the partitions that an answer without records of its own depends on.
	dependsOn []eventlog.TopicPartition
	// accepted: the command is durable, and its outcome follows later.
	accepted bool
}

func newBatch() *batch { return &batch{ceTypes: map[string][]byte{}} }

// reset empties the batch for the next transaction; the broker client keeps nothing of the last.
func (b *batch) reset() {
	clear(b.answers)
	clear(b.traced)
	b.traced = b.traced[:0]
	clear(b.onCommit)
	b.records, b.ids, b.arena = b.records[:0], b.ids[:0], b.arena[:0]
	b.slab, b.headers = b.slab[:0], b.headers[:0]
	b.answers, b.onCommit = b.answers[:0], b.onCommit[:0]
	b.refused, b.announces = b.refused[:0], false
	b.bytes, b.inputs, b.commands, b.events, b.deciding = 0, 0, 0, 0, 0
	b.fenced, b.heartbeat, b.changes = false, false, nil
}

// trace notes that a command is traced. Those of one stream come behind each other, and are one.
func (b *batch) trace(parent string) {
	if last := len(b.traced) - 1; parent != "" && last+1 < maxTraced && (last < 0 || b.traced[last] != parent) {
		b.traced = append(b.traced, parent)
	}
}

// room reports whether more may be decided into the batch.
func (b *batch) room() bool { return b.inputs < MaxBatchCommands && b.bytes < MaxBatchBytes }

// empty reports whether there is nothing to write and nobody to answer.
func (b *batch) empty() bool {
	return len(b.records) == 0 && len(b.answers) == 0 && len(b.onCommit) == 0 && !b.fenced && !b.heartbeat
}

// headersPerEvent: an event of a traced command has one more.
const headersPerEvent = 6

// maxTraced commands of a batch have a span of its commit.
const maxTraced = 256

var (
	ceSpecVersion     = eventlog.Header{Key: "ce_specversion", Value: []byte("1.0")}
	ceContentType     = eventlog.Header{Key: "content-type", Value: []byte("application/protobuf")}
	ceSourceOrders    = eventlog.Header{Key: "ce_source", Value: []byte("/holdfast/orders")}
	ceSourceInventory = eventlog.Header{Key: "ce_source", Value: []byte("/holdfast/inventory")}
)

// errTooLarge: an event would not fit into a record.
type errTooLarge struct{ size int }

func (e errTooLarge) Error() string {
	return fmt.Sprintf("its event would take %d bytes; the limit is %d: split the command",
		e.size, eventlog.MaxRecordBytes)
}

// add appends an encoded event as a record, unless it is too large. value is in b.arena, where the record's key and
// headers go too.
func (b *batch) add(
	tp eventlog.TopicPartition, key string, value []byte, ceType string, m *codec.Meta, traceParent string,
) error {
	if len(b.slab) == cap(b.slab) {
		// Records in use keep the old array.
		b.slab = make([]eventlog.Record, 0, max(256, 2*cap(b.slab)))
	}
	if cap(b.headers)-len(b.headers) <= headersPerEvent {
		b.headers = make([]eventlog.Header, 0, max(256*headersPerEvent, 2*cap(b.headers)))
	}
	h := len(b.headers)
	source := ceSourceInventory
	if tp.Topic == eventlog.TopicOrders {
		source = ceSourceOrders
	}
	b.headers = append(b.headers,
		ceSpecVersion, ceContentType, source,
		eventlog.Header{Key: "ce_id", Value: b.appended(formatUUID(b.arena, m.EventID))},
		eventlog.Header{Key: "ce_type", Value: b.typeBytes(ceType)},
		eventlog.Header{Key: "ce_time", Value: b.timeBytes(m.OccurredAtMicros)},
	)
	if traceParent != "" {
		b.headers = append(b.headers,
			eventlog.Header{Key: tracing.HeaderName, Value: b.appended(append(b.arena, traceParent...))})
	}
	rec := eventlog.Record{
		TopicPartition: tp, Key: b.appended(append(b.arena, key...)), Value: value,
		Headers: b.headers[h:len(b.headers):len(b.headers)], TimestampMicros: b.now,
	}
	if size := rec.Size(); size > eventlog.MaxRecordBytes {
		return errTooLarge{size}
	}
	b.slab = append(b.slab, rec)
	b.records = append(b.records, &b.slab[len(b.slab)-1])
	b.ids = append(b.ids, m.EventID)
	b.bytes += len(value) + len(key) + 200
	return nil
}

// appended stores arena, which is b.arena with a value appended, and returns that value. Values returned before stay
// valid: when the arena grows into another array, they keep the old one.
func (b *batch) appended(arena []byte) []byte {
	start := len(b.arena)
	b.arena = arena
	return arena[start:len(arena):len(arena)]
}

func (b *batch) typeBytes(t string) []byte {
	v, ok := b.ceTypes[t]
	if !ok {
		v = []byte(t)
		b.ceTypes[strings.Clone(t)] = v
	}
	return v
}

func (b *batch) timeBytes(micros int64) []byte {
	if b.ceTime == nil || b.ceAt != micros {
		b.ceAt = micros
		b.ceTime = time.UnixMicro(micros).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000000Z07:00")
	}
	return b.ceTime
}

// position of the records [first, end) of a committed batch.
func (b *batch) position(first, end int) eventlog.Offsets {
	p := make(eventlog.Offsets, end-first)
	for _, rec := range b.records[first:end] {
		p[rec.TopicPartition] = rec.Offset + 1
	}
	return p
}
