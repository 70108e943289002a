package chaos_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

const clusterShards = 4

// cluster is the services as production runs them: two replicas of order-api, an inventory-projector and a query-api.
type cluster struct {
	log                *logtest.Log
	bin, kafka, prefix string
	orders             [2]*process
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
	// The test creates the platform itself, because the services do not know that their broker is an embedded one.
	log := logtest.New(t, eventlog.Layout{PartitionCount: 12, ShardCount: clusterShards})
	c := &cluster{log: log, kafka: strings.Join(log.Config.Seeds, ","), prefix: log.Config.TopicPrefix}
	c.bin = buildPrograms(t)
	for i := range c.orders {
		c.orders[i] = c.startService("order-api", "--data-dir", c.newDataDir(), "--peer-listen", freeAddress(t))
	}
	c.projector = c.startService("inventory-projector")
	c.query = c.startService("query-api", "--data-dir", c.newDataDir())
	c.awaitReady()
	return c
}

func (c *cluster) startService(name string, args ...string) *process {
	t := c.log.T
	t.Helper()
	listen, admin := freeAddress(t), freeAddress(t)
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
	return []*process{c.orders[0], c.orders[1], c.projector, c.query}
}

// awaitReady waits until every service is ready.
func (c *cluster) awaitReady() {
	c.log.T.Helper()
	for _, p := range c.services() {
		p.awaitReady(4 * backWithin)
	}
}

// awaitShardsShared waits until each shard has one owner and each replica owns at least one shard.
func (c *cluster) awaitShardsShared(t *testing.T) {
	t.Helper()
	var owned [2]int
	shared := func() bool {
		owned = [2]int{c.orders[0].ownedShards(), c.orders[1].ownedShards()}
		return owned[0]+owned[1] == clusterShards && min(owned[0], owned[1]) > 0
	}
	waitUntil(t, 4*backWithin, shared, func() string {
		return fmt.Sprintf("the replicas own %v of %d shards", owned, clusterShards)
	})
}

// orderURLs are the addresses of both replicas of order-api, as a flag has them.
func (c *cluster) orderURLs() string {
	return "http://" + c.orders[0].httpAddr + ",http://" + c.orders[1].httpAddr
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
