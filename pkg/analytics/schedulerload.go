package analytics

import (
	runtimemetrics "runtime/metrics"
	"slices"
	"time"
)

const (
	// A process is overloaded when more than one in overloadShare of its goroutines waited longer than longWait for a
	// processor. Fewer than enoughWaits waits are too few to judge by.
	longWait      = 250 * time.Microsecond
	overloadShare = 10
	enoughWaits   = 50

	// overloadRecords is how many records a second the mirror reads while the process is overloaded: the events of some
	// three thousand orders. overloadPause is the longest pause between two polls.
	overloadRecords = 15_000
	overloadPause   = 3 * time.Second
)

// schedulerLoad tells whether this process is overloaded: whether its goroutines wait long for a processor. It reads
// the histogram of these waits that the Go runtime keeps.
//
// In a process that also handles commands, the mirror slows down while that is so. It falls behind, shows that in its
// age, and catches up afterwards.
type schedulerLoad struct {
	sample []runtimemetrics.Sample
	// judged are the counts of the histogram at the last judgement.
	judged     []uint64
	overloaded bool
}

func newSchedulerLoad() *schedulerLoad {
	l := &schedulerLoad{sample: []runtimemetrics.Sample{{Name: "/sched/latencies:seconds"}}}
	l.isOverloaded()
	return l
}

// isOverloaded judges the waits since the last judgement. While there are too few, that judgement stands.
func (l *schedulerLoad) isOverloaded() bool {
	runtimemetrics.Read(l.sample)
	h := l.sample[0].Value.Float64Histogram()
	since := slices.Clone(h.Counts)
	for i, n := range l.judged {
		since[i] -= n
	}
	if overloaded, enough := judgeWaits(since, h.Buckets); enough {
		l.overloaded = overloaded
		l.judged = append(l.judged[:0], h.Counts...)
	}
	return l.overloaded
}

// judgeWaits judges a histogram of waits. Bucket i counts waits of at least buckets[i] seconds. enough is false when
// there are too few of them.
func judgeWaits(counts []uint64, buckets []float64) (overloaded, enough bool) {
	var all, long uint64
	for i, n := range counts {
		all += n
		if buckets[i] >= longWait.Seconds() {
			long += n
		}
	}
	return long*overloadShare > all, all >= enoughWaits
}

// pauseAfterPoll is how long the reader pauses after a poll.
//
// At the end of the log, each poll brings few records. A short pause lets more of them come together: every fetch costs
// the broker, and the batch waits for its flush interval anyway. When the process is overloaded, the mirror pauses in
// proportion to the poll, so that commands get the CPU.
func pauseAfterPoll(records int, flush time.Duration, overloaded bool) time.Duration {
	var pause time.Duration
	if records < smallPoll {
		pause = flush / smallPollFraction
	}
	if overloaded {
		pause = max(pause, min(time.Duration(records)*time.Second/overloadRecords, overloadPause))
	}
	return pause
}
