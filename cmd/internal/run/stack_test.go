package run

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// startOn starts a stack on a cluster that others use too.
func startOn(t *testing.T, log eventlog.Config, shards int32) *Stack {
	t.Helper()
	stack, err := StartStack(logtest.Context(t), StackConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: log, ClickHouse: NoClickHouse, Shards: shards})
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
	for ctx := logtest.Context(t); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, stack.URL()+"/v1/stock/"+sku, strings.NewReader(`{"description":"Heart"}`))
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
	if l := startOn(t, log, 5).Layout(); l.ShardCount != 2 || l.PartitionCount != DefaultPartitions {
		t.Errorf("it says %+v", l)
	}
}

// A ClickHouse of the stack's own is filled by nobody else, and takes nothing from those who fill another one.
func TestAnEmbeddedMirrorJoinsNoGroup(t *testing.T) {
	log := logtest.Config(t)
	stack, err := StartStack(logtest.Context(t), StackConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: log, ClickHouseListen: "127.0.0.1:0"})
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
	if names := groups.Groups(); !slices.Contains(names, log.Env+"-shards") || slices.Contains(names, log.Env+"-analytics") {
		t.Errorf("the groups are %v", names)
	}
}
