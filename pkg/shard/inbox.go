package shard

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// inbox has what waits for a shard, bounded: many senders, one receiver. Messages of other shards have a queue of their
// own and go first: the orders that commands wait for end with them.
//
// Commands have a queue for each source: one for all requests with one command, and one for each stream of many. They
// are served in turn, a command each. So a stream of 300,000 lines keeps nobody waiting but itself.
type inbox struct {
	// maxWait is how long a command may have to wait; beyond that it is refused. 0: however long.
	maxWait time.Duration
	// undecided is how many of the drained inputs the receiver has not decided yet.
	undecided atomic.Int64

	mu       sync.Mutex
	messages []input
	sources  map[uint64]*sourceQueue // by Command.Stream
	turns    []*sourceQueue          // those with commands
	turn     int                     // whose turn it is
	spare    []*sourceQueue          // of streams that have none any more
	queued   int                     // commands
	drained  []input                 // what drain returned last
	pace     pace
	closed   bool
	ready    chan struct{}
}

// maxSpareQueues are kept for streams to come, with their memory.
const maxSpareQueues = 8

// sourceQueue has the commands of one source that wait.
type sourceQueue struct {
	stream uint64
	inputs []*commandInput
	first  int // the others are taken
}

func (q *sourceQueue) waiting() int { return len(q.inputs) - q.first }

// take removes the first command.
func (q *sourceQueue) take() *commandInput {
	in := q.inputs[q.first]
	q.inputs[q.first] = nil
	if q.first++; q.first == len(q.inputs) {
		q.inputs, q.first = q.inputs[:0], 0
	}
	return in
}

func (q *sourceQueue) add(in *commandInput) {
	if len(q.inputs) == cap(q.inputs) && q.first > len(q.inputs)/2 { // rather than grow
		q.inputs = append(q.inputs[:0], q.inputs[q.first:]...)
		clear(q.inputs[len(q.inputs) : len(q.inputs)+q.first])
		q.first = 0
	}
	q.inputs = append(q.inputs, in)
}

// admission says whether the inbox has taken an input, or why not.
type admission int

const (
	admitted admission = iota
	inboxClosed
	inboxFull
	tooLate // it would wait longer than it may
)

func newInbox(maxWait time.Duration) *inbox {
	b := &inbox{maxWait: maxWait, sources: map[uint64]*sourceQueue{}, ready: make(chan struct{}, 1)}
	b.sources[0] = &sourceQueue{}
	return b
}

// putCommand takes a command. wait is how long it would have to wait where it is too late.
func (b *inbox) putCommand(in *commandInput) (how admission, wait time.Duration) {
	stream := in.cmd.Stream
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return inboxClosed, 0
	}
	q := b.source(stream)
	limit := MaxQueued
	if stream != 0 {
		limit = MaxQueuedOfStream
	} else if wait = b.expectedWait(q); b.maxWait > 0 && wait > b.maxWait {
		return tooLate, wait
	}
	if q.waiting() >= limit {
		return inboxFull, 0
	}
	if q.add(in); q.waiting() == 1 {
		b.turns = append(b.turns, q)
	}
	if b.queued++; b.queued == 1 {
		signal(b.ready)
	}
	return admitted, 0
}

// source is the queue of a stream. mu must be locked.
func (b *inbox) source(stream uint64) *sourceQueue {
	q := b.sources[stream]
	if q != nil {
		return q
	}
	if last := len(b.spare) - 1; last >= 0 {
		q, b.spare = b.spare[last], b.spare[:last]
	} else {
		q = &sourceQueue{}
	}
	q.stream = stream
	b.sources[stream] = q
	return q
}

// expectedWait is how long one more command of a source would wait: for those before it in its queue, and as many of
// each other source. mu must be locked.
func (b *inbox) expectedWait(q *sourceQueue) time.Duration {
	ahead := b.undecided.Load() + int64(min(b.queued, q.waiting()*len(b.turns)))
	return time.Duration(ahead) * b.pace.perCommand
}

// putMessage takes what another shard sends.
func (b *inbox) putMessage(in input) admission {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return inboxClosed
	case len(b.messages) >= MaxQueuedMessages:
		return inboxFull
	}
	if b.messages = append(b.messages, in); len(b.messages) == 1 {
		signal(b.ready)
	}
	return admitted
}

// drain removes and returns what waits, of messages and of commands at most MaxBatchCommands each. The slice is valid
// until the next drain.
func (b *inbox) drain() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.drained)
	b.drained = move(b.drained[:0], &b.messages)
	b.moveCommands()
	if len(b.messages)+b.queued > 0 {
		signal(b.ready)
	}
	b.undecided.Store(int64(len(b.drained)))
	return b.drained
}

// move moves inputs from the front of a queue to the end of dst.
func move(dst []input, queue *[]input) []input {
	n := min(len(*queue), MaxBatchCommands)
	dst = append(dst, (*queue)[:n]...)
	remaining := copy(*queue, (*queue)[n:])
	clear((*queue)[remaining:])
	*queue = (*queue)[:remaining]
	return dst
}

// moveCommands moves commands to the drained inputs, one of each source in turn.
func (b *inbox) moveCommands() {
	n := min(b.queued, MaxBatchCommands)
	b.queued -= n
	for range n {
		if b.turn >= len(b.turns) {
			b.turn = 0
		}
		q := b.turns[b.turn]
		b.drained = append(b.drained, q.take())
		if q.waiting() > 0 {
			b.turn++
			continue
		}
		b.turns = slices.Delete(b.turns, b.turn, b.turn+1)
		if q.stream != 0 {
			b.forget(q)
		}
	}
}

// forget lets the queue of a stream go that has no commands.
func (b *inbox) forget(q *sourceQueue) {
	delete(b.sources, q.stream)
	if len(b.spare) < maxSpareQueues {
		b.spare = append(b.spare, q)
	}
}

// waiting is how many inputs wait to be decided.
func (b *inbox) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queued + len(b.messages) + int(b.undecided.Load())
}

// served notes a commit with so many commands.
func (b *inbox) served(commands int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pace.served(commands, b.queued > 0 || b.undecided.Load() > 0, now)
}

// close refuses further inputs and returns those that still wait.
func (b *inbox) close() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	left := b.messages
	for _, q := range b.turns {
		for q.waiting() > 0 {
			left = append(left, q.take())
		}
	}
	b.messages, b.turns, b.sources, b.spare, b.queued = nil, nil, nil, nil, 0
	return left
}

// signal wakes the one goroutine that waits on c, now or when it next does.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
