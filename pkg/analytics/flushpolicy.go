package analytics

import "time"

const (
	// partRows is how many rows an insert into a busy table should have. Each insert creates a data part. A part costs
	// ClickHouse about the same however few rows are in it, and all parts are merged later.
	partRows = 1_000
	// longestFlushDelay is how long the rows of a busy log wait at most. Writing them takes a few tenths of a second, so
	// half of the events are visible within a second, and nearly all within two.
	longestFlushDelay = 1200 * time.Millisecond
	// longestFlushIntervals is the same limit in flush intervals, for a configuration with a short interval.
	longestFlushIntervals = 5
	// quietFraction: when no record has come for this fraction of a flush interval (1/2), no more are expected.
	quietFraction = 2
)

// flushPolicy decides how long a batch waits for more rows before it is written.
type flushPolicy struct {
	// interval is how long a batch always waits. longest is how long it waits at most on a busy log.
	interval, longest time.Duration
}

func newFlushPolicy(interval time.Duration) flushPolicy {
	return flushPolicy{interval, max(interval, min(longestFlushIntervals*interval, longestFlushDelay))}
}

// wait is how long the batch should still wait; 0 or less when it should be written now.
//
// On a slow log a batch waits for one interval. On a busy log it waits longer, as long as records keep coming. A log is
// busy when, at the rate so far, the table with the most rows gets partRows of them within the longest wait.
func (p flushPolicy) wait(b *batch, now time.Time) time.Duration {
	age := now.Sub(b.begun)
	if age < p.interval {
		return p.interval - age
	}
	busy := float64(b.largest())*p.longest.Seconds() >= partRows*age.Seconds()
	if !busy {
		return 0
	}
	quiet := p.interval/quietFraction - now.Sub(b.latest)
	return min(p.longest-age, quiet)
}
