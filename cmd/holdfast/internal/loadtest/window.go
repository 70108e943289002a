package loadtest

import (
	"sync"
	"time"
)

// sentLine is a line that waits for its result.
type sentLine struct {
	n  int64
	at time.Time
}

// window has the lines of one bulk stream that wait for their results. A writer adds lines. A reader removes them in
// the same order, and gives back those that must be retried.
type window struct {
	mu      sync.Mutex
	changed sync.Cond
	ring    []sentLine // count lines from first on
	first   int
	count   int
	retries []sentLine
	ended   bool // the reader has ended
	waiting bool // the writer waits
}

func newWindow(size int) *window {
	w := &window{ring: make([]sentLine, size)}
	w.changed.L = &w.mu
	return w
}

// turn is what the writer does next.
type turn int

const (
	turnSend  turn = iota // send a line for the first time
	turnRetry             // send a line again
	turnWait              // wait, because the window is full
	turnEnd               // end the request; results that are still to come may lead to retries in another one
)

// claim gives the writer its next line: one to retry, or the order that nextOrder returns.
func (w *window) claim(nextOrder func() (int64, bool)) (sentLine, turn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.ended:
		return sentLine{}, turnEnd
	case w.count == len(w.ring):
		return sentLine{}, turnWait
	case len(w.retries) > 0:
		s := w.retries[0]
		w.retries = w.retries[1:]
		w.push(s)
		return s, turnRetry
	}
	n, ok := nextOrder()
	if !ok {
		return sentLine{}, turnEnd
	}
	s := sentLine{n, time.Now()}
	w.push(s)
	return s, turnSend
}

func (w *window) push(s sentLine) {
	w.ring[(w.first+w.count)%len(w.ring)] = s
	w.count++
}

// wait lets the writer sleep until the window has room.
func (w *window) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.ended && w.count == len(w.ring) {
		w.waiting = true
		w.changed.Wait()
	}
	w.waiting = false
}

// reopen prepares another request. It reports whether there are lines to retry in it.
func (w *window) reopen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = false
	return len(w.retries) > 0
}

// remove removes the oldest line, which the next result belongs to; false when the window is empty.
func (w *window) remove() (sentLine, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		return sentLine{}, false
	}
	s := w.ring[w.first]
	w.first = (w.first + 1) % len(w.ring)
	w.count--
	w.wake()
	return s, true
}

// pending is how many lines wait for their result.
func (w *window) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// retry gives a line back to the writer.
func (w *window) retry(s sentLine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retries = append(w.retries, s)
	w.wake()
}

// end tells the writer that the reader has ended.
func (w *window) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.wake()
}

func (w *window) wake() {
	if w.waiting {
		w.changed.Signal()
	}
}
