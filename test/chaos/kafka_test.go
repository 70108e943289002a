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
	bin, kafka, prefix string
	orders             [2]*process
	projector, query   *process
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
	c := &cluster{kafka: strings.Join(log.Config.Seeds, ","), prefix: log.Config.TopicPrefix}
	c.bin = binaries(t, "holdfast", "order-api", "inventory-projector", "query-api")
	service := func(name string, args ...string) *process {
		listen := freeAddress(t)
		common := []string{"--kafka", c.kafka, "--topic-prefix", c.prefix, "--env", log.Config.Env, "--listen", listen}
		p := &process{t: t, path: filepath.Join(c.bin, name), health: listen, args: append(common, args...)}
		p.start()
		return p
	}
	for i := range c.orders {
		c.orders[i] = service("order-api", "--data-dir", t.TempDir(), "--peer-listen", freeAddress(t))
	}
	c.projector = service("inventory-projector")
	c.query = service("query-api", "--data-dir", t.TempDir())
	for _, p := range []*process{c.orders[0], c.orders[1], c.projector, c.query} {
		p.await(4 * backWithin)
	}
	return c
}

func (c *cluster) urls() string {
	return "http://" + c.orders[0].health + ",http://" + c.orders[1].health
}

func TestKillServicesOnApacheKafka(t *testing.T) {
	c := startCluster(t)
	acks := filepath.Join(t.TempDir(), "acks")
	stop := load(t, c.bin, c.urls(), acks, ordersRate)
	var slowest time.Duration
	for round := range 10 {
		acked(t, acks, 800)
		victim, other := c.orders[round%2], c.orders[1-round%2]
		victim.kill()
		slowest = max(slowest, other.ownsAll(clusterShards))
		acked(t, acks, 400)
		victim.start()
		victim.await(backWithin)
		view := []*process{c.projector, c.query}[round%2]
		view.kill()
		view.start()
		view.await(backWithin)
	}
	t.Logf("slowest take-over: %s; %s", slowest, stop())
	if slowest > takenOverWithin {
		t.Errorf("a take-over took %s, want %s", slowest, takenOverWithin)
	}
	verify(t, c.bin, c.kafka, c.prefix, acks)
}

func TestAStoppedOwnerCommitsNothingWhenItWakes(t *testing.T) {
	c := startCluster(t)
	acks := filepath.Join(t.TempDir(), "acks")
	stop := load(t, c.bin, c.urls(), acks, ordersRate)
	acked(t, acks, 1000)
	c.orders[0].signal(syscall.SIGSTOP)
	stopped := time.Now()
	acked(t, acks, 1000)                         // the other replica serves all shards
	time.Sleep(stoppedFor - time.Since(stopped)) // the disturbance itself
	c.orders[0].signal(syscall.SIGCONT)
	acked(t, acks, 1000)
	c.orders[0].await(backWithin)
	t.Log(stop())
	verify(t, c.bin, c.kafka, c.prefix, acks)
}

// 10,000 orders at once for a SKU with 5,000 in stock, through both replicas: exactly 5,000 are reserved, and the
// others are refused; the load generator retries 429 and 503 with the same key, and fails on any other count.
func TestNeverOversoldThroughTwoReplicas(t *testing.T) {
	c := startClusterAnywhere(t)
	acks := filepath.Join(t.TempDir(), "acks")
	out, err := exec.Command(filepath.Join(c.bin, "holdfast"), "bench", "orders", "--url", c.urls(),
		"--oversell", "10000", "--stock", "5000", "--concurrency", "512", "--acks", acks).CombinedOutput()
	if err != nil {
		t.Fatalf("bench: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	verify(t, c.bin, c.kafka, c.prefix, acks)
}
