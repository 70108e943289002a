package shard_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard"
)

// declared is a catalogue with names; nil: nothing was declared.
type declared struct{ names atomic.Pointer[[]string] }

func (d *declared) Place(name string) (is string, retired bool) {
	names := d.names.Load()
	if names == nil {
		return name, false
	}
	for _, is := range *names {
		if strings.EqualFold(is, name) {
			return is, false
		}
	}
	return "", false
}

// TestGoodsComeToKnownLocations: once a location was declared, an owner refuses others, and a refused command can be
// sent again with its key once its location is there. Items keep the locations that they had.
func TestGoodsComeToKnownLocations(t *testing.T) {
	p := newPlatform(t, 1)
	places := &declared{}
	n := p.startAs(shard.Config{DataDir: t.TempDir(), Places: places})
	stock(t, n, "A", 5)
	ok(t, do(t, n, command.ReceiveStock, "A", "old", `{"location":"Typo","quantity":1}`))
	places.names.Store(&[]string{"main", "berlin"})
	ok(t, do(t, n, command.ReceiveStock, "A", "old", `{"location":"Typo","quantity":1}`)) // it is repeated
	ok(t, do(t, n, command.ReceiveStock, "A", "more", `{"location":"Typo","quantity":1}`))
	ok(t, do(t, n, command.ReceiveStock, "A", "known", `{"location":"berlin","quantity":1}`))
	res := do(t, n, command.ReceiveStock, "A", "new", `{"location":"hamburg","quantity":1}`)
	if res.Code != inventory.CodeUnknownLocation || res.Pointer != "/location" {
		t.Errorf("%+v", res)
	}
	places.names.Store(&[]string{"main", "berlin", "hamburg"})
	ok(t, do(t, n, command.ReceiveStock, "A", "new", `{"location":"hamburg","quantity":1}`))
	if s := stockOf(t, n, "A"); len(s.Locations) != 4 || s.Total.OnHand != 9 {
		t.Errorf("%+v", s.Locations)
	}
	p.stop(n)
	p.verify()
}

// TestReturnsComeToKnownLocations: so do goods that come back to a location that is named for them.
func TestReturnsComeToKnownLocations(t *testing.T) {
	p := newPlatform(t, 1)
	places := &declared{}
	places.names.Store(&[]string{"main", "returns"})
	n := p.startAs(shard.Config{DataDir: t.TempDir(), Places: places})
	stock(t, n, "A", 5)
	placed := do(t, n, command.PlaceOrder, "", "order", `{"customer_id":"c","currency":"GBP",
		"payment_terms":"on_account","lines":[{"sku":"A","quantity":2,"unit_price":"1"}]}`)
	ok(t, placed)
	id := placed.Order.ID
	shipped := ok(t, do(t, n, command.ShipOrder, id, "ship", `{}`)).Order.FulfilmentID
	failed := `{"fulfilment_id":"` + shipped + `","condition":"resellable","location":`
	res := do(t, n, command.FailDelivery, id, "failed", failed+`"retruns"}`)
	if res.Code != inventory.CodeUnknownLocation || res.Pointer != "/location" {
		t.Errorf("%+v", res)
	}
	ok(t, do(t, n, command.FailDelivery, id, "failed", failed+`"returns"}`))
	p.stop(n)
	p.verify()
}
