package shard

import "time"

const (
	// gatherFrom inputs in a batch say that many clients are at work: the next batch is worth waiting for.
	gatherFrom = 4
	// gatherAtMost bounds that wait where commits are slow; batches are large there by themselves.
	gatherAtMost = 3 * time.Millisecond
	// gatherMemory is over how many commits the time that one takes is smoothed.
	gatherMemory = 8
	// gatherSlow times the least that a commit has taken, and the machine or the broker has too much to do. That least is
	// forgotten by a gatherForget-th with each commit: it may have been a broker that is no more.
	gatherSlow   = 3
	gatherForget = 1 << 13
)

// gathering says how long a batch waits for more inputs. Callers whom a batch answers come back together a little later,
// and so do the answers of other shards; a batch that departs with the first of them leaves the others to one more
// transaction. What a transaction costs, here and at the broker, hardly depends on what is in it. So where commits have
// become slow, a batch waits until it has as many inputs as the last one had, or for as long as they have become slower.
type gathering struct {
	last   int           // inputs of the batch that landed last
	took   time.Duration // by a commit, smoothed
	least  time.Duration // that a commit took
	landed time.Time
	timer  *time.Timer // fires when the wait is over
}

func newGathering() gathering {
	timer := time.NewTimer(0)
	timer.Stop()
	return gathering{timer: timer}
}

// land notes a commit.
func (g *gathering) land(inputs int, took time.Duration, now time.Time) {
	g.last, g.landed = inputs, now
	g.took += (took - g.took) / gatherMemory
	if g.least += g.least / gatherForget; g.least == 0 || took < g.least {
		g.least = took
	}
}

// wait reports whether a batch with so many inputs should wait, and has the timer say when no longer.
func (g *gathering) wait(inputs int, now time.Time) bool {
	if g.last < gatherFrom || inputs == 0 || inputs >= g.last {
		return false
	}
	left := min(g.took-gatherSlow*g.least, gatherAtMost) - now.Sub(g.landed)
	if left <= 0 {
		return false
	}
	g.timer.Reset(left)
	return true
}
