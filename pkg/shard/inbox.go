package shard

import (
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// input is one thing for a shard to do; exactly one field group is set.
type input struct {
	cmd *Command
	fut *Future

	step  *peerv1.ReservationRequest
	reply func(*peerv1.ReservationResponse)

	answer *peerv1.ReservationResponse

	query      *peerv1.OrderQuery
	queryReply func(*peerv1.OrderQueryResponse)

	queryAnswer *peerv1.OrderQueryResponse
}

// inbox is what waits for a shard, bounded: many senders, one receiver. Messages of other shards have a queue of
// their own, and go first: the orders that commands wait for end with them.
type inbox struct {
	mu       sync.Mutex
	messages []input
	commands []input
	taken    []input
	closed   bool
	ready    chan struct{}
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put reports whether the input was taken; full tells a full queue from a closed one.
func (b *inbox) put(in input) (ok, full bool) {
	queue, most := &b.messages, MaxQueuedMessages
	if in.cmd != nil {
		queue, most = &b.commands, MaxQueued
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false, false
	}
	if len(*queue) >= most {
		return false, true
	}
	if *queue = append(*queue, in); len(*queue) == 1 {
		signal(b.ready)
	}
	return true, false
}

// take returns what has queued, of messages and of commands at most MaxBatchCommands each. The slice is valid until
// the next take.
func (b *inbox) take() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.taken)
	b.taken = move(b.taken[:0], &b.messages)
	b.taken = move(b.taken, &b.commands)
	if len(b.messages)+len(b.commands) > 0 {
		signal(b.ready)
	}
	return b.taken
}

// move takes from the front of a queue.
func move(taken []input, queue *[]input) []input {
	n := min(len(*queue), MaxBatchCommands)
	taken = append(taken, (*queue)[:n]...)
	rest := copy(*queue, (*queue)[n:])
	clear((*queue)[rest:])
	*queue = (*queue)[:rest]
	return taken
}

// close refuses further inputs and returns those that nobody took.
func (b *inbox) close() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	left := append(b.messages, b.commands...)
	b.messages, b.commands = nil, nil
	return left
}

// signal wakes the one goroutine that waits on c, now or when it next does.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// nowMicros is the writer's clock; nothing else in the write path reads one.
func nowMicros() int64 { return time.Now().UnixMicro() }

func positionOf(tp eventlog.TopicPartition, end int64) *peerv1.PartitionOffset {
	return &peerv1.PartitionOffset{Orders: tp.Topic == eventlog.TopicOrders, Partition: tp.Partition, Offset: end}
}
