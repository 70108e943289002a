package analytics

import (
	runtimemetrics "runtime/metrics"
	"slices"
	"time"
)

const (
	// More than one in crowdedShare of the goroutines of this process waits for a processor longer than crowdedWait: it has
	// more to do than it can. Of fewer than crowdedSamples nothing is concluded.
	crowdedWait    = 250 * time.Microsecond
	crowdedShare   = 10
	crowdedSamples = 50
	// crowdedRecords a second are what a mirror takes then, some three thousand orders; at most crowdedRest lies between two
	// polls.
	crowdedRecords = 15_000
	crowdedRest    = time.Second
)

// crowd tells whether this process is so busy that its goroutines wait for each other. A mirror has a process of its own
// where it matters, and there it never is. In one process with those who take orders, the mirror gives way: it falls
// behind while they need all there is, says so in its age, and catches up afterwards.
type crowd struct {
	sample []runtimemetrics.Sample
	seen   []uint64
}

func newCrowd() *crowd {
	c := &crowd{sample: []runtimemetrics.Sample{{Name: "/sched/latencies:seconds"}}}
	c.waits()
	return c
}

// waits reports whether it was so since the last call.
func (c *crowd) waits() bool {
	runtimemetrics.Read(c.sample)
	h := c.sample[0].Value.Float64Histogram()
	since := slices.Clone(h.Counts)
	for i, n := range c.seen {
		since[i] -= n
	}
	c.seen = append(c.seen[:0], h.Counts...)
	return crowded(since, h.Buckets)
}

// crowded judges a histogram of waits; bucket i holds those from buckets[i] seconds on.
func crowded(counts []uint64, buckets []float64) bool {
	var all, long uint64
	for i, n := range counts {
		all += n
		if buckets[i] >= crowdedWait.Seconds() {
			long += n
		}
	}
	return all >= crowdedSamples && long*crowdedShare > all
}

// rest is how long a reader rests after a poll. At the log's end records gather: each fetch costs the broker, and the
// batch waits for its flush anyhow.
func rest(records int, flush time.Duration, crowded bool) time.Duration {
	var rest time.Duration
	if records < gatherBelow {
		rest = flush / gatherParts
	}
	if crowded {
		rest = max(rest, min(time.Duration(records)*time.Second/crowdedRecords, crowdedRest))
	}
	return rest
}
