package httpapi

import (
	"context"
	"fmt"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// What a request is taken to need of memory, from what is known before it is read. Measured with commands of all kinds:
// a body is there as text, as a command, and as events, each of which takes more than the text.
const (
	// requestBytes is for a request by itself: its connection, its goroutine, its answer.
	requestBytes = 48 << 10
	// bytesPerByte is for each byte of a body.
	bytesPerByte = 8
	// unknownBodyBytes is the length of a body that does not say it.
	unknownBodyBytes = 64 << 10
)

// Limits of one stream in Memory.
const (
	// MaxStreamBytes may be under way in one stream; then its reading pauses.
	MaxStreamBytes = 32 << 20
	// streamBytes is for a stream by itself: its buffers, its goroutines, and one small line.
	streamBytes = 256 << 10
	// lineBytes is for a line of a stream by itself: its command, its future, its place in the queues.
	lineBytes = 3 << 10
)

// MinMemory is the least that Memory can be: with less, a body of the greatest length would find no room.
const MinMemory = 2 * (requestBytes + bytesPerByte*limits.MaxBodyBytes)

// Memory bounds what the requests under way take of the process's memory. One half is for requests with one command,
// the other half for streams of many. So neither keeps the other from being served.
//
// It is an estimate: what a request takes is told by the length of its body.
type Memory struct {
	mu sync.Mutex
	// Free bytes of each half. That of the streams is less than 0 while one of them has overdrawn it.
	requests, streams int64
	maxStream         int64
	overdrawn         *StreamMemory
	waiting           []*memoryWaiter
}

// memoryWaiter is a stream that waits for room. granted closes when it has it.
type memoryWaiter struct {
	stream  *StreamMemory
	bytes   int64
	granted chan struct{}
}

// NewMemory returns a budget of so many bytes; less than MinMemory counts as that.
func NewMemory(bytes int64) *Memory {
	half := max(bytes, MinMemory) / 2
	return &Memory{requests: half, streams: half, maxStream: min(MaxStreamBytes, half/2)}
}

// Admit makes room for a request with one command, before its body is read. Where there is none the request is refused.
// A nil Memory admits all.
func (m *Memory) Admit(c echo.Context) (release func(), err error) {
	if m == nil {
		return func() {}, nil
	}
	body := c.Request().ContentLength
	if body < 0 {
		body = unknownBodyBytes
	}
	bytes := requestBytes + bytesPerByte*min(body, limits.MaxBodyBytes)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests < bytes {
		return nil, m.full("requests")
	}
	m.requests -= bytes
	return func() {
		m.mu.Lock()
		m.requests += bytes
		m.mu.Unlock()
	}, nil
}

// full is the refusal of a request for which there is no room.
func (m *Memory) full(what string) error {
	return &problem.Problem{
		Code: problem.TooManyRequests, RetryAfterSeconds: 1,
		Detail: fmt.Sprintf("The %s under way take all the memory there is for them (--max-request-memory).", what),
	}
}

// StreamMemory is what one stream of many commands has of a Memory. One goroutine acquires, another may release.
type StreamMemory struct {
	memory *Memory // nil: there is no bound
	held   int64   // for its lines
}

// Stream makes room for a stream by itself, which Close gives back. Where there is none the stream is refused.
func (m *Memory) Stream() (*StreamMemory, error) {
	if m == nil {
		return &StreamMemory{}, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams < streamBytes {
		return nil, m.full("streams")
	}
	m.streams -= streamBytes
	return &StreamMemory{memory: m}, nil
}

// LineBytes is what a line of that length is taken to need, whose answer will have about so many bytes.
func LineBytes(length, answer int) int64 {
	return lineBytes + bytesPerByte*int64(length) + 2*int64(answer)
}

// Acquire waits for room for a line. Lines that take more than a stream may have under way count as that.
//
// A stream with nothing under way need not wait until others give room back: they may wait for it in turn, or for a
// client that reads nothing. What the stream has had from the start is enough for a small line; a large one may
// overdraw the budget, one at a time.
func (s *StreamMemory) Acquire(ctx context.Context, bytes int64) (held int64, err error) {
	m := s.memory
	if m == nil {
		return 0, nil
	}
	bytes = min(bytes, m.maxStream)
	m.mu.Lock()
	w := &memoryWaiter{stream: s, bytes: bytes}
	if len(m.waiting) == 0 && m.grant(w, true) {
		m.mu.Unlock()
		return bytes, nil
	}
	w.granted = make(chan struct{})
	m.waiting = append(m.waiting, w)
	m.wake()
	m.mu.Unlock()
	select {
	case <-w.granted:
		return bytes, nil
	case <-ctx.Done():
		m.giveUp(w)
		return 0, context.Cause(ctx)
	}
}

// grant gives a waiter its room, if there is room. first: nobody waits who came before it.
func (m *Memory) grant(w *memoryWaiter, first bool) bool {
	s := w.stream
	switch {
	case s.held+w.bytes <= m.maxStream && w.bytes <= m.streams && first:
	case s.held == 0 && w.bytes <= streamBytes:
	case s.held == 0 && m.overdrawn == nil:
		m.overdrawn = s
	default:
		return false
	}
	s.held += w.bytes
	m.streams -= w.bytes
	return true
}

// wake gives room to those who wait, in their order.
func (m *Memory) wake() {
	first := true
	still := m.waiting[:0]
	for _, w := range m.waiting {
		if m.grant(w, first) {
			close(w.granted)
			continue
		}
		// Who waits for lines of its own keeps nobody waiting.
		first = first && w.stream.held+w.bytes > m.maxStream
		still = append(still, w)
	}
	clear(m.waiting[len(still):])
	m.waiting = still
}

// giveUp ends the wait of a stream that has gone.
func (m *Memory) giveUp(w *memoryWaiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-w.granted:
		m.giveBack(w.stream, w.bytes)
		return
	default:
	}
	for i := range m.waiting {
		if m.waiting[i] == w {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			break
		}
	}
	m.wake()
}

func (m *Memory) giveBack(s *StreamMemory, bytes int64) {
	s.held -= bytes
	m.streams += bytes
	if m.overdrawn == s && s.held == 0 {
		m.overdrawn = nil
	}
	m.wake()
}

// Release gives the room of lines back, once their answers are sent.
func (s *StreamMemory) Release(held int64) {
	if s.memory == nil || held == 0 {
		return
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.giveBack(s, held)
}

// Close gives everything back that the stream has.
func (s *StreamMemory) Close() {
	if s.memory == nil {
		return
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.giveBack(s, s.held)
	s.memory.streams += streamBytes
	s.memory.wake()
}
