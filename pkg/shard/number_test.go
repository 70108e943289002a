package shard_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/shard"
)

// numbers are those of all orders, counted from the log.
func (p *platform) numbers() map[string]uint64 {
	p.t.Helper()
	counts, numbers := map[int32]uint64{}, map[string]uint64{}
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		id, m, _, err := codec.DecodeOrder(rec.Value)
		if m.Version == 1 {
			counts[rec.Partition]++
			numbers[id] = uint64(p.want.PartitionCount)*counts[rec.Partition] + uint64(rec.Partition)
		}
		return err
	})
	return numbers
}

// The number that an answer has is that which the log gives the order: after a restart with the checkpoint, without it,
// under load, for orders that are rejected, for past documents, and for repeats of commands.
func TestAnswersHaveTheNumbersOfTheLog(t *testing.T) {
	p := newPlatformWithGoods(t, 2)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	skus := []string{"A", "B", "C", "D"}
	for _, sku := range skus {
		stock(t, n, sku, 500)
	}
	told := map[string]uint64{}
	tell := func(r shard.Result) {
		t.Helper()
		if r.Order == nil {
			t.Fatalf("no order: %+v", r)
		}
		if before := told[r.Order.ID]; before != 0 && before != r.Order.Number {
			t.Errorf("order %s has the number %d, and had %d", r.Order.ID, r.Order.Number, before)
		}
		told[r.Order.ID] = r.Order.Number
	}
	for round, dir := range []string{dir, dir, t.TempDir(), dir} {
		place(t, n, 40*(round+1), skus, "prepaid") // those of former rounds are repeats
		for i := range 10 {
			key := fmt.Sprintf("told-%d-%d", round, i)
			tell(ok(t, do(t, n, command.PlaceOrder, "", key, orderBody("on_account", skus[i%4], skus[0]))))
			tell(do(t, n, command.PlaceOrder, "", "unknown-"+key, orderBody("on_account", skus[i%4], "nobody-has-it")))
			again := fmt.Sprintf("told-0-%d", i)
			tell(ok(t, do(t, n, command.PlaceOrder, "", again, orderBody("on_account", skus[i%4], skus[0]))))
		}
		p.stop(n)
		n = p.start(dir, shard.Hooks{})
	}
	want := p.numbers()
	if len(want) != 160+80 || len(told) != 80 {
		t.Fatalf("%d orders, of which %d were told", len(want), len(told))
	}
	maps.DeleteFunc(want, func(id string, _ uint64) bool { return told[id] == 0 })
	if !maps.Equal(told, want) {
		t.Errorf("told %v, the log has %v", told, want)
	}
}
