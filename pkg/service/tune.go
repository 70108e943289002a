package service

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent uses more memory to save time: the heaps of these processes are small beside the machine's memory, and with
// Go's default the garbage collector takes a fifth of the CPU under load.
const gcPercent = 400

// memoryShare is the share of a container's memory limit that Go may use. When the heap comes near to it, the collector
// works harder than gcPercent asks for. The remaining memory is for the kernel's cache of files, and for garbage that
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
		debug.SetGCPercent(gcPercent)
	}
	_, _ = memlimit.Set(memlimit.WithRatio(memoryShare)) // an error means that there is no limit
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + waitingForFiles)
	}
})

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
