package shard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// doIf is do with If-Match.
func doIf(t *testing.T, n *shard.Node, version uint64, typ, id, key, body string) shard.Result {
	t.Helper()
	var r shard.Result
	eventually(t, func() string {
		cmd, err := decode(typ, id, key, []byte(body), time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExpectedVersion = &version
		fut := n.Submit(cmd)
		<-fut.Done()
		if r = fut.Result(); r.Code == problem.Unavailable {
			return r.Detail
		}
		return ""
	})
	return r
}

// settled waits until the log says that stock has answered an order's newest step.
func (p *platform) settled(t *testing.T, id string) {
	t.Helper()
	eventually(t, func() string {
		var o order.Order
		p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
			of, _, ev, err := codec.DecodeOrder(rec.Value)
			if err == nil && of == id {
				o = order.Evolve(o, ev, order.Facts{})
			}
			return err
		})
		if !o.Settled || o.Version == o.VisibleVersion {
			return fmt.Sprintf("%d events, of which clients see %d, settled %t", o.Version, o.VisibleVersion, o.Settled)
		}
		return ""
	})
}

// The version of an answer stays the order's, although stock of other shards answers later, and after restarts.
func TestTheVersionOfAnAnswerHolds(t *testing.T) {
	p := newPlatform(t, racedShards)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	skus := skuOfEachShard(n)
	for _, sku := range skus {
		stock(t, n, sku, 10)
	}
	placed := ok(t, do(t, n, command.PlaceOrder, "", "o", orderBody("prepaid", skus...)))
	id, pay := placed.Order.ID, fmt.Sprintf(`{"amount":"%.2f"}`, 2.55*float64(len(skus)))
	paid := ok(t, doIf(t, n, placed.Version, command.AuthorizePayment, id, "pay", pay))
	p.settled(t, id)
	if r := doIf(t, n, placed.Version, command.HoldOrder, id, "late", `{}`); r.Code != problem.VersionMismatch ||
		r.Version != paid.Version {
		t.Errorf("an old version: %+v; the newest is %d", r, paid.Version)
	}
	held := ok(t, doIf(t, n, paid.Version, command.HoldOrder, id, "hold", `{}`))
	resumed := ok(t, doIf(t, n, held.Version, command.ResumeOrder, id, "resume", `{}`))
	shipped := ok(t, doIf(t, n, resumed.Version, command.ShipOrder, id, "ship", `{}`))
	p.settled(t, id)
	if r := ok(t, do(t, n, command.ShipOrder, id, "ship", `{}`)); r.Version != shipped.Version {
		t.Errorf("repeated: version %d, was %d", r.Version, shipped.Version)
	}
	p.stop(n)
	for _, dir := range []string{dir, t.TempDir()} { // from the checkpoint, and from the log alone
		n = p.start(dir, shard.Hooks{})
		if r := ok(t, do(t, n, command.ShipOrder, id, "ship", `{}`)); r.Version != shipped.Version {
			t.Errorf("after a restart: version %d, was %d", r.Version, shipped.Version)
		}
		p.stop(n)
	}
	n = p.start(dir, shard.Hooks{})
	ok(t, doIf(t, n, shipped.Version, command.DeliverOrder, id, "deliver",
		`{"fulfilment_id":"`+shipped.Order.FulfilmentID+`"}`))
	p.stop(n)
	p.verify()
}

// The version of stock stays the item's while orders of all shards are refused, and after restarts: answers and
// If-Match mean that version, and the log has more.
func TestTheVersionOfStockHolds(t *testing.T) {
	for _, shards := range []int32{1, 3} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			p := newPlatform(t, shards)
			dir := t.TempDir()
			n := p.start(dir, shard.Hooks{})
			seen := ok(t, do(t, n, command.RegisterItem, "A", "reg-A", `{"description":"A"}`)).Version
			refusals := 2 * int(shards)
			for i := range refusals {
				r := do(t, n, command.PlaceOrder, "", fmt.Sprint("o-", i), orderBody("prepaid", "A"))
				if r.Code != problem.InsufficientStock {
					t.Fatalf("%+v", r)
				}
			}
			if events := p.eventsOf(eventlog.TopicInventory); events < 1+refusals {
				t.Fatalf("stock has %d events after %d refusals", events, refusals)
			}
			for i, dir := range []string{dir, dir, t.TempDir()} { // as it is, from the checkpoint, from the log alone
				if r := ok(t, do(t, n, command.RegisterItem, "A", "reg-A", `{"description":"A"}`)); r.Version != seen ||
					r.Stock.Version != seen {
					t.Errorf("repeated: version %d and %d, was %d", r.Version, r.Stock.Version, seen)
				}
				r := doIf(t, n, seen+1, command.SetBackorderLimit, "A", fmt.Sprint("late-", i), `{"limit":1}`)
				if r.Code != problem.VersionMismatch || r.Version != seen {
					t.Errorf("another version: %+v", r)
				}
				p.stop(n)
				n = p.start(dir, shard.Hooks{})
			}
			limited := ok(t, doIf(t, n, seen, command.SetBackorderLimit, "A", "limit", `{"limit":1}`))
			if limited.Version <= seen+uint64(refusals) || limited.Stock.Version != limited.Version {
				t.Errorf("version %d and %d after %d refusals", limited.Version, limited.Stock.Version, refusals)
			}
			p.stop(n)
			p.verify()
		})
	}
}
