package loadtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTicks is how many ticks a second has in /proc: USER_HZ, which is 100 on Linux.
const clockTicks = 100

// process is what /proc tells of a process. ended is the CPU time of its children that have ended.
type process struct {
	parent      int
	used, ended time.Duration
}

// cpuTimeOf is the CPU time that a process has used so far, user and system; 0 if the system does not provide it.
func cpuTimeOf(pid int) time.Duration {
	p, _ := readProcess(pid)
	return p.used
}

// readProcess reads the line of a process in /proc (proc_pid_stat(5)); false if there is none.
func readProcess(pid int) (process, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	return parseProcess(string(stat))
}

func parseProcess(stat string) (process, bool) {
	// The name of the program is in brackets, and may have spaces and brackets itself.
	end := strings.LastIndex(stat, ") ")
	if end < 0 {
		return process{}, false
	}
	fields := strings.Fields(stat[end+2:])
	const parent, user, system, endedUser, endedSystem = 1, 11, 12, 13, 14
	if len(fields) <= endedSystem {
		return process{}, false
	}
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(fields[field], 10, 64)
		return n
	}
	ticks := func(n int64) time.Duration { return time.Duration(n) * time.Second / clockTicks }
	return process{
		parent: int(number(parent)),
		used:   ticks(number(user) + number(system)),
		ended:  ticks(number(endedUser) + number(endedSystem)),
	}, true
}

// cpuTimeBelow is the CPU time that these processes, all processes below them, and those of them that have ended have
// used so far. It is an error if one of them does not exist, or where there is no /proc.
func cpuTimeBelow(pids []int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	all := make(map[int]process, len(files))
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if p, ok := readProcess(pid); ok {
			all[pid] = p
		}
	}
	for _, pid := range pids {
		if _, ok := all[pid]; !ok {
			return 0, fmt.Errorf("CPU time: /proc has no process %d", pid)
		}
	}
	return sumBelow(all, pids), nil
}

// sumBelow adds up the processes that are one of pids, or below one. Each counts once.
func sumBelow(all map[int]process, pids []int) (sum time.Duration) {
	for pid, p := range all {
		if isBelow(all, pid, pids) {
			sum += p.used + p.ended
		}
	}
	return sum
}

func isBelow(all map[int]process, pid int, pids []int) bool {
	for range len(all) + 1 { // a number that was given to another process meanwhile must not lead in circles
		if slices.Contains(pids, pid) {
			return true
		}
		p, ok := all[pid]
		if !ok {
			return false
		}
		pid = p.parent
	}
	return false
}
