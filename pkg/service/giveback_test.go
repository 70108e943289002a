package service

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// TestALargeHeapIsNotCollectedForLittle: what a process may keep grows with what it needs.
func TestALargeHeapIsNotCollectedForLittle(t *testing.T) {
	for kept, want := range map[uint64]uint64{0: 16 << 20, 64 << 20: 80 << 20, 1 << 30: 1<<30 + 256<<20} {
		if have := quietBytes(kept); have != want {
			t.Errorf("a process that kept %d MiB may have %d, want %d", kept>>20, have>>20, want>>20)
		}
	}
}

// TestAQuietProcessGivesMemoryBack: what a burst has left is with the system again while the process does nothing.
func TestAQuietProcessGivesMemoryBack(t *testing.T) {
	const burst = 256 << 20
	_, before := readMemory()
	memory := make([][]byte, 256)
	for i := range memory {
		memory[i] = make([]byte, burst/len(memory))
		memory[i][0] = 1
	}
	runtime.KeepAlive(memory)
	if _, during := readMemory(); during < before+burst/2 {
		t.Fatalf("%d MiB before the burst, %d MiB after it", before>>20, during>>20)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		giveMemoryBack(ctx, time.Millisecond)
	}()
	for ctx.Err() == nil {
		if _, after := readMemory(); after < before+2*keptBytes {
			break
		}
		runtime.Gosched()
	}
	if _, after := readMemory(); after >= before+2*keptBytes {
		t.Errorf("%d MiB before the burst, %d MiB long after it", before>>20, after>>20)
	}
	stop()
	<-ended
}
