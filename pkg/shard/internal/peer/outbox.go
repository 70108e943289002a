package peer

import (
	"context"
	"sync"
)

// outbox has what waits to be sent on one stream, in frames of type F: many senders, one receiver.
type outbox[F any] struct {
	wake chan struct{} // something was put in
	room chan struct{} // something was packed

	mu       sync.Mutex
	messages []outgoing[F]
	bytes    int
}

// outgoing is one message for a frame: add adds it to that.
type outgoing[F any] struct {
	add   func(*F)
	bytes int
}

func newOutbox[F any]() *outbox[F] {
	return &outbox[F]{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put adds a message of so many bytes, also when the outbox is full. A sender that may drop its message or refuse it
// asks full first.
func (o *outbox[F]) put(bytes int, add func(*F)) {
	o.mu.Lock()
	o.messages = append(o.messages, outgoing[F]{add, bytes})
	o.bytes += bytes
	o.mu.Unlock()
	signal(o.wake)
}

// full reports whether as much waits as should.
func (o *outbox[F]) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.messages) >= MaxQueued || o.bytes >= MaxQueuedBytes
}

// awaitRoom waits until the outbox is not full. Only one goroutine may wait.
func (o *outbox[F]) awaitRoom(ctx context.Context) error {
	for o.full() {
		select {
		case <-o.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// pack adds to a frame as many messages as one may have, and reports whether there were any.
func (o *outbox[F]) pack(frame *F) bool {
	o.mu.Lock()
	n, bytes := 0, 0
	for n < min(len(o.messages), MaxFrameMessages) && bytes < MaxFrameBytes {
		bytes += o.messages[n].bytes
		n++
	}
	packed := o.messages[:n:n]
	o.messages = o.messages[n:]
	o.bytes -= bytes
	o.mu.Unlock()
	for _, message := range packed {
		message.add(frame)
	}
	signal(o.room)
	return n > 0
}

// clear drops what waits.
func (o *outbox[F]) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages, o.bytes = nil, 0
}

// signal wakes the one goroutine that waits on c, now or when it next does.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
