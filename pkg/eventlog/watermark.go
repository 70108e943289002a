package eventlog

import (
	"container/heap"
	"context"
	"sync"
)

// Watermark is how far a view of the event topics is. Readers wait on it until the view has their own writes. One
// goroutine advances it, any number may wait.
//
// Waiting starts no goroutine and does not poll. Each partition has a heap of waiters, ordered by the offset that they
// wait for. A waiter is in the heap of one partition that has not reached its position yet. When that partition has,
// the waiter moves on to the next one, or is released.
type Watermark struct {
	mu      sync.Mutex
	reached map[int64]int64       // by event key
	waiting map[int64]*waiterHeap // by event key; never an empty heap
}

// waiter is one blocked Wait. It is in the heap of the partition of want[missing].
type waiter struct {
	want    []partitionEnd
	missing int
	index   int // in its heap; -1 once it is in none
	done    chan struct{}
}

// NewWatermark returns a watermark at the beginning of the log.
func NewWatermark() *Watermark {
	return &Watermark{reached: make(map[int64]int64), waiting: make(map[int64]*waiterHeap)}
}

// Advance raises the watermark and releases the waiters whose position is reached. It ignores offsets that are lower
// than before, and topics that are not event topics.
func (w *Watermark) Advance(reached Offsets) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for tp, end := range reached {
		if key, ok := eventKey(tp); ok && end > w.reached[key] {
			w.reached[key] = end
		}
	}
	for tp := range reached {
		if key, ok := eventKey(tp); ok {
			w.release(key)
		}
	}
}

// release removes the waiters whose offset in this partition is reached. Each is done, or moves to another partition.
// mu must be locked.
func (w *Watermark) release(key int64) {
	h := w.waiting[key]
	if h == nil {
		return
	}
	for len(*h) > 0 && (*h)[0].wanted() <= w.reached[key] {
		next := heap.Pop(h).(*waiter)
		if !w.enqueue(next) {
			close(next.done)
		}
	}
	if len(*h) == 0 {
		delete(w.waiting, key)
	}
}

// enqueue adds the waiter to the heap of the first partition that is not far enough yet. It returns false when all are.
// mu must be locked.
func (w *Watermark) enqueue(wt *waiter) bool {
	for ; wt.missing < len(wt.want); wt.missing++ {
		e := wt.want[wt.missing]
		if w.reached[e.key] >= e.end {
			continue
		}
		h := w.waiting[e.key]
		if h == nil {
			h = new(waiterHeap)
			w.waiting[e.key] = h
		}
		heap.Push(h, wt)
		return true
	}
	return false
}

// Wait returns when the position is reached, or with the context's error.
func (w *Watermark) Wait(ctx context.Context, p Position) error {
	w.mu.Lock()
	wt := &waiter{want: p.ends, index: -1}
	if !w.enqueue(wt) {
		w.mu.Unlock()
		return nil
	}
	wt.done = make(chan struct{})
	w.mu.Unlock()
	select {
	case <-wt.done:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if wt.index < 0 {
		return nil // released just before mu was locked
	}
	key := wt.want[wt.missing].key
	heap.Remove(w.waiting[key], wt.index)
	if len(*w.waiting[key]) == 0 {
		delete(w.waiting, key)
	}
	return ctx.Err()
}

// Reached is the watermark's position.
func (w *Watermark) Reached() Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	offsets := make(Offsets, len(w.reached))
	for key, end := range w.reached {
		offsets[partitionEnd{key: key}.topicPartition()] = end
	}
	return PositionOf(offsets)
}

// wanted is the end that the waiter waits for in the partition in whose heap it is.
func (wt *waiter) wanted() int64 { return wt.want[wt.missing].end }

// waiterHeap is a heap with the lowest wanted offset first.
type waiterHeap []*waiter

// Len implements heap.Interface.
func (h waiterHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h waiterHeap) Less(i, j int) bool { return h[i].wanted() < h[j].wanted() }

// Swap implements heap.Interface.
func (h waiterHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *waiterHeap) Push(x any) {
	wt := x.(*waiter)
	wt.index = len(*h)
	*h = append(*h, wt)
}

// Pop implements heap.Interface.
func (h *waiterHeap) Pop() any {
	old := *h
	wt := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	wt.index = -1
	return wt
}
