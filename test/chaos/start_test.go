package chaos_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// startEnv is how many events a replica is to be behind: make bench-start.
const startEnv = "HOLDFAST_TEST_START"

const (
	// startShards are those of a platform that was created without --shards.
	startShards = 3
	// eventsPerOrder of the load are in the log, about.
	eventsPerOrder = 8
	// startGoal is for a replica that is behind by a million events.
	startGoal = 5 * time.Second
	// startLimit is when the test gives up.
	startLimit = 10 * time.Minute
)

// TestStartBehindTheLog measures how long order-api takes from its start until it is ready: with its checkpoints at the
// log's end, behind it, and without any. Another replica has written what it is behind.
func TestStartBehindTheLog(t *testing.T) {
	events, _ := strconv.Atoi(os.Getenv(startEnv))
	if events == 0 {
		t.Skipf("%s has no number of events; make bench-start sets it", startEnv)
	}
	c := newCluster(t, startShards)
	behind := c.startOrderAPI()
	behind.awaitReady(4 * backWithin)
	c.fill(t, behind, 1000)
	behind.signal(syscall.SIGTERM)
	behind.awaitEnd(stopsWithin)
	before := c.logEnd(t)

	writer := c.startOrderAPI()
	writer.awaitReady(4 * backWithin)
	c.fill(t, writer, events/eventsPerOrder)
	writer.signal(syscall.SIGTERM)
	writer.awaitEnd(stopsWithin)
	after := c.logEnd(t)
	t.Logf("%d offsets are behind the checkpoints, of %d; load average %s", after-before, after, loadAverage())

	took := behind.measureStart(t, "behind by "+strconv.FormatInt(after-before, 10))
	behind.measureStart(t, "at the log's end")
	if err := os.RemoveAll(behind.args[slices.Index(behind.args, "--data-dir")+1]); err != nil {
		t.Fatal(err)
	}
	behind.measureStart(t, "from the log alone")
	if goal := startGoal * time.Duration(max(events, 1_000_000)) / 1_000_000; took > goal {
		t.Logf("NOT REACHED: %s, want %s; load average %s", took, goal, loadAverage())
	}
}

// fill places orders of three lines.
func (c *cluster) fill(t *testing.T, through *process, orders int) {
	t.Helper()
	out, err := exec.Command(filepath.Join(c.bin, "holdfast"), "bench", "orders", "--url", "http://"+through.httpAddr,
		"--orders", strconv.Itoa(orders), "--duration", startLimit.String(), "--bulk", "--on-account",
		"--quiet").CombinedOutput()
	if err != nil {
		t.Fatalf("bench: %v\n%s", err, out)
	}
}

// logEnd is how many offsets the event topics have: events, and markers of transactions.
func (c *cluster) logEnd(t *testing.T) (sum int64) {
	t.Helper()
	var partitions []eventlog.TopicPartition
	for shard := range c.log.Layout.ShardCount {
		partitions = append(partitions, c.log.Layout.Partitions(shard)...)
	}
	ends, err := c.log.Client.EndOffsets(t.Context(), partitions)
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range ends {
		sum += end
	}
	return sum
}

// measureStart starts the process, and ends it when it is ready and serves all shards.
func (p *process) measureStart(t *testing.T, what string) time.Duration {
	t.Helper()
	load := loadAverage()
	p.start()
	took := p.awaitReady(startLimit)
	t.Logf("%s: ready after %s with %s s of CPU; load average %s before and %s after", what,
		took.Round(10*time.Millisecond), p.metric("process_cpu_seconds_total"), load, loadAverage())
	p.signal(syscall.SIGTERM)
	p.awaitEnd(stopsWithin)
	return took
}

// loadAverage is that of the last minute, where the system tells it.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(text), " ")
	return load
}
