package shard

import "sync"

// Future is the answer to a command, once it is there. Accepted closes when the command is durable and its outcome is
// to come: an order that waits for stock of other shards. Done closes with the outcome.
//
// A command that ends at once closes Done alone. So a refusal never looks accepted, whatever a reader sees first: of
// two channels that close one after the other it may see the first one closed and the second one not yet.
type Future struct {
	accepted, done chan struct{}
	acceptedResult Result
	result         Result
	// notify, when set, is told of both. A command of another replica is answered this way, without a goroutine that
	// waits.
	notify func(final bool, r Result)
	// fromPeer: another replica has handed the command over, and waits for the answer.
	fromPeer bool
	// outcomes counts the outcome; nil: nobody does.
	outcomes *commandOutcomes
	// queue of this replica that the command went into; nil: none.
	queue *inbox

	mu sync.Mutex // while an answer is set
}

// Accepted closes when the command's first events are committed and its outcome is open. Where both end a wait, wait
// for Done too.
func (f *Future) Accepted() <-chan struct{} { return f.accepted }

// Done closes when Result is there.
func (f *Future) Done() <-chan struct{} { return f.done }

// Result is the outcome; only after Done.
func (f *Future) Result() Result { return f.result }

// AcceptedResult is what is known when the command is durable and its outcome open; only after Accepted.
func (f *Future) AcceptedResult() Result { return f.acceptedResult }

// accept answers that the command is durable. Only the first call counts, and none after the outcome.
func (f *Future) accept(r Result) {
	f.mu.Lock()
	first := f.setAccepted(r)
	f.mu.Unlock()
	if first && f.notify != nil {
		f.notify(false, r)
	}
}

// setAccepted reports whether the call was the first. mu must be locked.
func (f *Future) setAccepted(r Result) bool {
	if closed(f.accepted) || closed(f.done) {
		return false
	}
	f.acceptedResult = r
	close(f.accepted)
	return true
}

// finish gives the outcome. Only the first call counts.
func (f *Future) finish(r Result) {
	if !f.setDone(r) {
		return
	}
	f.outcomes.note(&r)
	if f.notify != nil {
		f.notify(true, r)
	}
}

// setDone reports whether the call was the first.
func (f *Future) setDone(r Result) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if closed(f.done) {
		return false
	}
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
