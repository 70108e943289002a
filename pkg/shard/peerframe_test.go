package shard_test

import (
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/shard"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// frames are what replicas say to each other, as they say it and as none should.
func frames(orderID, placed string) []*peerv1.ExchangeRequest {
	held := &peerv1.Held{Sku: "A1", Reserved: 2}
	id := []byte(placed)
	return []*peerv1.ExchangeRequest{
		{Reservations: []*peerv1.ReservationRequest{{OrderId: orderID, PlacedEventId: id, Version: 3, Wanted: []*peerv1.Wanted{{Sku: "A1", Reserved: 1}}}}},
		{Reservations: []*peerv1.ReservationRequest{{OrderId: "other", PlacedEventId: id, Version: 1, Wanted: []*peerv1.Wanted{{Sku: "B2", Imported: true, Fulfilled: 9}}}}},
		{Reservations: []*peerv1.ReservationRequest{{PlacedEventId: id, Wanted: []*peerv1.Wanted{{Sku: "A1", Reserved: -1}}}}},
		{OrderQueries: []*peerv1.OrderQuery{{OrderId: orderID, Sku: "A1", PlacedEventId: id, Version: 9, Held: held}, {OrderId: "none"}, {OrderId: orderID}}},
		{Commands: []*peerv1.CommandRequest{
			{Type: command.ReceiveStock, AggregateId: "A1", IdempotencyKey: "p-1", Body: []byte(`{"quantity":1}`)},
			{Type: command.PlaceOrder, AggregateId: orderID, IdempotencyKey: "p-2", Body: []byte(orderBody("prepaid", "A1"))},
			{Type: "fly"},
		}},
	}
}

// A step that the rules refuse, or that names a SKU twice, changes nothing and ends nothing. Found by FuzzPeerFrame: the
// shard gave up its ownership, as often as the step was sent.
func TestAStepAgainstTheRulesIsPassedOver(t *testing.T) {
	p := newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A1", 100)
	before := stockOf(t, n, "A1")
	id := []byte("0123456789abcdef")
	for name, step := range map[string]*peerv1.ReservationRequest{
		"a negative quantity": {OrderId: "o-1", PlacedEventId: id, Version: 1, Wanted: []*peerv1.Wanted{{Sku: "A1", Reserved: -1}}},
		"no order":            {PlacedEventId: id, Version: 1, Wanted: []*peerv1.Wanted{{Sku: "A1", Reserved: 1}}},
		"no version":          {OrderId: "o-1", PlacedEventId: id, Wanted: []*peerv1.Wanted{{Sku: "A1", Reserved: 1}}},
		"half an event ID":    {OrderId: "o-1", PlacedEventId: id[:8], Version: 1, Wanted: []*peerv1.Wanted{{Sku: "A1", Reserved: 1}}},
		"a SKU twice": {OrderId: "o-1", PlacedEventId: id, Version: 1,
			Wanted: []*peerv1.Wanted{{Sku: "A1", Reserved: 60}, {Sku: "A1", Reserved: 60}}},
	} {
		n.Receive(&peerv1.ExchangeRequest{Reservations: []*peerv1.ReservationRequest{step}})
		cmd, err := decode(command.RegisterItem, "A1", "", []byte(`{"description":"`+before.Description+`"}`), time.Now().UnixMicro())
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

// FuzzPeerFrame: whatever another replica says, the shard goes on under the same owner.
func FuzzPeerFrame(f *testing.F) {
	p := newPlatform(f, 1)
	n := p.start(f.TempDir(), shard.Hooks{})
	stock(f, n, "A1", 100)
	placed := ok(f, do(f, n, command.PlaceOrder, command.OrderID(command.DefaultTenant, "k"), "k", orderBody("prepaid", "A1")))
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
