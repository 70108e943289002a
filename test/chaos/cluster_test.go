package chaos_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/test/freeport"
)

const clusterShards = 4

// cluster is the services as production runs them: two replicas of order-api, or more, an inventory-projector and a
// query-api.
type cluster struct {
	log                *logtest.Log
	bin, kafka, prefix string
	orders             []*process
	projector, query   *process
	dataDirs           []string
}

// startCluster starts the services on Apache Kafka. It skips the test when there is none.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("HOLDFAST_TEST_KAFKA") == "" {
		t.Skip("HOLDFAST_TEST_KAFKA names no broker; make test-kafka does")
	}
	return startClusterAnywhere(t)
}

// startClusterAnywhere starts the services on Apache Kafka, or else on an embedded broker in this process.
func startClusterAnywhere(t *testing.T) *cluster {
	t.Helper()
	return startClusterOf(t, 2, clusterShards)
}

// startClusterOf starts the services with that many replicas of order-api and shards.
func startClusterOf(t *testing.T, replicas int, shards int32) *cluster {
	t.Helper()
	return startClusterUnder(t, replicas, eventlog.NewLayout(12, shards))
}

// startClusterUnder is startClusterOf under a layout.
func startClusterUnder(t *testing.T, replicas int, layout eventlog.Layout) *cluster {
	t.Helper()
	c := newClusterUnder(t, layout)
	for range replicas {
		c.startOrderAPI()
	}
	c.projector = c.startService("inventory-projector")
	c.query = c.startService("query-api", "--data-dir", c.newDataDir())
	c.awaitReady()
	return c
}

// newCluster is a platform without services: the test creates it itself, because the services do not know that their
// broker is an embedded one.
func newCluster(t *testing.T, shards int32) *cluster {
	t.Helper()
	return newClusterUnder(t, eventlog.NewLayout(12, shards))
}

func newClusterUnder(t *testing.T, layout eventlog.Layout) *cluster {
	t.Helper()
	log := logtest.New(t, layout)
	return &cluster{
		log: log, bin: buildPrograms(t), kafka: strings.Join(log.Config.Seeds, ","), prefix: log.Config.TopicPrefix,
	}
}

// startOrderAPI starts one more replica of order-api.
func (c *cluster) startOrderAPI() *process {
	c.log.T.Helper()
	p := c.startService("order-api", "--data-dir", c.newDataDir(), "--peer-listen", freeport.Address(c.log.T))
	c.orders = append(c.orders, p)
	return p
}

func (c *cluster) startService(name string, args ...string) *process {
	t := c.log.T
	t.Helper()
	listen, admin := freeport.Address(t), freeport.Address(t)
	common := []string{
		"--kafka", c.kafka, "--topic-prefix", c.prefix, "--env", c.log.Config.Env, "--listen", listen, "--admin-listen",
		admin,
	}
	p := &process{t: t, path: filepath.Join(c.bin, name), httpAddr: listen, adminAddr: admin, args: append(common,
		args...)}
	p.start()
	return p
}

// newDataDir is a new folder for a service's store.
func (c *cluster) newDataDir() string {
	c.dataDirs = append(c.dataDirs, c.log.T.TempDir())
	return c.dataDirs[len(c.dataDirs)-1]
}

func (c *cluster) services() []*process {
	return append(slices.Clone(c.orders), c.projector, c.query)
}

// awaitReady waits until every service is ready.
func (c *cluster) awaitReady() {
	c.log.T.Helper()
	for _, p := range c.services() {
		p.awaitReady(4 * backWithin)
	}
}

// awaitShardsShared waits until each shard has one owner and each replica owns half of its share, or more.
func (c *cluster) awaitShardsShared(t *testing.T) {
	t.Helper()
	shards := int(c.log.Layout.ShardCount)
	var owned []int
	shared := func() bool {
		owned = nil
		all := 0
		for _, p := range c.orders {
			owned = append(owned, p.ownedShards())
			all += owned[len(owned)-1]
		}
		return all == shards && slices.Min(owned) >= shards/(2*len(c.orders))
	}
	waitUntil(t, 4*backWithin, shared, func() string {
		said := fmt.Sprintf("the replicas own %v of %d shards", owned, shards)
		for _, p := range c.orders {
			said += "\n" + p.outputTail()
		}
		return said
	})
}

// orderURLs are the addresses of all replicas of order-api, as a flag has them.
func (c *cluster) orderURLs() string {
	var urls []string
	for _, p := range c.orders {
		urls = append(urls, "http://"+p.httpAddr)
	}
	return strings.Join(urls, ",")
}

// readTopic calls fn for every committed record of a topic, and returns the end offsets of its partitions.
func (c *cluster) readTopic(topic string, partitions int32, fn func(*eventlog.Record)) eventlog.Offsets {
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
	err = c.log.Client.Read(t.Context(), from, to, func(rec *eventlog.Record) error {
		fn(rec)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
