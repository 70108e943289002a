package eventlog

import (
	"container/heap"
	"context"
	"sync"
)

// Watermark says how far a view of the event topics has got, and lets readers wait until it is far enough:
// read your own writes. One follower advances it, any number of goroutines wait. Waiting starts no goroutine
// and polls nothing: a waiter sleeps in the heap of one partition that it still misses.
type Watermark struct {
	mu      sync.Mutex
	reached map[int64]int64       // by event key
	waiting map[int64]*waiterHeap // by event key; never an empty heap
}

// waiter is one Wait that is blocked, standing in the heap of want[missing]'s partition.
type waiter struct {
	want    []partitionEnd
	missing int
	index   int // in its heap; -1 once it has been released
	done    chan struct{}
}

// NewWatermark begins at the beginning of the log.
func NewWatermark() *Watermark {
	return &Watermark{reached: make(map[int64]int64), waiting: make(map[int64]*waiterHeap)}
}

// Advance raises the watermark and releases the waiters that are satisfied. Offsets that are lower than
// what was reached, and topics without events, change nothing.
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

// release takes the waiters out of the heap that this partition has satisfied; each is done, or goes on to
// wait for another partition.
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

// enqueue puts the waiter into the heap of the first partition that it misses; false when it misses none.
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
		return nil // released at the last moment
	}
	key := wt.want[wt.missing].key
	heap.Remove(w.waiting[key], wt.index)
	if len(*w.waiting[key]) == 0 {
		delete(w.waiting, key)
	}
	return ctx.Err()
}

// Reached is how far the watermark is.
func (w *Watermark) Reached() Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	offsets := make(Offsets, len(w.reached))
	for key, end := range w.reached {
		offsets[partitionEnd{key: key}.topicPartition()] = end
	}
	return PositionOf(offsets)
}

// wanted is the end that the waiter misses in the partition whose heap it stands in.
func (wt *waiter) wanted() int64 { return wt.want[wt.missing].end }

// waiterHeap has the waiter with the lowest wanted offset first.
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
