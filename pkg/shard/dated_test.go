package shard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/shard"
)

// An order comes from another system with the times of what happened to it: all that follows, in whichever shard its
// goods are, has the time of what it follows from.
func TestWhatFollowsFromTheCommandsOfAnotherSystemHasTheirTimes(t *testing.T) {
	p := newPlatformWithGoods(t, 4)
	n := p.start(t.TempDir(), shard.Hooks{})
	skus := inAllShards(t, n, 10)
	began := time.Now()
	at := time.Date(2010, 12, 1, 8, 0, 0, 0, time.UTC)
	alias := orderid.ByKey(orderid.DefaultTenant, "moved")
	step := func(typ, id, key, body string) {
		t.Helper()
		at = at.Add(time.Hour)
		ok(t, do(t, n, typ, id, key, strings.TrimSuffix(body, "}")+`,"occurred_at":"`+at.Format(time.RFC3339)+`"}`))
	}
	step(command.PlaceOrder, "", "moved", orderBody("prepaid", skus...))
	step(command.AuthorizePayment, alias, "paid", `{"amount":"10.20"}`)
	step(command.ShipOrder, alias, "sent", `{"capture":true}`)
	step(command.DeliverOrder, alias, "there", `{"fulfilment_key":"sent"}`)
	step(command.RequestReturn, alias, "back", `{"reason":"too small"}`)
	step(command.ReceiveReturn, alias, "here", `{"return_key":"back","lines":[{"sku":"`+skus[3]+
		`","quantity":1,"condition":"resellable"}]}`)
	step(command.RefundPayment, alias, "refunded", `{"amount":"2.55"}`)
	for _, sku := range skus[:3] {
		levelIs(t, n, sku, 9)
	}
	levelIs(t, n, skus[3], 10)
	p.stop(n)
	dated := func(what any, m codec.Meta) {
		t.Helper()
		if m.OccurredAtMicros > at.UnixMicro() || m.RecordedAtMicros < began.UnixMicro() {
			t.Errorf("%T occurred at %s", what, time.UnixMicro(m.OccurredAtMicros).UTC())
		}
	}
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		_, m, ev, err := codec.DecodeOrder(rec.Value)
		dated(ev, m)
		return err
	})
	p.readAll(eventlog.TopicInventory, p.want.PartitionCount, func(rec *eventlog.Record) error {
		_, m, ev, err := codec.DecodeInventory(rec.Value)
		if m.IdempotencyKey == "" { // not a receipt
			dated(ev, m)
		}
		return err
	})
	p.verify()
}
