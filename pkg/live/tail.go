package live

import (
	"slices"
	"sync"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
)

// MaxTailBytes is how much of the newest events is kept in memory, their values counted. At 700 bytes an event that is
// about 48,000 events: at 2,000 orders of 5 events a second, 5 s.
const MaxTailBytes = 32 << 20

// Tail has the newest events of both topics, as two views have folded them: each view is followed by a Listener. It is
// what nearly all requests and streams are served from, so that a client that keeps up costs the brokers nothing.
type Tail struct {
	space
	maxBytes int

	mu      sync.Mutex
	records []eventlog.Record // in the order in which they came; never changed in place
	first   int64             // the sequence number of records[0]
	bytes   int
	start   vector        // from where on the tail has each partition
	reached vector        // up to where it has it; -1: its view has not begun
	epoch   int           // counts the times that records were dropped because a view began again
	changed chan struct{} // closes when there is more
}

// NewTail returns an empty tail of a log with so many partitions of each event topic.
func NewTail(partitions int32) *Tail {
	t := &Tail{space: space{partitions}, maxBytes: MaxTailBytes, changed: make(chan struct{})}
	t.start, t.reached = make(vector, t.size()), make(vector, t.size())
	for i := range t.reached {
		t.reached[i] = -1
	}
	return t
}

// Listener is to be that of the view of a topic.
func (t *Tail) Listener(topic string) projector.Listener { return tailListener{t, topic} }

type tailListener struct {
	tail  *Tail
	topic string
}

// Began implements projector.Listener: what the tail has of the topic comes again, or is of another log.
func (l tailListener) Began(from eventlog.Offsets) {
	t := l.tail
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch++
	t.records = slices.DeleteFunc(slices.Clone(t.records), func(r eventlog.Record) bool { return r.Topic == l.topic })
	t.first, t.bytes = 0, 0
	for i := range t.records {
		t.bytes += len(t.records[i].Value)
	}
	for tp, offset := range from {
		if i, ok := t.index(tp); ok {
			t.start[i], t.reached[i] = offset, offset
		}
	}
	t.signal()
}

// Folded implements projector.Listener.
func (l tailListener) Folded(recs []eventlog.Record, reached eventlog.Offsets) {
	t := l.tail
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range recs {
		at, ok := t.index(recs[i].TopicPartition)
		if !ok || recs[i].Offset >= reached[recs[i].TopicPartition] || recs[i].Offset < t.reached[at] {
			continue
		}
		t.records = append(t.records, recs[i])
		t.bytes += len(recs[i].Value)
	}
	for tp, offset := range reached {
		if i, ok := t.index(tp); ok {
			t.reached[i] = max(t.reached[i], offset)
		}
	}
	t.evict()
	t.signal()
}

// evict drops the oldest events that are too much. They stay in memory until the slice grows next, which is soon.
func (t *Tail) evict() {
	n := 0
	for ; t.bytes > t.maxBytes; n++ {
		rec := &t.records[n]
		i, _ := t.index(rec.TopicPartition)
		t.start[i] = rec.Offset + 1
		t.bytes -= len(rec.Value)
	}
	t.records, t.first = t.records[n:], t.first+int64(n)
}

func (t *Tail) signal() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// view is what the tail has at a moment. Its records do not change.
type view struct {
	records []eventlog.Record
	start   vector
	reached vector
	next    cursor
	changed <-chan struct{}
}

// cursor is a place in a tail, behind a record. The zero cursor is before the first one.
type cursor struct {
	epoch int
	next  int64
}

// look returns what the tail has behind a cursor, or all of it where the cursor is of no use.
func (t *Tail) look(behind cursor) view {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := t.records
	if n := behind.next - t.first; behind.epoch == t.epoch && n > 0 && n <= int64(len(records)) {
		records = records[n:]
	}
	return view{
		records: records, start: slices.Clone(t.start), reached: slices.Clone(t.reached),
		next: cursor{t.epoch, t.first + int64(len(t.records))}, changed: t.changed,
	}
}

// Reached is up to where the tail has the log, a view that has not begun left aside.
func (t *Tail) Reached() eventlog.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position(t.reached)
}
