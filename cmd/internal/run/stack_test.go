package run

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

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
