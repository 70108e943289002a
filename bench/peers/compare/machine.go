package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/holdfast/holdfast/bench/peers/report"
)

const (
	fsyncs     = 40
	fsyncBytes = 8 << 10
)

// describeMachine measures what the figures depend on: how long the disk of the folder takes to be sure of a write.
func describeMachine(dir string) (report.Machine, error) {
	m := report.Machine{CPUs: runtime.NumCPU(), LoadBefore: loadAverage()}
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return m, err
	}
	defer file.Close()
	block := make([]byte, fsyncBytes)
	var took []time.Duration
	for range fsyncs {
		begin := time.Now()
		if _, err := file.Write(block); err != nil {
			return m, err
		}
		if err := file.Sync(); err != nil {
			return m, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	m.FsyncMS = float64(took[fsyncs/2].Microseconds()) / 1000
	return m, nil
}

// loadAverage is that of the last minute; 0 where there is no /proc.
func loadAverage() (load float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(text), &load)
	}
	return load
}
