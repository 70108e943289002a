package shard

import "sync"

// Future is a command's answer to come. Accepted closes when the command is durable; Done closes with
// its outcome, which for an order waits for stock in other shards. Done implies Accepted.
type Future struct {
	accepted, done chan struct{}
	acceptedResult Result
	result         Result
	// notify, when set, is told of both; the peer server waits this way instead of with a goroutine.
	notify func(final bool, r Result)
	// queue of this replica that the command went into; nil: none.
	queue *inbox

	mu sync.Mutex // answering
}

// NewFuture returns a future that nobody has answered.
func NewFuture() *Future {
	return &Future{accepted: make(chan struct{}), done: make(chan struct{})}
}

// Accepted closes when the command's first events are committed, or with Done.
func (f *Future) Accepted() <-chan struct{} { return f.accepted }

// Done closes when Result is there.
func (f *Future) Done() <-chan struct{} { return f.done }

// Result is the outcome; only after Done.
func (f *Future) Result() Result { return f.result }

// AcceptedResult is what is known when the command is durable and its outcome open; only after Accepted.
func (f *Future) AcceptedResult() Result { return f.acceptedResult }

// accept answers that the command is durable. Only the first call counts.
func (f *Future) accept(r Result) {
	f.mu.Lock()
	first := f.noteAccepted(r)
	f.mu.Unlock()
	if first && f.notify != nil {
		f.notify(false, r)
	}
}

// noteAccepted reports whether the call was the first; with mu held.
func (f *Future) noteAccepted(r Result) bool {
	if closed(f.accepted) {
		return false
	}
	f.acceptedResult = r
	close(f.accepted)
	return true
}

// finish gives the outcome. Only the first call counts.
func (f *Future) finish(r Result) {
	if f.noteDone(r) && f.notify != nil {
		f.notify(true, r)
	}
}

// noteDone reports whether the call was the first.
func (f *Future) noteDone(r Result) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if closed(f.done) {
		return false
	}
	f.noteAccepted(r)
	f.result = r
	close(f.done)
	return true
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
