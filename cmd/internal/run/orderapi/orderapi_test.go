package orderapi

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/shard"
)

// The memory of requests is what the setting says, or else a share of what the process may use.
func TestRequestsTakeAShareOfTheMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for _, test := range []struct {
		mib, limit, want int64
	}{
		{mib: 100, limit: 1 << 30, want: 100 << 20},
		{mib: 0, limit: 1 << 30, want: 128 << 20},
		{mib: 0, limit: 64 << 30, want: defaultMaxRequests},
	} {
		debug.SetMemoryLimit(test.limit)
		if got, err := requestMemory(test.mib); err != nil || got != test.want {
			t.Errorf("%+v: %d, %v", test, got, err)
		}
	}
	if bytes, err := requestMemory(minRequestMiB); err != nil || bytes < httpapi.MinMemory {
		t.Errorf("the least: %d, %v", bytes, err)
	}
	if _, err := requestMemory(minRequestMiB - 1); err == nil || !strings.Contains(err.Error(), "at least 65") {
		t.Errorf("less than the least: %v", err)
	}
}

// The data folder of another platform is refused: of another Kafka cluster, too, whose topics have the same names. One
// of another layout of the same platform is made again from the log.
func TestTheFolderOfAnotherPlatform(t *testing.T) {
	first, second := kafka(t), kafka(t)
	dir := t.TempDir()
	for range 2 {
		if shards, err := startedOn(t, first, dir); err != nil || shards != 2 {
			t.Fatalf("%d shards, %v", shards, err)
		}
	}
	_, err := startedOn(t, second, dir)
	if err == nil || !strings.Contains(err.Error(), "of another Kafka cluster or deleted since") ||
		!strings.Contains(err.Error(), "give another folder with --data-dir, or delete this one") {
		t.Errorf("another cluster: %v", err)
	}
	client, err := eventlog.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := client.ChangeLayout(logtest.Context(t), 3); err != nil {
		t.Fatal(err)
	}
	if shards, err := startedOn(t, first, dir); err != nil || shards != 3 {
		t.Errorf("another layout: %d shards, %v", shards, err)
	}
}

func kafka(t *testing.T) eventlog.Config {
	t.Helper()
	k, err := devstack.StartKafka(logtest.Context(t), devstack.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return eventlog.Config{Seeds: k.Addrs(), Embedded: true}
}

// startedOn starts the service, stops it once it serves all shards, and returns how many these are.
func startedOn(t *testing.T, log eventlog.Config, dir string) (shards int, err error) {
	t.Helper()
	ctx, stop := context.WithCancelCause(logtest.Context(t))
	defer stop(nil)
	served := errors.New("all shards are served")
	err = Run(ctx, Config{
		Service: run.Service{
			Log: log, Layout: eventlog.Layout{PartitionCount: 3, ShardCount: 2}, Listen: "127.0.0.1:0",
			Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
		},
		DataDir: dir, PeerListen: PeersOff, SessionTimeout: eventlog.DefaultSessionTimeout,
		Joined: func(r *shard.Replica) {
			go func() {
				wait := logtest.Context(t)
				for r.Ready() != nil && backoff.Sleep(wait, 5*time.Millisecond) == nil {
				}
				shards = r.OwnedShards()
				stop(served)
			}()
		},
	})
	if err == nil && context.Cause(ctx) != served {
		err = context.Cause(ctx)
	}
	return shards, err
}
