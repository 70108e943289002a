package analytics

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// endsKept bounds how many ends of the log are remembered until the mirror has passed them: one a second, so a mirror
// that is further behind than that many seconds knows its age less exactly.
const endsKept = 64

// logEnd is where the log ended when it was asked.
type logEnd struct {
	asked time.Time
	end   eventlog.Offsets
}

// freshness is how far the mirror of some partitions is, and when it was last known to hold all of them. A log that is
// written all the time ends further on whenever it is asked, so what counts is the newest end that the mirror has passed.
type freshness struct {
	// next is what is durable.
	next eventlog.Offsets
	// ends are in the order of time, never none: the newest that was passed, if any was, and those after it.
	ends []logEnd
	// currentAt is when the newest end that was passed had been asked for; zero: none was.
	currentAt time.Time
}

func newFreshness(next, end eventlog.Offsets, asked time.Time) *freshness {
	f := &freshness{next: next.Clone()}
	f.ended(end, asked)
	return f
}

// ended notes where the log ended; false when that is before what the mirror holds.
func (f *freshness) ended(end eventlog.Offsets, asked time.Time) bool {
	if len(f.ends) == endsKept {
		f.ends = f.ends[:endsKept-1] // the older ones are passed first, and make room
	}
	f.ends = append(f.ends, logEnd{asked, end})
	f.credit()
	return end.Covers(f.next)
}

// advance notes what is durable.
func (f *freshness) advance(reached eventlog.Offsets) {
	f.next.Merge(reached)
	f.credit()
}

// credit looks for the newest end that was passed, and forgets those before it.
func (f *freshness) credit() {
	for i := len(f.ends) - 1; i >= 0; i-- {
		if f.next.Covers(f.ends[i].end) {
			f.currentAt = f.ends[i].asked
			f.ends = slices.Delete(f.ends, 0, i)
			return
		}
	}
}

// with is how far the mirror is once it has reached that, and when it held each of the partitions to its end.
func (f *freshness) with(reached eventlog.Offsets) (next eventlog.Offsets, currentAt map[eventlog.TopicPartition]time.Time) {
	next = f.next.Clone()
	next.Merge(reached)
	currentAt = map[eventlog.TopicPartition]time.Time{}
	for _, e := range f.ends {
		for tp, end := range e.end {
			if next[tp] >= end {
				currentAt[tp] = e.asked
			}
		}
	}
	return next, currentAt
}

// lag is how many offsets lie between the mirror and the newest known end of the log.
func (f *freshness) lag() (lag int64) {
	for tp, end := range f.ends[len(f.ends)-1].end {
		lag += max(0, end-f.next[tp])
	}
	return lag
}
