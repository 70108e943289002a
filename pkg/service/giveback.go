package service

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// giveBackEvery is how often a process looks whether it has become quiet.
	giveBackEvery = 15 * time.Second
	// keptBytes of memory a quiet process may have in addition to what it had when it last gave memory back, or a
	// keptShare of that where it is more: two collections of a large heap are too much work for a few megabytes.
	keptBytes = 16 << 20
	keptShare = 4
)

// GiveMemoryBack gives the memory back to the system that a burst of work has left, until ctx ends. Go does so when its
// collector runs, which is when the program allocates, or else after two minutes: a process that is quiet after a flood
// would keep most of it for long.
//
// A process is quiet when its collector has not run since the last look. One that works is left alone.
func GiveMemoryBack(ctx context.Context) { giveMemoryBack(ctx, giveBackEvery) }

func giveMemoryBack(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var kept uint64
	cycles, _ := readMemory()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		before := cycles
		var resident uint64
		if cycles, resident = readMemory(); cycles != before || resident <= quietBytes(kept) {
			continue
		}
		runtime.GC() // a sync.Pool lets go of what it has in the second collection
		debug.FreeOSMemory()
		cycles, kept = readMemory()
	}
}

// quietBytes is how much memory a quiet process may have that kept so much when it last gave memory back.
func quietBytes(kept uint64) uint64 { return kept + max(keptBytes, kept/keptShare) }

// readMemory is how often the collector has run, and how much memory the process has of the system.
func readMemory() (cycles, resident uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64() - samples[2].Value.Uint64()
}
