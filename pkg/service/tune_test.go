package service

import (
	"runtime"
	"testing"
)

func TestALargeHeapHasLessGarbageInPerCent(t *testing.T) {
	for inUse, want := range map[uint64]int{
		0: 400, 100 << 20: 400, 256 << 20: 400, 512 << 20: 200, 1 << 30: 100, 4 << 30: 100,
	} {
		if got := gcPercent(inUse); got != want {
			t.Errorf("with %d bytes in use: %d %%, want %d %%", inUse, got, want)
		}
	}
}

func TestEachCollectionIsNoticed(t *testing.T) {
	ended := collections()
	for range 3 {
		runtime.GC()
		<-ended
	}
}
