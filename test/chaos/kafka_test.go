package chaos_test

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const (
	// sessionTimeout is that of the consumer group by which replicas notice that another one is gone.
	sessionTimeout = 6 * time.Second
	// takenOverWithin is how long a killed replica's shards may be without an owner.
	takenOverWithin = sessionTimeout + 2*time.Second
	// stoppedFor is how long a replica is stopped: longer than the session timeout.
	stoppedFor = 15 * time.Second
)

func TestKillServicesOnApacheKafka(t *testing.T) {
	c := startCluster(t)
	audit := startAuditor(t, c.bin, c.kafka, c.prefix)
	l := startLoad(t, c.bin, c.orderURLs(), ordersRate)
	l.awaitAcks(500)
	l.awaitHealthyAcks(2000)
	var slowest time.Duration
	for round := range rounds(10, 60) {
		victim, other := c.orders[round%2], c.orders[1-round%2]
		victim.kill()
		slowest = max(slowest, other.awaitOwnsAll(clusterShards))
		l.awaitAcks(400)
		victim.start()
		victim.awaitReady(backWithin)
		for _, view := range []*process{c.projector, c.query} {
			view.kill()
			view.start()
			view.awaitReady(backWithin)
		}
		audit.kill()
		audit.start()
		l.awaitHealthyAcks(1500)
	}
	t.Logf("slowest take-over: %s", slowest)
	l.stop()
	l.checkHealthyRates()
	if slowest > takenOverWithin {
		t.Errorf("a take-over took %s, want %s", slowest, takenOverWithin)
	}
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
	audit.findsNothing()
}

func TestAStoppedOwnerCommitsNothingWhenItWakes(t *testing.T) {
	c := startCluster(t)
	c.awaitShardsShared(t)
	audit := startAuditor(t, c.bin, c.kafka, c.prefix)
	l := startLoad(t, c.bin, c.orderURLs(), ordersRate)
	l.awaitAcks(1000)
	c.orders[0].signal(syscall.SIGSTOP)
	stopped := time.Now()
	c.orders[1].awaitOwnsAll(clusterShards)
	l.awaitAcks(1000)
	time.Sleep(stoppedFor - time.Since(stopped)) // the fault itself, not a wait for a condition
	c.orders[0].signal(syscall.SIGCONT)
	l.awaitAcks(1000)
	c.orders[0].awaitReady(backWithin)
	c.awaitShardsShared(t)
	l.awaitAcks(1000)
	l.stop()
	c.checkFormerOwnersStaySilent(t)
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
	audit.findsNothing()
}

// checkFormerOwnersStaySilent reads the announcements, which every owner of a shard repeats. Once another owner has
// announced itself, nothing of a former one may be committed any more. If a former owner committed events instead, a
// version would be in the log twice, which verify finds.
func (c *cluster) checkFormerOwnersStaySilent(t *testing.T) {
	t.Helper()
	former, owner, handovers := map[string]bool{}, map[int32]string{}, 0
	c.readTopic(eventlog.TopicShards, clusterShards, func(rec *eventlog.Record) {
		var a eventv1.Announcement
		if err := a.UnmarshalVT(rec.Value); err != nil {
			t.Fatal(err)
		}
		id, previous := string(a.OwnerId), owner[rec.Partition]
		if former[id] {
			t.Errorf("shard %d: owner %x commits at %d, after another had announced", rec.Partition, id, rec.Offset)
		}
		if previous != "" && previous != id {
			former[previous] = true
			handovers++
		}
		owner[rec.Partition] = id
	})
	// The stopped replica owned at least one shard, which the other one acquired; later it got a shard back.
	if len(owner) != clusterShards || handovers < 2 {
		t.Errorf("%d shards changed hands %d times: nothing was taken over", len(owner), handovers)
	}
	t.Logf("%d shards changed hands %d times", len(owner), handovers)
}

// 10,000 orders at once, each on a connection of its own, ask both replicas for a SKU with 5,000 in stock. Exactly
// 5,000 are reserved and the others are refused. The load generator retries 429 and 503 with the same key, and fails on
// any other count.
func TestNeverOversoldThroughTwoReplicas(t *testing.T) {
	c := startClusterAnywhere(t)
	audit := startAuditor(t, c.bin, c.kafka, c.prefix)
	acksPath := filepath.Join(t.TempDir(), "acks")
	out, err := exec.Command(filepath.Join(c.bin, "holdfast"), "bench", "orders", "--url", c.orderURLs(),
		"--oversell", "10000", "--stock", "5000", "--concurrency", "10000", "--acks", acksPath).CombinedOutput()
	if err != nil {
		t.Fatalf("bench: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	verify(t, c.bin, c.kafka, c.prefix, acksPath)
	audit.findsNothing()
}
