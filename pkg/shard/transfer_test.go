package shard_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestTransfersSurviveARestart: what is on its way is known to whoever owns the shard next, from its checkpoint and
// from the log alone, and a key that is sent again sends nothing twice.
func TestTransfersSurviveARestart(t *testing.T) {
	p := newPlatform(t, 1)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	stock(t, n, "A", 10)
	const body = `{"to_location":"north","quantity":6}`
	sent := ok(t, do(t, n, command.ShipTransfer, "A", "t", body)).Stock
	if sent.TransferID == "" || sent.Total != (inventory.Level{OnHand: 4, Available: 4, Incoming: 6}) {
		t.Fatalf("%+v", sent)
	}
	arrive := func(key, body string) shard.Result {
		return do(t, n, command.ReceiveTransfer, "A", key, `{"transfer_id":"`+sent.TransferID+`",`+body+`}`)
	}
	p.stop(n)
	n = p.start(dir, shard.Hooks{})
	again := ok(t, do(t, n, command.ShipTransfer, "A", "t", body)).Stock
	if again.TransferID != sent.TransferID || again.Version != sent.Version {
		t.Fatalf("%+v, then %+v", sent, again)
	}
	if s := ok(t, arrive("a1", `"quantity":4`)).Stock; s.Total != (inventory.Level{OnHand: 8, Available: 8, Incoming: 2}) {
		t.Fatalf("%+v", s)
	}
	p.stop(n)
	n = p.start(t.TempDir(), shard.Hooks{})
	if r := arrive("a2", `"quantity":3`); r.Code != inventory.CodeOverTransfer {
		t.Fatalf("%+v", r)
	}
	s := ok(t, arrive("a3", `"quantity":0,"missing":1,"rejected":1,"reason":"torn"`)).Stock
	if s.Total != (inventory.Level{OnHand: 9, Available: 8, QualityControl: 1}) {
		t.Fatalf("%+v", s)
	}
	if r := arrive("a4", `"quantity":1`); r.Code != inventory.CodeUnknownTransfer {
		t.Fatalf("%+v", r)
	}
}
