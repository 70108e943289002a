package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// startOn starts a stack on a cluster that others use too.
func startOn(t *testing.T, log eventlog.Config, shards int32) *Stack {
	t.Helper()
	stack, err := Start(logtest.Context(t), Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: log,
		ClickHouse: NoClickHouse, Shards: shards})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack
}

// register registers an item through the stack, and again while its shard is changing hands.
func register(t *testing.T, stack *Stack, sku string) {
	t.Helper()
	registerAt(t, stack.URL(), sku)
}

func registerAt(t *testing.T, url, sku string) {
	t.Helper()
	for ctx := logtest.Context(t); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/v1/stock/"+sku,
			strings.NewReader(`{"description":"Heart"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			t.Fatal(err)
		case resp.StatusCode < http.StatusBadRequest:
			return
		case resp.StatusCode != http.StatusServiceUnavailable || bytes.Contains(body, []byte("--peer-listen")):
			t.Fatalf("%s: %d %s", sku, resp.StatusCode, body)
		}
	}
}

// Two stacks on one platform share its shards, and either takes every command.
func TestStacksOnOnePlatformReachOneAnother(t *testing.T) {
	log := logtest.Config(t)
	stacks := []*Stack{startOn(t, log, 4), startOn(t, log, 4)}
	for i := range 40 {
		register(t, stacks[i%2], fmt.Sprintf("sku-%d", i))
	}
}

// A platform keeps the layout that it was created with.
func TestAStackSaysTheLayoutThatThereIs(t *testing.T) {
	log := logtest.Config(t)
	startOn(t, log, 2)
	if l := startOn(t, log, 5).Layout(); l.ShardCount != 2 || l.PartitionCount != run.DefaultPartitions {
		t.Errorf("it says %+v", l)
	}
}

// A ClickHouse of the stack's own is filled by nobody else, and takes nothing from those who fill another one.
func TestAnEmbeddedMirrorJoinsNoGroup(t *testing.T) {
	log := logtest.Config(t)
	stack, err := Start(logtest.Context(t), Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: log,
		ClickHouseListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer stack.Close()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(log.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	groups, err := kadm.NewClient(kafka).ListGroups(logtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if names := groups.Groups(); !slices.Contains(names, log.Env+"-shards") || slices.ContainsFunc(names,
		func(name string) bool { return strings.HasPrefix(name, log.Env+"-analytics") }) {
		t.Errorf("the groups are %v", names)
	}
}

// poison is no event.
func poison(t *testing.T, log eventlog.Config) {
	t.Helper()
	client, err := eventlog.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.EnsurePlatform(logtest.Context(t),
		eventlog.Layout{PartitionCount: run.DefaultPartitions, ShardCount: 1}); err != nil {
		t.Fatal(err)
	}
	bad := &eventlog.Record{TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: 5},
		Key: []byte("A"), Value: []byte("not a protobuf")}
	if err := client.Produce(logtest.Context(t), []*eventlog.Record{bad}); err != nil {
		t.Fatal(err)
	}
}

const poisoned = "inventory.events partition 5 offset 0: "

// What time does not heal ends the start at once.
func TestAnEventThatNobodyCanReadEndsTheStart(t *testing.T) {
	log := logtest.Config(t)
	poison(t, log)
	stack, err := Start(logtest.Context(t), Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: log,
		ClickHouse: NoClickHouse})
	if err == nil {
		stack.Close()
	}
	if err == nil || !strings.Contains(err.Error(), poisoned) {
		t.Errorf("it says %v", err)
	}
}

// A view that stops later is told of, once, and the rest goes on.
func TestAPartThatStopsIsToldOf(t *testing.T) {
	log := logtest.Config(t)
	stack := startOn(t, log, 2)
	poison(t, log)
	select {
	case fault := <-stack.Faults():
		if !strings.Contains(fault.Error(), poisoned) {
			t.Errorf("it says %v", fault)
		}
	case <-logtest.Context(t).Done():
		t.Fatal("nothing is told")
	}
	// Partition 5 is of shard 1, which serves no more. The other one goes on.
	for i := range 100 {
		if sku := fmt.Sprintf("sku-%d", i); eventlog.PartitionFor(sku, run.DefaultPartitions)%2 == 0 {
			register(t, stack, sku)
			return
		}
	}
	t.Fatal("no SKU is in a partition of shard 0")
}

// A server that is named must be there: orders would go on without it, and nobody would know.
func TestAClickHouseThatDoesNotAnswerEndsTheStart(t *testing.T) {
	_, err := Start(logtest.Context(t), Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0",
		ClickHouse: "http://127.0.0.1:1/holdfast"})
	if err == nil || !strings.Contains(err.Error(), "reach ClickHouse: ") || !strings.Contains(err.Error(),
		"--clickhouse off runs without reports") {
		t.Errorf("it says %v", err)
	}
}

// Replicas of a stack have shared out the shards when it is ready, and each takes every command.
func TestReplicasOfAStack(t *testing.T) {
	stack, err := Start(logtest.Context(t), Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouse: NoClickHouse, Shards: 6, Replicas: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i, node := range stack.nodes {
		if n := node.OwnedShards(); n != 2 {
			t.Errorf("replica %d has %d of 6 shards", i, n)
		}
	}
	urls := stack.CommandURLs()
	if len(urls) != 3 {
		t.Fatalf("they listen at %v", urls)
	}
	for i := range 18 {
		registerAt(t, urls[i%3], fmt.Sprintf("sku-%d", i))
	}
}

// A machine that the embedded ClickHouse does not exist for runs without reports and says so, unless it must be there.
func TestAMachineWithoutAnEngine(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0"}
	cfg.startEngine = func(context.Context, chdb.Options) (*chdb.Server, error) {
		return nil, fmt.Errorf("embedded clickhouse: %w for plan9/386", chdb.ErrNoBuild)
	}
	stack, err := Start(logtest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer stack.Close()
	if stack.ClickHouse() != "" || !strings.Contains(stack.Notice(), "runs without reports") {
		t.Errorf("ClickHouse at %q: %q", stack.ClickHouse(), stack.Notice())
	}
	register(t, stack, "sku")
	cfg.Dir, cfg.ClickHouse = t.TempDir(), EmbeddedClickHouse
	if _, err := Start(logtest.Context(t), cfg); !errors.Is(err, chdb.ErrNoBuild) || !strings.Contains(err.Error(),
		"--clickhouse off runs without reports") {
		t.Errorf("where it must be there: %v", err)
	}
}
