package shard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

func TestAnUndecodableEventStopsTheShardAndSaysWhere(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, 1)
	client, err := eventlog.Open(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.EnsurePlatform(context.Background(), p.want); err != nil {
		t.Fatal(err)
	}
	bad := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: 5},
		Key:            []byte("A"), Value: []byte("not a protobuf"), TimestampMicros: 1,
	}
	if err := client.Produce(context.Background(), []*eventlog.Record{bad}); err != nil {
		t.Fatal(err)
	}
	n := p.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string {
		err := n.Ready()
		if err == nil || !strings.Contains(err.Error(), "inventory.events partition 5 offset 0") {
			return "the shard does not say where it stopped"
		}
		return ""
	})
	cmd, err := decode(command.RegisterItem, "A", "", []byte(`{"description":"a"}`), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	fut := n.Submit(cmd)
	<-fut.Done()
	if r := fut.Result(); r.Code != problem.Unavailable {
		t.Fatalf("a stopped shard answers %+v", r)
	}
}

func TestAnUnpaidOrderExpires(t *testing.T) {
	t.Parallel()
	for _, shards := range []int32{1, 4} {
		p := newPlatform(t, shards)
		n := p.start(t.TempDir(), shard.Hooks{})
		stock(t, n, "A", 1)
		almostOver := time.Now().Add(3*time.Second - limits.DefaultPaymentWindow)
		placed := ok(t, doAt(t, n, almostOver, command.PlaceOrder, "", "k", orderBody("prepaid", "A")))
		eventually(t, func() string {
			if s := stockOf(t, n, "A"); s.Total.Available != 1 || s.Total.Reserved != 0 {
				return "the stock of an expired order has not come back"
			}
			return ""
		})
		r := ok(t, do(t, n, command.AuthorizePayment, placed.Order.ID, "late", `{"amount":"1.00"}`))
		if r.Order.Status != "expired" || r.Order.PaymentStatus != "voided" {
			t.Fatalf("late payment of a part: %+v", r.Order)
		}
	}
}

