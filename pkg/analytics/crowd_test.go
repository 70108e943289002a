package analytics

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestCrowded(t *testing.T) {
	buckets := []float64{0, crowdedWait.Seconds() / 2, crowdedWait.Seconds(), 1}
	for name, c := range map[string]struct {
		counts         []uint64
		crowded, known bool
	}{
		"few wait":                    {[]uint64{900, 20, 80}, false, true},
		"a tenth waits long":          {[]uint64{900, 0, 100}, false, true},
		"more than a tenth":           {[]uint64{890, 0, 110}, true, true},
		"many wait, but not for long": {[]uint64{100, 900, 0}, false, true},
		"nobody":                      {[]uint64{0, 0, 0}, false, false},
		"too few to tell":             {[]uint64{0, 0, crowdedSamples - 1}, true, false},
		"just enough":                 {[]uint64{0, 0, crowdedSamples}, true, true},
	} {
		if got, known := crowded(c.counts, buckets); got != c.crowded || known != c.known {
			t.Errorf("%s: %t, %t", name, got, known)
		}
	}
}

// TestACrowdIsNoticed: with many times more work than processors, goroutines wait, and the runtime says so.
func TestACrowdIsNoticed(t *testing.T) {
	stop := make(chan struct{})
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(stop)
	for range 50 * runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for began := time.Now(); time.Since(began) < 100*time.Microsecond; {
				}
				runtime.Gosched()
			}
		})
	}
	c := newCrowd()
	for deadline := time.Now().Add(time.Minute); !c.waits(); {
		if time.Now().After(deadline) {
			t.Fatal("nothing was noticed for a minute")
		}
		runtime.Gosched()
	}
}

func TestAReaderRests(t *testing.T) {
	const flush = 500 * time.Millisecond
	for name, c := range map[string]struct {
		records int
		crowded bool
		rest    time.Duration
	}{
		"at the end":                 {10, false, flush / gatherParts},
		"catching up":                {gatherBelow, false, 0},
		"at the end, in a crowd":     {10, true, flush / gatherParts},
		"catching up, in a crowd":    {gatherBelow, true, gatherBelow * time.Second / crowdedRecords},
		"a great lot, in a crowd":    {1_000_000, true, crowdedRest},
		"a thousand orders a second": {250, true, flush / gatherParts},
	} {
		if got := rest(c.records, flush, c.crowded); got != c.rest {
			t.Errorf("%s: %v", name, got)
		}
	}
}
