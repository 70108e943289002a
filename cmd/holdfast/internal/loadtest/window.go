package loadtest

import (
	"sync"
	"time"
)

// sent is a line that is under way.
type sent struct {
	n  int64
	at time.Time
}

// window is what one bulk stream has under way: a writer adds lines, a reader takes them off in order, and
// gives back those that must be sent again.
type window struct {
	mu      sync.Mutex
	changed sync.Cond
	ahead   []sent // a ring, full or not
	first   int
	count   int
	again   []sent
	broken  bool // the reader has ended
	waiting bool // the writer waits
}

func newWindow(size int) *window {
	w := &window{ahead: make([]sent, size)}
	w.changed.L = &w.mu
	return w
}

// turn says what the writer does next.
type turn int

const (
	turnSend   turn = iota // a line for the first time
	turnResend             // a line that was told to come again
	turnWait               // the window is full
	turnEnd                // nothing is left to send now; what is under way may still come again
)

// claim gives the writer its next line. fresh hands out a new one while there are any.
func (w *window) claim(fresh func() (int64, bool)) (sent, turn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.broken:
		return sent{}, turnEnd
	case w.count == len(w.ahead):
		return sent{}, turnWait
	case len(w.again) > 0:
		s := w.again[0]
		w.again = w.again[1:]
		w.push(s)
		return s, turnResend
	}
	n, ok := fresh()
	if !ok {
		return sent{}, turnEnd
	}
	s := sent{n, time.Now()}
	w.push(s)
	return s, turnSend
}

func (w *window) push(s sent) {
	w.ahead[(w.first+w.count)%len(w.ahead)] = s
	w.count++
}

// wait lets the writer of a full window sleep until there is room.
func (w *window) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.broken && w.count == len(w.ahead) {
		w.waiting = true
		w.changed.Wait()
	}
	w.waiting = false
}

// reopen begins another request, and reports whether there is anything left to send in it.
func (w *window) reopen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = false
	return len(w.again) > 0
}

// takeOff is the line that a result answers; false when nothing is under way.
func (w *window) takeOff() (sent, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		return sent{}, false
	}
	s := w.ahead[w.first]
	w.first = (w.first + 1) % len(w.ahead)
	w.count--
	w.wake()
	return s, true
}

// underWay is how many lines wait for their result.
func (w *window) underWay() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// sendAgain gives a line back to the writer.
func (w *window) sendAgain(s sent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again = append(w.again, s)
	w.wake()
}

// end tells the writer that nobody reads any more.
func (w *window) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
	w.wake()
}

func (w *window) wake() {
	if w.waiting {
		w.changed.Signal()
	}
}