func TestIfMatchIsCheckedByTheWriter(t *testing.T) {
	p := newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A", 10)
	version := stockOf(t, n, "A").Version
	adjust := func(key string, expected uint64) shard.Result {
		body := []byte(`{"location":"main","delta":-1,"reason":"damaged"}`)
		cmd, err := decode(command.AdjustStock, "A", key, body, time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExpectedVersion = &expected
		fut := n.Submit(cmd)
		<-fut.Done()
		return fut.Result()
	}
	if r := adjust("a1", version); r.Code != "" {
		t.Fatalf("current version: %+v", r)
	}
	if r := adjust("a2", version); r.Code != problem.VersionMismatch || r.Version != version+1 {
		t.Fatalf("old version: %+v", r)
	}
	if r := adjust("a2", shard.NoVersion); r.Code != problem.VersionMismatch || r.Version != version+1 ||
		strings.Contains(r.Detail, "18446744073709551615") {
		t.Fatalf("no version: %+v", r)
	}
	if r := adjust("a1", version); r.Code != "" || r.Version != version+1 {
		t.Fatalf("the repeat of what was done: %+v", r)
	}
}

// TestClientsHearOfAnOrderThatIsDecidedWithoutStock: an order that waits for a shard which does not answer is
// cancelled, or expires. The client that placed it is told, and need not wait for that shard.
func TestClientsHearOfAnOrderThatIsDecidedWithoutStock(t *testing.T) {
	p := newPlatform(t, 4)
	n := p.start(t.TempDir(), shard.Hooks{Deliver: func(func()) {}})
	for _, sku := range []string{"A", "B", "C", "D", "E"} {
		stock(t, n, sku, 5)
	}
	for status, received := range map[string]time.Time{
		"cancelled": time.Now(),
		"expired":   time.Now().Add(3*time.Second - limits.DefaultPaymentWindow),
	} {
		body := []byte(orderBody("prepaid", "A", "B", "C", "D", "E"))
		cmd, err := decode(command.PlaceOrder, "", status, body, received.UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		placed, repeated := accepted(t, n, cmd), accepted(t, n, cmd)
		if status == "cancelled" {
			ok(t, do(t, n, command.CancelOrder, cmd.ID, "cancel", `{"reason":"changed my mind"}`))
		}
		for _, fut := range []*shard.Future{placed, repeated} {
			select {
			case <-fut.Done():
			case <-time.After(waitLimit):
				t.Fatalf("%s: nobody answers", status)
			}
			if r := fut.Result(); r.Order == nil || r.Order.Status != status {
				t.Errorf("%s: %+v", status, r)
			}
		}
	}
}

// TestAnOwnerStopsAtARecordOfAnother: whether commands come to its partition or not, it writes nothing behind a record
// that it did not write, and says which one it is.
func TestAnOwnerStopsAtARecordOfAnother(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"busy": true, "idle": false} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, 1)
			n := p.start(t.TempDir(), shard.Hooks{})
			stock(t, n, "A", 10)
			client, err := eventlog.Open(p.log)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			bad := &eventlog.Record{
				TopicPartition: eventlog.TopicPartition{
					Topic: eventlog.TopicInventory, Partition: eventlog.PartitionFor("A", p.want.PartitionCount),
				},
				Key: []byte("A"), Value: []byte("not a protobuf"),
			}
			if err := client.Produce(logtest.Context(t), []*eventlog.Record{bad}); err != nil {
				t.Fatal(err)
			}
			if busy {
				cmd, err := decode(command.ReceiveStock, "A", "behind", []byte(`{"location":"main","quantity":1}`),
					time.Now().UnixMicro())
				if err != nil {
					t.Fatal(err)
				}
				fut := n.Submit(cmd)
				<-fut.Done()
				if r := fut.Result(); r.Code != problem.Unavailable {
					t.Fatalf("a command behind a foreign record is answered %+v", r)
				}
			}
			eventually(t, func() string {
				if err := n.Ready(); err == nil || !strings.Contains(err.Error(),
					eventlog.InspectCommand(bad.TopicPartition, bad.Offset)) {
					return fmt.Sprintf("the shard does not say where it stopped: %v", err)
				}
				return ""
			})
			isLastCommitted(t, client, bad)
			err = client.Quarantine(logtest.Context(t), eventlog.Quarantine{
				Topic: bad.Topic, Partition: bad.Partition, Offset: bad.Offset, SHA256: bad.Hash(), Reason: "a test",
			})
			if err != nil {
				t.Fatal(err)
			}
			ok(t, do(t, n, command.ReceiveStock, "A", "after", `{"location":"main","quantity":1}`))
			if s := stockOf(t, n, "A"); s.Total.OnHand != 11 {
				t.Errorf("behind the quarantined record there are %d on hand, want 11", s.Total.OnHand)
			}
			if err := n.Ready(); err != nil {
				t.Error(err)
			}
		})
	}
}

// isLastCommitted checks that no committed record is behind the record.
func isLastCommitted(t *testing.T, client *eventlog.Client, last *eventlog.Record) {
	t.Helper()
	tps := []eventlog.TopicPartition{last.TopicPartition}
	end, err := client.EndOffsets(logtest.Context(t), tps)
	if err != nil {
		t.Fatal(err)
	}
	err = client.Read(logtest.Context(t), nil, end, func(rec *eventlog.Record) error {
		if rec.Offset > last.Offset {
			t.Errorf("offset %d was committed behind the foreign record at %d", rec.Offset, last.Offset)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAShardDoesNotReadPastADeletedStart: it stops, and says what is missing and what to do.
func TestAShardDoesNotReadPastADeletedStart(t *testing.T) {
	p, dir := newPlatform(t, 1), t.TempDir()
	n := p.start(dir, shard.Hooks{})
	stock(t, n, "A", 1)
	p.stop(n)
	logtest.DeleteRecords(t, p.log, eventlog.TopicInventory)
	n = p.start(dir, shard.Hooks{}) // its checkpoint is past what was deleted
	ok(t, do(t, n, command.ReceiveStock, "A", "after", `{"location":"main","quantity":1}`))
	if s := stockOf(t, n, "A"); s.Total.OnHand != 2 {
		t.Errorf("there are %d on hand, want 2", s.Total.OnHand)
	}
	p.stop(n)
	n = p.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string {
		var stopped *shard.StoppedError
		var gone *eventlog.LogStartError
		err := n.Ready()
		if !errors.As(err, &stopped) || !errors.As(err, &gone) || gone.Topic != eventlog.TopicInventory {
			return fmt.Sprintf("the shard does not say that the log has no start: %v", err)
		}
		return ""
	})
}
