package shard

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// batch is what one transaction will write, and what to say once it has committed.
type batch struct {
	recs    []*eventlog.Record
	ids     [][16]byte
	slab    []eventlog.Record
	headers []eventlog.Header
	arena   []byte
	bytes   int
	inputs  int
	// answers wait for the commit; first and end bound the records that each one's command wrote.
	answers []answer
	// after runs once the commit is known: steps and replies to other shards.
	after []func(b *batch)
	// fenced says that something rests on state, so that even without events a commit must prove
	// that this owner was still the owner.
	fenced bool
	// beat adds an announcement: the topic of announcements forgets after an hour.
	beat bool
	// saved is the checkpoint of the state as it is after this batch; nil: none was due.
	saved *changes
	// events of the transaction, an announcement not counted, and when its commit began.
	events   int
	departed time.Time

	now     int64
	ceTime  []byte
	ceAt    int64
	ceTypes map[string][]byte
}

type answer struct {
	fut        *Future
	result     Result
	first, end int
	// saga has what the answer's order wrote before, here and in other shards.
	saga *saga
	// rests are the partitions that an answer without records of its own rests on.
	rests    []eventlog.TopicPartition
	accepted bool
}

func newBatch() *batch { return &batch{ceTypes: map[string][]byte{}} }

// reset empties the batch for the next transaction; the broker client keeps nothing of the last.
func (b *batch) reset() {
	clear(b.answers)
	clear(b.after)
	b.recs, b.ids, b.arena = b.recs[:0], b.ids[:0], b.arena[:0]
	b.slab, b.headers = b.slab[:0], b.headers[:0]
	b.answers, b.after = b.answers[:0], b.after[:0]
	b.bytes, b.inputs, b.fenced, b.beat, b.saved, b.events = 0, 0, false, false, nil, 0
}

// room reports whether the batch takes more.
func (b *batch) room() bool { return b.inputs < MaxBatchCommands && b.bytes < MaxBatchBytes }

// empty reports whether there is nothing to write and nobody to tell.
func (b *batch) empty() bool {
	return len(b.recs) == 0 && len(b.answers) == 0 && len(b.after) == 0 && !b.fenced && !b.beat
}

const headersPerEvent = 6

var (
	ceSpecVersion     = eventlog.Header{Key: "ce_specversion", Value: []byte("1.0")}
	ceContentType     = eventlog.Header{Key: "content-type", Value: []byte("application/protobuf")}
	ceSourceOrders    = eventlog.Header{Key: "ce_source", Value: []byte("/holdfast/orders")}
	ceSourceInventory = eventlog.Header{Key: "ce_source", Value: []byte("/holdfast/inventory")}
)

// errTooLarge: an event would not fit into a record.
type errTooLarge struct{ size int }

func (e errTooLarge) Error() string {
	return fmt.Sprintf("its event would take %d bytes; the limit is %d: split the command", e.size, eventlog.MaxRecordBytes)
}

// add appends an encoded event as a record, unless it is too large. value is in b.arena, and so is all that a record
// needs of its own.
func (b *batch) add(tp eventlog.TopicPartition, key string, value []byte, ceType string, m *codec.Meta) error {
	if len(b.slab) == cap(b.slab) {
		// Records already handed out keep the old array.
		b.slab = make([]eventlog.Record, 0, max(256, 2*cap(b.slab)))
	}
	if cap(b.headers)-len(b.headers) < headersPerEvent {
		b.headers = make([]eventlog.Header, 0, max(256*headersPerEvent, 2*cap(b.headers)))
	}
	h := len(b.headers)
	source := ceSourceInventory
	if tp.Topic == eventlog.TopicOrders {
		source = ceSourceOrders
	}
	b.headers = append(b.headers,
		ceSpecVersion, ceContentType, source,
		eventlog.Header{Key: "ce_id", Value: b.keep(formatUUID(b.arena, m.EventID))},
		eventlog.Header{Key: "ce_type", Value: b.typeBytes(ceType)},
		eventlog.Header{Key: "ce_time", Value: b.timeBytes(m.OccurredAtMicros)},
	)
	rec := eventlog.Record{
		TopicPartition: tp, Key: b.keep(append(b.arena, key...)), Value: value,
		Headers: b.headers[h:len(b.headers):len(b.headers)], TimestampMicros: b.now,
	}
	if size := rec.Size(); size > eventlog.MaxRecordBytes {
		return errTooLarge{size}
	}
	b.slab = append(b.slab, rec)
	b.recs = append(b.recs, &b.slab[len(b.slab)-1])
	b.ids = append(b.ids, m.EventID)
	b.bytes += len(value) + len(key) + 200
	return nil
}

