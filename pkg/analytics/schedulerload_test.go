package analytics

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestWaitsAreJudged(t *testing.T) {
	buckets := []float64{0, longWait.Seconds() / 2, longWait.Seconds(), 1}
	for name, c := range map[string]struct {
		counts             []uint64
		overloaded, enough bool
	}{
		"few wait":                    {[]uint64{900, 20, 80}, false, true},
		"a tenth waits long":          {[]uint64{900, 0, 100}, false, true},
		"more than a tenth":           {[]uint64{890, 0, 110}, true, true},
		"many wait, but not for long": {[]uint64{100, 900, 0}, false, true},
		"nobody":                      {[]uint64{0, 0, 0}, false, false},
		"too few to tell":             {[]uint64{0, 0, enoughWaits - 1}, true, false},
		"just enough":                 {[]uint64{0, 0, enoughWaits}, true, true},
	} {
		if got, enough := judgeWaits(c.counts, buckets); got != c.overloaded || enough != c.enough {
			t.Errorf("%s: %t, %t", name, got, enough)
		}
	}
}

// With many times more work than processors, goroutines wait, and the runtime's histogram shows it.
func TestOverloadIsNoticed(t *testing.T) {
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
	load := newSchedulerLoad()
	for deadline := time.Now().Add(time.Minute); !load.isOverloaded(); {
		if time.Now().After(deadline) {
			t.Fatal("nothing was noticed for a minute")
		}
		runtime.Gosched()
	}
}

func TestAReaderPausesAfterAPoll(t *testing.T) {
	const flush = 500 * time.Millisecond
	for name, c := range map[string]struct {
		records    int
		overloaded bool
		pause      time.Duration
	}{
		"at the end":                  {10, false, flush / smallPollFraction},
		"catching up":                 {smallPoll, false, 0},
		"at the end, overloaded":      {10, true, flush / smallPollFraction},
		"catching up, overloaded":     {smallPoll, true, smallPoll * time.Second / overloadRecords},
		"a very large poll, overload": {1_000_000, true, overloadPause},
		"a thousand orders a second":  {250, true, flush / smallPollFraction},
	} {
		if got := pauseAfterPoll(c.records, flush, c.overloaded); got != c.pause {
			t.Errorf("%s: %v", name, got)
		}
	}
}
