package analytics

import (
	runtimemetrics "runtime/metrics"
	"slices"
	"time"
)

const (
	// More than one in crowdedShare of the goroutines of this process waits for a processor longer than crowdedWait: it has
	// more to do than it can. Fewer than crowdedSamples change nobody's mind.
	crowdedWait    = 250 * time.Microsecond
	crowdedShare   = 10
	crowdedSamples = 50
	// crowdedRecords a second are what a mirror takes then, some three thousand orders; at most crowdedRest lies between two
	// polls.
	crowdedRecords = 15_000
	crowdedRest    = 3 * time.Second
)

// crowd tells whether this process is so busy that its goroutines wait for each other. In one process with those who take
// orders, a mirror gives way then: it falls behind while they need all there is, says so in its age, and catches up
// afterwards.
type crowd struct {
	sample []runtimemetrics.Sample
	seen   []uint64
	waited bool
}

func newCrowd() *crowd {
	c := &crowd{sample: []runtimemetrics.Sample{{Name: "/sched/latencies:seconds"}}}
	c.waits()
	return c
}

// waits reports whether it was so lately.
func (c *crowd) waits() bool {
	runtimemetrics.Read(c.sample)
	h := c.sample[0].Value.Float64Histogram()
	since := slices.Clone(h.Counts)
	for i, n := range c.seen {
		since[i] -= n
	}
	if waited, known := crowded(since, h.Buckets); known {
		c.waited = waited
		c.seen = append(c.seen[:0], h.Counts...)
	}
	return c.waited
}

// crowded judges a histogram of waits, if they are enough; bucket i holds those from buckets[i] seconds on.
func crowded(counts []uint64, buckets []float64) (waited, known bool) {
	var all, long uint64
	for i, n := range counts {
		all += n
		if buckets[i] >= crowdedWait.Seconds() {
			long += n
		}
	}
	return long*crowdedShare > all, all >= crowdedSamples
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
