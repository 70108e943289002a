package service

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// How much garbage there may be before it is collected, in per cent of the memory in use (GOGC). With Go's default,
// minGCPercent, the collector takes a fifth of the CPU under load, so a small heap gets maxGCPercent. A large one gets
// less, so that there is no more than maxGarbage: with 256 MB in use 400 %, with 512 MB 200 %, from 1 GB on 100 %.
const (
	minGCPercent = 100
	maxGCPercent = 400
	maxGarbage   = 1 << 30
)

// memoryShare is the share of a container's memory limit that Go may use. When the heap comes near to it, the collector
// works harder than that. The remaining memory is for the kernel's cache of files, and for garbage that
// the collector has not freed yet.
const memoryShare = 0.8

// unknownMemory is what a process is taken to have where the system does not tell.
const unknownMemory = 1 << 30

// waitingForFiles is how many more threads may run Go code than there are processors. A goroutine that reads or writes
// a file, such as one that saves a memtable, blocks its thread until the system call returns.
const waitingForFiles = 2

// Tune sets the garbage collector and the scheduler of the process, once. The environment wins: GOGC, GOMEMLIMIT (or
// AUTOMEMLIMIT for another share) and GOMAXPROCS. When the limits of a container change while it runs, the process
// keeps the values from its start.
var Tune = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(maxGCPercent)
		go adaptGCPercent()
	}
	_, _ = memlimit.Set(memlimit.WithRatio(memoryShare)) // an error means that there is no limit
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + waitingForFiles)
	}
})

// gcPercent is the percentage for a heap of which so much is in use.
func gcPercent(inUse uint64) int {
	return int(min(max(maxGarbage*100/max(inUse, 1), minGCPercent), maxGCPercent))
}

// adaptGCPercent sets the percentage anew after each collection that found another heap.
func adaptGCPercent() {
	present := maxGCPercent
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for range collections() {
		metrics.Read(inUse)
		if next := gcPercent(inUse[0].Value.Uint64()); next != present {
			present = next
			debug.SetGCPercent(present)
		}
	}
}

// collections gets a value after each garbage collection. Some are left out while nobody receives.
func collections() <-chan struct{} {
	type unreachable struct{ _ *byte }
	ended := make(chan struct{}, 1)
	var await func()
	await = func() {
		runtime.AddCleanup(&unreachable{}, func(ended chan<- struct{}) {
			select {
			case ended <- struct{}{}:
			default:
			}
			await()
		}, ended)
	}
	await()
	return ended
}

// MemoryLimit is how many bytes of memory the process should use at most, once it is tuned: the limit of the garbage
// collector where there is one, or else the same share of the machine's memory.
func MemoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	system, err := memlimit.FromSystem()
	if err != nil {
		return unknownMemory
	}
	return int64(float64(system) * memoryShare)
}