// keep takes what was appended to b.arena, and returns that. Parts handed out before keep the old array.
func (b *batch) keep(arena []byte) []byte {
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

// context of the events of one decision.
type origin struct {
	key         string
	fingerprint [16]byte
	occurredAt  int64
	cause       eventv1.Cause
	causation   [16]byte
}

// appendOrder writes an order's events into the batch and applies them to the state.
func (r *runner) appendOrder(e *entry, evs []order.Event, from *origin) error {
	tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: r.partitionOf(e.o.ID)}
	deadline := deadlineOf(&e.o)
	for _, ev := range evs {
		m := r.meta(e.o.Version+1, from)
		start := len(r.b.arena)
		arena, ceType, err := codec.AppendOrder(r.b.arena, e.o.ID, &m, ev)
		if err != nil {
			return fmt.Errorf("encode an event of order %s: %w", e.o.ID, err)
		}
		r.b.arena = arena
		if err := r.b.add(tp, e.o.ID, arena[start:len(arena):len(arena)], ceType, &m); err != nil {
			return err
		}
		r.st.applyOrder(e, &m, ev)
		from.causation = m.EventID
	}
	if at := deadlineOf(&e.o); at != deadline {
		r.timers.set(e.o.ID, at)
	}
	return nil
}

// appendStock does the same for an item; h are the holdings that the events change, or nil.
func (r *runner) appendStock(it *inventory.Item, h *holdings, evs []inventory.Event, from *origin) error {
	next := *from
	for i, ev := range evs {
		if _, fills := ev.Change.(inventory.BackorderFilled); fills {
			next.key, next.fingerprint, next.cause = "", [16]byte{}, eventv1.Cause_CAUSE_SAGA
			return r.appendFills(it, evs[i:], &next)
		}
		id, err := r.appendStockEvent(it, h, ev, from)
		if err != nil {
			return err
		}
		next.causation = id
	}
	return nil
}

// appendFills writes the events that fill backorders, which come last. They change the holdings of other orders, and are
// told to them.
func (r *runner) appendFills(it *inventory.Item, evs []inventory.Event, from *origin) error {
	waiting := it.Backorders
	it.Backorders = nil // not copied for each event
	for _, ev := range evs {
		step, _ := inventory.StepOf(ev.Change)
		h, err := r.st.held(step.OrderID)
		if err != nil {
			return err
		}
		if from.causation, err = r.appendStockEvent(it, h, ev, from); err != nil {
			return err
		}
		cause := *from
		if err := r.tellFilled(it.SKU, h.of(it.SKU), &cause); err != nil {
			return err
		}
	}
	it.Backorders = inventory.AfterFills(waiting, evs)
	return nil
}

func (r *runner) appendStockEvent(it *inventory.Item, h *holdings, ev inventory.Event, from *origin) (id [16]byte, err error) {
	m := r.meta(it.Version+1, from)
	start := len(r.b.arena)
	arena, ceType, err := codec.AppendInventory(r.b.arena, it.SKU, &m, ev)
	if err != nil {
		return id, fmt.Errorf("encode an event of SKU %s: %w", it.SKU, err)
	}
	r.b.arena = arena
	tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: r.partitionOf(it.SKU)}
	if err := r.b.add(tp, it.SKU, arena[start:len(arena):len(arena)], ceType, &m); err != nil {
		return id, err
	}
	return m.EventID, r.st.applyStock(it, h, &m, ev)
}

func (r *runner) meta(version uint64, from *origin) codec.Meta {
	return codec.Meta{
		EventID: r.ids.next(), Version: version,
		OccurredAtMicros: from.occurredAt, RecordedAtMicros: r.b.now,
		IdempotencyKey: from.key, Fingerprint: from.fingerprint,
		Cause: from.cause, CausationID: from.causation,
		Generation: r.layout.Generation, Shard: uint32(r.shard),
	}
}

// position of the records [first, end) of a committed batch.
func (b *batch) position(first, end int) eventlog.Offsets {
	p := make(eventlog.Offsets, end-first)
	for _, rec := range b.recs[first:end] {
		p[rec.TopicPartition] = rec.Offset + 1
	}
	return p
}
