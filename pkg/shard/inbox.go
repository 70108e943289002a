package shard

import (
	"sync"
)

// inbox has what waits for a shard, bounded: many senders, one receiver. Messages of other shards have a queue of their
// own and go first: the orders that commands wait for end with them.
type inbox struct {
	mu       sync.Mutex
	messages []input
	commands []input
	drained  []input // what drain returned last
	closed   bool
	ready    chan struct{}
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// putCommand reports whether the inbox has accepted a command. full tells a full queue from a closed one.
func (b *inbox) putCommand(in *commandInput) (ok, full bool) {
	return b.put(&b.commands, MaxQueued, in)
}

// putMessage is putCommand for what other shards send.
func (b *inbox) putMessage(in input) (ok, full bool) {
	return b.put(&b.messages, MaxQueuedMessages, in)
}

func (b *inbox) put(queue *[]input, most int, in input) (ok, full bool) {
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

// drain removes and returns what waits, of messages and of commands at most MaxBatchCommands each. The slice is valid
// until the next drain.
func (b *inbox) drain() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.drained)
	b.drained = move(b.drained[:0], &b.messages)
	b.drained = move(b.drained, &b.commands)
	if len(b.messages)+len(b.commands) > 0 {
		signal(b.ready)
	}
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

// close refuses further inputs and returns those that still wait.
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
