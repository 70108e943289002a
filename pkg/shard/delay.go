package shard

import "time"

const (
	// delayFromInputs inputs in a batch say that many clients are at work, so that a wait is worth its while.
	delayFromInputs = 4
	// delayMax bounds that wait where commits are slow; batches are large there by themselves.
	delayMax = 3 * time.Millisecond
	// delaySmoothing is over how many commits the time of one is smoothed.
	delaySmoothing = 8
	// Commits are slow when they take more than slowFactor times the fastest one: the machine or the broker is busy. The
	// fastest time rises by a forgetFastest-th with each commit, because it may be that of a broker that is no more.
	slowFactor    = 3
	forgetFastest = 1 << 13
)

// batchDelay decides how long a batch waits for more inputs.
//
// Callers whom a batch answers come back together a little later, and so do the answers of other shards. A batch that
// commits with the first of them leaves the others to one more transaction. What a transaction costs, here and at the
// broker, hardly depends on what is in it. So where commits have become slow, a batch waits until it has as many
// inputs as the last one had, or for as long as commits have become slower.
type batchDelay struct {
	lastInputs  int           // of the batch that committed last
	average     time.Duration // of a commit, smoothed
	fastest     time.Duration // commit
	committedAt time.Time
	timer       *time.Timer // fires when the wait is over
}

func newBatchDelay() batchDelay {
	timer := time.NewTimer(0)
	timer.Stop()
	return batchDelay{timer: timer}
}

// committed notes a commit.
func (d *batchDelay) committed(inputs int, took time.Duration, now time.Time) {
	d.lastInputs, d.committedAt = inputs, now
	d.average += (took - d.average) / delaySmoothing
	if d.fastest += d.fastest / forgetFastest; d.fastest == 0 || took < d.fastest {
		d.fastest = took
	}
}

// wait reports whether a batch with so many inputs should wait, and sets the timer to the end of the wait.
func (d *batchDelay) wait(inputs int, now time.Time) bool {
	if d.lastInputs < delayFromInputs || inputs == 0 || inputs >= d.lastInputs {
		return false
	}
	left := min(d.average-slowFactor*d.fastest, delayMax) - now.Sub(d.committedAt)
	if left <= 0 {
		return false
	}
	d.timer.Reset(left)
	return true
}
