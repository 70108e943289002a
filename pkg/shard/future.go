package shard

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

// accept answers that the command is durable. Only the first call counts; one goroutine answers.
func (f *Future) accept(r Result) {
	if f.noteAccepted(r) && f.notify != nil {
		f.notify(false, r)
	}
}

// noteAccepted reports whether the call was the first.
func (f *Future) noteAccepted(r Result) bool {
	select {
	case <-f.accepted:
		return false
	default:
	}
	f.acceptedResult = r
	close(f.accepted)
	return true
}

// finish gives the outcome. Only the first call counts; one goroutine answers.
func (f *Future) finish(r Result) {
	select {
	case <-f.done:
		return
	default:
	}
	f.noteAccepted(r)
	f.result = r
	close(f.done)
	if f.notify != nil {
		f.notify(true, r)
	}
}
