package analytics

import "time"

const (
	// partRows is what an insert gives a table that is written to all the time. Less is expensive for ClickHouse: each
	// insert makes a part, parts cost about the same whatever is in them, and all of them are merged later.
	partRows = 1_000
	// longestGather bounds how long the rows of a busy log wait: with a few tenths of a second to write them, half of
	// them are seen within a second of their event and nearly all within two.
	longestGather = 1200 * time.Millisecond
	// gatherIntervals bounds the same in flush intervals, for whoever has asked for short ones.
	gatherIntervals = 5
	// quietParts: nothing for a quietParts-th of a flush interval, and nothing more is expected.
	quietParts = 2
)

// gathering says how long a batch waits for more rows.
type gathering struct {
	// interval is how long rows wait in any case, longest how long they do while waiting is worth it.
	interval, longest time.Duration
}

func newGathering(interval time.Duration) gathering {
	return gathering{interval, max(interval, min(gatherIntervals*interval, longestGather))}
}

// wait is how long the batch still waits, not above 0 when it should go. On a slow log that is an interval. On a busy
// one it is longer: while records come, and come so fast that a table has a whole part to show for it.
func (g gathering) wait(b *batch, now time.Time) time.Duration {
	age := now.Sub(b.begun)
	if age < g.interval {
		return g.interval - age
	}
	if busy := float64(b.largest())*g.longest.Seconds() >= partRows*age.Seconds(); !busy {
		return 0
	}
	quiet := g.interval/quietParts - now.Sub(b.latest)
	return min(g.longest-age, quiet)
}
