package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/verify"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// mirrored is the healthy story in a log and in ClickHouse.
func mirrored(t *testing.T) (context.Context, *eventlog.Client, *clickhouse.Conn, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	if err := log.Client.Produce(ctx, healthy().records(t, log.Layout)); err != nil {
		t.Fatal(err)
	}
	address := chdbtest.Database(t)
	conn, err := clickhouse.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m, err := analytics.New(analytics.Config{Log: log.Config, Client: log.Client, Layout: log.Layout, Conn: conn, Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(running) }()
	t.Cleanup(func() { stop(); <-done })
	return ctx, log.Client, conn, address
}

func TestAMirrorIsHeldToTheLog(t *testing.T) {
	ctx, client, conn, address := mirrored(t)
	violations := func() map[string]int64 {
		t.Helper()
		report, err := verify.Run(ctx, client, verify.Options{ClickHouse: address})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int64{}
		for _, inv := range report.Invariants {
			found[inv.ID] = inv.Violations
			if (inv.ID == verify.Mirror || inv.ID == verify.Replayed) && inv.Checked == 0 {
				t.Errorf("%s was not checked", inv.ID)
			}
		}
		return found
	}
	if found := violations(); found[verify.Mirror] != 0 || found[verify.Replayed] != 0 {
		t.Fatalf("the healthy mirror: %v", found)
	}
	for _, plant := range []struct {
		statement string
		healthy   bool
	}{
		{"INSERT INTO order_lines (partition, offset, line, type, quantity, amount_micros) VALUES (0, 0, 7, 'order_placed', 1, 1)", false},
		{"ALTER TABLE order_lines DELETE WHERE line = 7", true},
		{"ALTER TABLE stock_ledger UPDATE on_hand = on_hand + 1 WHERE version = 5", false},
		{"ALTER TABLE stock_ledger UPDATE on_hand = on_hand - 1 WHERE version = 5", true},
		{"ALTER TABLE events DELETE WHERE version = 3", false},
	} {
		if err := conn.Exec(ctx, plant.statement, clickhouse.Settings{"mutations_sync": 2}, nil); err != nil {
			t.Fatal(err)
		}
		found := violations()
		if (found[verify.Mirror] == 0) != plant.healthy || (found[verify.Replayed] == 0) != plant.healthy {
			t.Errorf("%s: found %v", plant.statement, found)
		}
	}
}
