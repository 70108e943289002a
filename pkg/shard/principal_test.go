package shard_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/shard"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// doAs is do for a principal. It sends the command once.
func doAs(t *testing.T, n *shard.Node, who shard.Principal, typ, id, key, body string) shard.Result {
	t.Helper()
	cmd, err := decode(typ, id, key, []byte(body), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	cmd.Principal = who
	fut := n.Submit(cmd)
	<-fut.Done()
	return ok(t, fut.Result())
}

// principals are those of all events: how many events of each cause each has.
func (p *platform) principals() map[string]int {
	p.t.Helper()
	found := map[string]int{}
	count := func(m *codec.Meta) {
		who := "nobody"
		if m.Principal.Name != "" {
			who = fmt.Sprint(m.Principal.Name, " verified=", m.Principal.Verified)
		}
		if m.Cause == eventv1.Cause_CAUSE_COMMAND {
			found[who+" by command"]++
		} else {
			found[who+" otherwise"]++
		}
	}
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		_, m, _, err := codec.DecodeOrder(rec.Value)
		count(&m)
		return err
	})
	p.readAll(eventlog.TopicInventory, p.want.PartitionCount, func(rec *eventlog.Record) error {
		_, m, _, err := codec.DecodeInventory(rec.Value)
		count(&m)
		return err
	})
	return found
}

// All events of a command say who asked, whichever replica took it. What an order and its stock say to one another does
// not. A retry by somebody else is a repeat, and changes nothing.
func TestTheEventsOfACommandSayWhoAsked(t *testing.T) {
	p := newPlatform(t, 2)
	nodes := startReplicas(p, &gate{}, 2)
	alice, bob := shard.Principal{Name: "alice"}, shard.Principal{Name: "bob", Verified: true}
	for i, n := range nodes {
		owner := nodes[1-i] // the other replica decides
		sku, key := skuOf(owner, "A"), ""
		for k := 0; key == "" || !owner.Owns(n.ShardOf(orderid.ByKey(orderid.DefaultTenant, key))); k++ {
			key = fmt.Sprint("k-", k)
		}
		doAs(t, n, shard.Principal{}, command.RegisterItem, sku, "", `{"description":"Heart"}`)
		doAs(t, n, bob, command.ReceiveStock, sku, "r", `{"location":"main","quantity":5}`)
		placed := doAs(t, n, alice, command.PlaceOrder, "", key, orderBody("prepaid", sku))
		doAs(t, n, alice, command.AuthorizePayment, placed.Order.ID, "p", `{"amount":"2.55"}`)
		if again := doAs(t, n, bob, command.PlaceOrder, "", key, orderBody("prepaid", sku)); !again.Repeated {
			t.Errorf("bob's retry is no repeat: %+v", again)
		}
	}
	got := p.principals()
	want := map[string]int{
		"nobody by command":               2, // ItemRegistered
		"bob verified=true by command":    2, // StockReceived
		"alice verified=false by command": 6, // OrderPlaced, PaymentAuthorized, OrderConfirmed
		"nobody otherwise":                6, // StockReserved, OrderReserved, ReservationCommitted
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p.verify()
}
