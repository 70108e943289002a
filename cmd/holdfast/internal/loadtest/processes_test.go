package loadtest

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestALineOfProc(t *testing.T) {
	const fields = "S 41 7 7 0 -1 4194560 4119 83 0 0 150 50 20 10 20 0 5 0 3291 1 2"
	for _, name := range []string{"postgres", "tmux: server", "odd) S (name"} {
		p, ok := parseProcess("42 (" + name + ") " + fields)
		want := process{parent: 41, used: 2 * time.Second, ended: 300 * time.Millisecond}
		if !ok || p != want {
			t.Errorf("%s: %+v, %t", name, p, ok)
		}
	}
	for _, line := range []string{"", "42 (x", "42 (x) S 41"} {
		if p, ok := parseProcess(line); ok {
			t.Errorf("%q: %+v", line, p)
		}
	}
}

// A database is its first process, all below it, and those that have ended. What has another parent does not count.
func TestTheTimeOfProcessesAndTheirChildren(t *testing.T) {
	second := time.Second
	all := map[int]process{
		1:  {parent: 0, used: second},
		10: {parent: 1, used: second, ended: 4 * second},
		11: {parent: 10, used: 2 * second},
		12: {parent: 11, used: 8 * second},
		20: {parent: 1, used: 16 * second},
		21: {parent: 20, used: 32 * second},
		30: {parent: 29, used: 64 * second}, // its parent has ended while the list was read
	}
	for _, test := range []struct {
		pids []int
		want time.Duration
	}{
		{[]int{10}, 15 * second},
		{[]int{12}, 8 * second},
		{[]int{10, 12, 20}, 63 * second},
		{[]int{30}, 64 * second},
		{nil, 0},
	} {
		if sum := sumBelow(all, test.pids); sum != test.want {
			t.Errorf("%v: %s, want %s", test.pids, sum, test.want)
		}
	}
}

func TestTheTimeOfRealProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems have no /proc")
	}
	before, err := cpuTimeBelow([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	// A child that has used the CPU and has ended.
	busy := exec.CommandContext(t.Context(), "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	if err := busy.Run(); err != nil {
		t.Fatal(err)
	}
	after, err := cpuTimeBelow([]int{os.Getpid()})
	if child := busy.ProcessState.UserTime(); err != nil || after-before < child-time.Second/clockTicks {
		t.Errorf("%s to %s with a child of %s: %v", before, after, child, err)
	}
	if _, err := cpuTimeBelow([]int{1 << 30}); err == nil || !strings.Contains(err.Error(), "no process 1073741824") {
		t.Errorf("a process that does not exist: %v", err)
	}
}
