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

// inbox is a shard's bounded queue: many senders, one receiver.
type inbox struct {
	mu     sync.Mutex
	items  []input
	spare  []input
	closed bool
	ready  chan struct{}
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put reports whether the input was taken; full tells a full queue from a closed one.
func (b *inbox) put(in input) (ok, full bool) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false, false
	}
	if len(b.items) >= MaxQueued {
		b.mu.Unlock()
		return false, true
	}
	b.items = append(b.items, in)
	wake := len(b.items) == 1
	b.mu.Unlock()
	if wake {
		select {
		case b.ready <- struct{}{}:
		default:
		}
	}
	return true, false
}

// take returns what has queued, at most MaxBatchCommands. The slice is valid until the next take.
func (b *inbox) take() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) <= MaxBatchCommands {
		taken := b.items
		clear(b.spare)
		b.items, b.spare = b.spare[:0], taken
		return taken
	}
	taken := append([]input(nil), b.items[:MaxBatchCommands]...)
	rest := copy(b.items, b.items[MaxBatchCommands:])
	clear(b.items[rest:])
	b.items = b.items[:rest]
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return taken
}

// close refuses further inputs and returns those that nobody took.
func (b *inbox) close() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	left := b.items
	b.items = nil
	return left
}

// nowMicros is the writer's clock; nothing else in the write path reads one.
func nowMicros() int64 { return time.Now().UnixMicro() }

func positionOf(tp eventlog.TopicPartition, end int64) *peerv1.PartitionOffset {
	return &peerv1.PartitionOffset{Orders: tp.Topic == eventlog.TopicOrders, Partition: tp.Partition, Offset: end}
}
