package shard_test

import (
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/shard"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// steps is a frame with one step for one SKU.
func steps(orderID string, placed []byte, version uint64, wanted ...*peerv1.Wanted) *peerv1.ExchangeRequest {
	return &peerv1.ExchangeRequest{Reservations: []*peerv1.ReservationRequest{
		{OrderId: orderID, PlacedEventId: placed, Version: version, Wanted: wanted},
	}}
}

// frames are such as replicas send, and such as none should.
func frames(orderID, placed string) []*peerv1.ExchangeRequest {
	held := &peerv1.Held{Sku: "A1", Reserved: 2}
	id := []byte(placed)
	return []*peerv1.ExchangeRequest{
		steps(orderID, id, 3, &peerv1.Wanted{Sku: "A1", Reserved: 1}),
		steps("other", id, 1, &peerv1.Wanted{Sku: "B2", Imported: true, Fulfilled: 9}),
		steps("", id, 0, &peerv1.Wanted{Sku: "A1", Reserved: -1}),
		{OrderQueries: []*peerv1.OrderQuery{
			{OrderId: orderID, Sku: "A1", PlacedEventId: id, Version: 9, Held: held}, {OrderId: "none"}, {OrderId: orderID},
		}},
		{Commands: []*peerv1.CommandRequest{
			{Type: command.ReceiveStock, AggregateId: "A1", IdempotencyKey: "p-1", Body: []byte(`{"quantity":1}`)},
			{Type: command.PlaceOrder, AggregateId: orderID, IdempotencyKey: "p-2", Body: []byte(orderBody("prepaid", "A1"))},
			{Type: "fly"},
		}},
	}
}

// A step that the rules refuse, or that names a SKU twice, changes nothing and ends nothing. Found by FuzzPeerFrame:
// the shard gave up its ownership, as often as the step was sent.
func TestAStepAgainstTheRulesIsPassedOver(t *testing.T) {
	p := newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A1", 100)
	before := stockOf(t, n, "A1")
	id := []byte("0123456789abcdef")
	one := &peerv1.Wanted{Sku: "A1", Reserved: 1}
	for name, frame := range map[string]*peerv1.ExchangeRequest{
		"a negative quantity": steps("o-1", id, 1, &peerv1.Wanted{Sku: "A1", Reserved: -1}),
		"no order":            steps("", id, 1, one),
		"no version":          steps("o-1", id, 0, one),
		"half an event ID":    steps("o-1", id[:8], 1, one),
		"a SKU twice": steps("o-1", id, 1,
			&peerv1.Wanted{Sku: "A1", Reserved: 60}, &peerv1.Wanted{Sku: "A1", Reserved: 60}),
	} {
		n.Receive(frame)
		body := []byte(`{"description":"` + before.Description + `"}`)
		cmd, err := decode(command.RegisterItem, "A1", "", body, time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		future := n.Submit(cmd) // once, without a retry: the owner has not changed
		<-future.Done()
		if r := future.Result(); r.Code != "" || r.Version != before.Version {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// FuzzPeerFrame: whatever another replica sends, the shard goes on under the same owner.
func FuzzPeerFrame(f *testing.F) {
	p := newPlatform(f, 1)
	n := p.start(f.TempDir(), shard.Hooks{})
	stock(f, n, "A1", 100)
	id := orderid.ByKey(orderid.DefaultTenant, "k")
	placed := ok(f, do(f, n, command.PlaceOrder, id, "k", orderBody("prepaid", "A1")))
	for _, frame := range frames(placed.Order.ID, "0123456789abcdef") {
		value, err := frame.MarshalVT()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		frame := &peerv1.ExchangeRequest{}
		if frame.UnmarshalVT(value) != nil {
			return
		}
		for _, c := range frame.Commands {
			c.Shard = 0
		}
		n.Receive(frame)
		cmd, err := decode(command.RegisterItem, "A1", "", []byte(`{"description":"A1"}`), time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		future := n.Submit(cmd)
		<-future.Done()
		if r := future.Result(); r.Code != "" {
			t.Fatalf("after %v: %+v", frame, r)
		}
	})
}
