package analytics

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// endsKept is how many ends of the log are remembered until the mirror has reached them. There is one a second, so the
// age of a mirror that is further behind than that many seconds is known less exactly.
const endsKept = 64

// logEnd is where the log ended when it was asked.
type logEnd struct {
	asked time.Time
	end   eventlog.Offsets
}

// freshness is how far the mirror of some partitions is, and when it was last known to have all of their events.
//
// While the log is written, the mirror is always a little behind its present end. So the end is recorded every second,
// and the mirror was current when the newest end that it has reached was asked for. An example: at 12:00:00 the log
// ended at offset 10, at 12:00:01 at 20. Once the mirror has reached 15, it was current at 12:00:00.
type freshness struct {
	// next are the exclusive end offsets of what is durable in ClickHouse.
	next eventlog.Offsets
	// ends are in the order of time: the newest end that the mirror has reached, if any, and those after it. There is
	// at least one.
	ends []logEnd
	// currentAt is when the newest end that the mirror has reached was asked for; zero when it has reached none.
	currentAt time.Time
}

func newFreshness(next, end eventlog.Offsets, asked time.Time) *freshness {
	f := &freshness{next: next.Clone()}
	f.ended(end, asked)
	return f
}

// ended records where the log ended. It returns false when the mirror is beyond that end.
func (f *freshness) ended(end eventlog.Offsets, asked time.Time) bool {
	if len(f.ends) == endsKept {
		f.ends = f.ends[:endsKept-1] // drop the newest: the mirror reaches the older ones first, which makes room
	}
	f.ends = append(f.ends, logEnd{asked, end})
	f.updateCurrent()
	return end.Reaches(f.next)
}

// advance records what has become durable.
func (f *freshness) advance(reached eventlog.Offsets) {
	f.next.Merge(reached)
	f.updateCurrent()
}

// updateCurrent finds the newest end that the mirror has reached, and forgets those before it.
func (f *freshness) updateCurrent() {
	for i := len(f.ends) - 1; i >= 0; i-- {
		if f.next.Reaches(f.ends[i].end) {
			f.currentAt = f.ends[i].asked
			f.ends = slices.Delete(f.ends, 0, i)
			return
		}
	}
}

// after is the progress to save once the mirror has reached these offsets as well: how far it is then, and when it had
// all events of each partition. A partition that it is behind in is left out of currentAt.
func (f *freshness) after(reached eventlog.Offsets) *progress {
	p := &progress{next: f.next.Clone(), currentAt: map[eventlog.TopicPartition]time.Time{}}
	p.next.Merge(reached)
	for _, e := range f.ends {
		for tp, end := range e.end {
			if p.next[tp] >= end {
				p.currentAt[tp] = e.asked
			}
		}
	}
	return p
}

// lag is the number of offsets between the mirror and the newest known end of the log.
func (f *freshness) lag() (lag int64) {
	for tp, end := range f.ends[len(f.ends)-1].end {
		lag += max(0, end-f.next[tp])
	}
	return lag
}
