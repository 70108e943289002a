package httpapi

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast/holdfast/pkg/problem"
)

func newStream(t *testing.T, m *Memory) *StreamMemory {
	t.Helper()
	s, err := m.Stream()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// acquire takes room that there must be.
func acquire(t *testing.T, s *StreamMemory, bytes int64) int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	held, err := s.Acquire(ctx, bytes)
	if err != nil {
		t.Fatalf("no room for %d bytes: %v", bytes, err)
	}
	return held
}

// refuses checks that there is no room now.
func refuses(t *testing.T, s *StreamMemory, bytes int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if held, err := s.Acquire(ctx, bytes); err == nil {
		t.Fatalf("there was room for %d more bytes: %d", bytes, held)
	}
}

// A stream may have so much under way, and the streams together no more than their half.
func TestStreamsShareTheirMemory(t *testing.T) {
	m := NewMemory(MinMemory)
	var streams []*StreamMemory
	for range 3 {
		streams = append(streams, newStream(t, m))
	}
	a, b, c := streams[0], streams[1], streams[2]
	held := acquire(t, a, m.maxStream)
	refuses(t, a, 1)
	acquire(t, b, m.maxStream-3*streamBytes)
	refuses(t, b, 1) // the half is full
	small := acquire(t, c, streamBytes)
	refuses(t, c, 1) // it has one line under way
	c.Release(small)
	acquire(t, c, streamBytes)
	a.Release(held)
	acquire(t, c, 1)
	for _, s := range streams {
		s.Close()
	}
	if half := int64(MinMemory / 2); m.streams != half || m.requests != half {
		t.Errorf("%d and %d of %d are left", m.streams, m.requests, half)
	}
}

// A line that is larger than what is left goes on where its stream has nothing under way, one at a time.
func TestALargeLineGoesOn(t *testing.T) {
	m := NewMemory(MinMemory)
	full := []*StreamMemory{newStream(t, m), newStream(t, m)}
	a, b := newStream(t, m), newStream(t, m)
	acquire(t, full[0], m.maxStream)
	acquire(t, full[1], m.maxStream-4*streamBytes)
	large := acquire(t, a, 2*m.maxStream) // counts as the most that a stream may have
	refuses(t, b, m.maxStream)
	waits := make(chan error, 1)
	go func() {
		_, err := b.Acquire(t.Context(), m.maxStream)
		waits <- err
	}()
	a.Release(large)
	if err := <-waits; err != nil {
		t.Error(err)
	}
}

// Who waits is served in turn, and a stream that goes while it waits leaves nothing behind.
func TestStreamsWaitInTurn(t *testing.T) {
	m := NewMemory(MinMemory)
	streams := []*StreamMemory{newStream(t, m), newStream(t, m), newStream(t, m)}
	held := make([]int64, len(streams))
	for i, s := range streams {
		held[i] = acquire(t, s, m.streams/int64(len(streams)-i))
	}
	const each = 1 << 20
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	waiting := func(n int) {
		for {
			m.mu.Lock()
			now := len(m.waiting)
			m.mu.Unlock()
			if now == n {
				return
			}
		}
	}
	go func() { _, err := streams[0].Acquire(ctx, each); first <- err }()
	waiting(1)
	go func() { _, err := streams[1].Acquire(t.Context(), each); second <- err }()
	waiting(2)
	streams[2].Release(each / 2) // not enough for either
	waiting(2)
	cancel(gone)
	if err := <-first; !errors.Is(err, gone) {
		t.Errorf("it says %v", err)
	}
	streams[2].Release(held[2] - each/2)
	if err := <-second; err != nil {
		t.Error(err)
	}
	for _, s := range streams {
		s.Close()
	}
	if m.streams != MinMemory/2 {
		t.Errorf("%d of %d are left", m.streams, MinMemory/2)
	}
}

// More streams than there is memory for are refused.
func TestTooManyStreamsAreRefused(t *testing.T) {
	m := NewMemory(MinMemory)
	for range m.streams / streamBytes {
		newStream(t, m)
	}
	_, err := m.Stream()
	if p := problem.Of(err); err == nil || p.Code != problem.TooManyRequests || p.RetryAfterSeconds < 1 {
		t.Errorf("one more: %v", err)
	}
}
