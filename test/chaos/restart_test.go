package chaos_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// restartRate is in orders a second: low, because the test measures how soon writes are back, not how many there are.
const restartRate = 150

// A replica that crashes and starts again at once, as Kubernetes has it, is back before the others would have noticed
// that it was gone.
func TestAReplicaThatStartsAgainAtOnceIsBackAtOnce(t *testing.T) {
	c := startClusterAnywhere(t)
	c.awaitShardsShared(t)
	audit := startAuditor(t, c.bin, c.kafka, c.prefix)
	l := startLoad(t, c.bin, c.orderURLs(), restartRate)
	l.awaitAcks(100)
	var slowest, total time.Duration
	times := rounds(3, 40)
	for round := range times {
		victim, other := c.orders[round%2], c.orders[1-round%2]
		owned := victim.ownedShards()
		others := other.ownedShards()
		victim.kill()
		killed := time.Now()
		victim.start()
		victim.awaitOwnsAll(owned)
		took := time.Since(killed)
		slowest, total = max(slowest, took), total+took
		if now := other.ownedShards(); now != others {
			t.Errorf("the replica that stayed has %d shards, had %d", now, others)
		}
		victim.awaitReady(backWithin)
		l.awaitAcks(100)
	}
	t.Logf("killed and started at once, a replica had its shards after %s on average, %s at most",
		total/time.Duration(times), slowest)
	// Without a name in the group it would wait for its own session to end first.
	if slowest >= sessionTimeout {
		t.Errorf("a restart took %s, as long as the session timeout", slowest)
	}
	l.stop()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
	audit.findsNothing()
}

// smallDisk mounts a file system of that size in memory, and returns its folder.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("holdfast-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("only root can mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// stopsWithin is how long SIGTERM may take, also when there is no disk to write to.
const stopsWithin = 15 * time.Second

// A replica whose disk is full leaves its shards to the other, stops when it is told to, and serves again once there is
// room.
func TestAFullDiskCostsAReplicaItsShards(t *testing.T) {
	c := startClusterAnywhere(t)
	c.awaitShardsShared(t)
	victim, other := c.orders[0], c.orders[1]
	disk := smallDisk(t, "64m")
	victim.kill()
	for i, arg := range victim.args {
		if arg == "--data-dir" {
			victim.args[i+1] = filepath.Join(disk, "order-api")
		}
	}
	victim.start()
	victim.awaitReady(4 * backWithin)
	c.awaitShardsShared(t)
	l := startLoad(t, c.bin, c.orderURLs(), restartRate)
	l.awaitAcks(100)

	victim.kill()
	free := fillDisk(t, disk)
	victim.start()
	waitUntil(t, 4*backWithin, func() bool { return other.ownedShards() == clusterShards }, func() string {
		return "the replica with the full disk keeps its shards:\n" + string(victim.outputTail())
	})
	l.awaitAcks(100)
	began := time.Now()
	victim.signal(syscall.SIGTERM)
	victim.awaitEnd(stopsWithin)
	t.Logf("stopped within %s with a full disk", time.Since(began))
	victim.start()
	free()
	c.awaitShardsShared(t)
	victim.awaitReady(backWithin)
	l.awaitAcks(100)
	l.stop()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
}
