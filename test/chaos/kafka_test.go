package chaos_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const (
	sessionTimeout = 6 * time.Second
	// takenOverWithin is how long a killed replica's shards may be without an owner.
	takenOverWithin = sessionTimeout + 2*time.Second
	stoppedFor      = 15 * time.Second
	clusterShards   = 4
)

// cluster is the services as production runs them: two replicas of the write side, a projector and a query API.
type cluster struct {
	log                *logtest.Log
	bin, kafka, prefix string
	orders             [2]*process
	projector, query   *process
	dataDirs           []string
}

// startCluster starts the services on Apache Kafka.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("HOLDFAST_TEST_KAFKA") == "" {
		t.Skip("HOLDFAST_TEST_KAFKA names no broker; make test-kafka does")
	}
	return startClusterAnywhere(t)
}

// startClusterAnywhere starts the services on Apache Kafka, or without one on a broker in this process.
func startClusterAnywhere(t *testing.T) *cluster {
	t.Helper()
	// The platform is created here: the services do not know that a broker in another process is an embedded one.
	log := logtest.New(t, eventlog.Layout{PartitionCount: 12, ShardCount: clusterShards})
	c := &cluster{log: log, kafka: strings.Join(log.Config.Seeds, ","), prefix: log.Config.TopicPrefix}
	c.bin = binaries(t)
	service := func(name string, args ...string) *process {
		listen := freeAddress(t)
		common := []string{"--kafka", c.kafka, "--topic-prefix", c.prefix, "--env", log.Config.Env, "--listen", listen}
		p := &process{t: t, path: filepath.Join(c.bin, name), health: listen, args: append(common, args...)}
		p.start()
		return p
	}
	for i := range c.orders {
		c.orders[i] = service("order-api", "--data-dir", c.dataDir(), "--peer-listen", freeAddress(t))
	}
	c.projector = service("inventory-projector")
	c.query = service("query-api", "--data-dir", c.dataDir())
	c.await()
	return c
}

// dataDir is a folder for a service's store.
func (c *cluster) dataDir() string {
	c.dataDirs = append(c.dataDirs, c.log.T.TempDir())
	return c.dataDirs[len(c.dataDirs)-1]
}

func (c *cluster) services() []*process {
	return []*process{c.orders[0], c.orders[1], c.projector, c.query}
}

// await waits until every service is ready.
func (c *cluster) await() {
	c.log.T.Helper()
	for _, p := range c.services() {
		p.await(4 * backWithin)
	}
}

func (c *cluster) urls() string {
	return "http://" + c.orders[0].health + ",http://" + c.orders[1].health
}

func TestKillServicesOnApacheKafka(t *testing.T) {
	c := startCluster(t)
	l := startLoad(t, c.bin, c.urls(), ordersRate)
	l.acked(500)
	l.healthy(2000)
	var slowest time.Duration
	for round := range 10 {
		victim, other := c.orders[round%2], c.orders[1-round%2]
		victim.kill()
		slowest = max(slowest, other.ownsAll(clusterShards))
		l.acked(400)
		victim.start()
		victim.await(backWithin)
		for _, view := range []*process{c.projector, c.query} {
			view.kill()
			view.start()
			view.await(backWithin)
		}
		l.healthy(1500)
	}
	t.Logf("slowest take-over: %s", slowest)
	l.stop()
	l.carried()
	if slowest > takenOverWithin {
		t.Errorf("a take-over took %s, want %s", slowest, takenOverWithin)
	}
	verify(t, c.bin, c.kafka, c.prefix, l.acks)
}

func TestAStoppedOwnerCommitsNothingWhenItWakes(t *testing.T) {
	c := startCluster(t)
	c.settled()
	l := startLoad(t, c.bin, c.urls(), ordersRate)
	l.acked(1000)
	c.orders[0].signal(syscall.SIGSTOP)
	stopped := time.Now()
	c.orders[1].ownsAll(clusterShards)
	l.acked(1000)
	time.Sleep(stoppedFor - time.Since(stopped)) // the disturbance itself
	c.orders[0].signal(syscall.SIGCONT)
	l.acked(1000)
	c.orders[0].await(backWithin)
	c.settled()
	l.acked(1000)
	l.stop()
	c.ownersNeverReturn()
	verify(t, c.bin, c.kafka, c.prefix, l.acks)
}

// settled waits until each shard has one owner, and each replica some of them.
func (c *cluster) settled() {
	c.log.T.Helper()
	start := time.Now()
	for {
		held := [...]int{c.orders[0].owned(), c.orders[1].owned()}
		if held[0]+held[1] == clusterShards && min(held[0], held[1]) > 0 {
			return
		}
		if time.Since(start) > 4*backWithin {
			c.log.T.Fatalf("the replicas serve %v of %d shards after %s", held, clusterShards, time.Since(start))
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// ownersNeverReturn reads what every owner of a shard announced and repeated: once another has announced, nothing of one
// is committed any more. What it would have written besides shows as a version that comes twice, which verify finds.
func (c *cluster) ownersNeverReturn() {
	t := c.log.T
	t.Helper()
	former, owner, handovers := map[string]bool{}, map[int32]string{}, 0
	c.read(eventlog.TopicShards, clusterShards, func(rec *eventlog.Record) {
		var a eventv1.Announcement
		if err := a.UnmarshalVT(rec.Value); err != nil {
			t.Fatal(err)
		}
		id, last := string(a.OwnerId), owner[rec.Partition]
		if former[id] {
			t.Errorf("shard %d: owner %x commits at %d, after another had announced", rec.Partition, id, rec.Offset)
		}
		if last != "" && last != id {
			former[last] = true
			handovers++
		}
		owner[rec.Partition] = id
	})
	// The stopped replica served a shard at least, which went to the other one; then it got one back.
	if len(owner) != clusterShards || handovers < 2 {
		t.Errorf("%d shards changed hands %d times: nothing was taken over", len(owner), handovers)
	}
	t.Logf("%d shards changed hands %d times", len(owner), handovers)
}

// read hands over what is committed in a topic, and returns where its partitions end.
func (c *cluster) read(topic string, partitions int32, fn func(*eventlog.Record)) eventlog.Offsets {
	t := c.log.T
	t.Helper()
	tps := make([]eventlog.TopicPartition, partitions)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: topic, Partition: int32(i)}
	}
	from, err := c.log.Client.StartOffsets(t.Context(), tps)
	if err != nil {
		t.Fatal(err)
	}
	to, err := c.log.Client.EndOffsets(t.Context(), tps)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.log.Client.Read(t.Context(), from, to, func(rec *eventlog.Record) error { fn(rec); return nil }); err != nil {
		t.Fatal(err)
	}
	return to
}

// 10,000 orders at once, each on a connection of its own, for a SKU with 5,000 in stock, through both replicas: exactly
// 5,000 are reserved, and the others are refused; the load generator retries 429 and 503 with the same key, and fails on any other count.
func TestNeverOversoldThroughTwoReplicas(t *testing.T) {
	c := startClusterAnywhere(t)
	acks := filepath.Join(t.TempDir(), "acks")
	out, err := exec.Command(filepath.Join(c.bin, "holdfast"), "bench", "orders", "--url", c.urls(),
		"--oversell", "10000", "--stock", "5000", "--concurrency", "10000", "--acks", acks).CombinedOutput()
	if err != nil {
		t.Fatalf("bench: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	verify(t, c.bin, c.kafka, c.prefix, acks)
}
