package shard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard"
)

// An order that nobody paid in time releases its stock. When it is paid after all, it asks stock again: it is
// confirmed when there is enough, also over a restart, and rejected when another order has it by now.
func TestALatePaymentTakesTheOrderUpAgain(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			p := newPlatform(t, shards)
			n := p.start(t.TempDir(), shard.Hooks{})
			for _, sku := range []string{"A", "B", "C"} {
				stock(t, n, sku, 1)
			}
			lucky, unlucky := expired(t, n, "k1"), expired(t, n, "k2")
			r := ok(t, do(t, n, command.AuthorizePayment, lucky, "p1", `{"amount":"7.65","reference":"pi-1"}`))
			if r.Order.Status != "confirmed" || r.Order.PaymentStatus != "authorized" {
				t.Fatalf("paid late: %+v", r.Order)
			}
			again := ok(t, do(t, n, command.AuthorizePayment, lucky, "webhook", `{"amount":"7.65","reference":"pi-1"}`))
			if again.Version != r.Version {
				t.Errorf("the same payment, told twice, went from version %d to %d", r.Version, again.Version)
			}
			// Nothing was written, so the key is free.
			free := do(t, n, command.AuthorizePayment, lucky, "webhook", `{"amount":"1","reference":"pi-3"}`)
			if free.Code != order.CodeOverAuthorization {
				t.Errorf("the key of what wrote nothing: %+v", free)
			}
			r = ok(t, do(t, n, command.AuthorizePayment, unlucky, "p2", `{"amount":"7.65","reference":"pi-2"}`))
			if r.Order.Status != "rejected" || r.Order.PaymentStatus != "voided" {
				t.Fatalf("paid late, and sold out: %+v", r.Order)
			}
			p.stop(n)
			n = p.start(t.TempDir(), shard.Hooks{}) // without its checkpoint
			if r := ok(t, do(t, n, command.ShipOrder, lucky, "s1", `{"capture":true}`)); r.Order.PaymentStatus != "captured" {
				t.Fatalf("shipped: %+v", r.Order)
			}
		})
	}
}

// expired places an order whose deadline has passed, and waits until it has ended.
func expired(t *testing.T, n *shard.Node, key string) (orderID string) {
	t.Helper()
	return untilExpired(t, n, time.Now().Add(-25*time.Hour), key)
}

// untilExpired repeats a placement until it is answered that the order has expired.
func untilExpired(t *testing.T, n *shard.Node, placed time.Time, key string) (orderID string) {
	t.Helper()
	for deadline := time.Now().Add(waitLimit); ; {
		r := ok(t, doAt(t, n, placed, command.PlaceOrder, "", key, orderBody("prepaid", "A", "B", "C")))
		if r.Order.Status == "expired" {
			return r.Order.ID
		}
		if time.Now().After(deadline) {
			t.Fatalf("not expired: %+v", r.Order)
		}
	}
}

// A started payment moves the deadline: the timer that was set for the old one does nothing.
func TestAStartedPaymentKeepsTheOrder(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	for _, sku := range []string{"A", "B", "C"} {
		stock(t, n, sku, 5)
	}
	placed := time.Now().Add(2*time.Second - limits.DefaultPaymentWindow) // two seconds are left of its day
	id := ok(t, doAt(t, n, placed, command.PlaceOrder, "", "k1", orderBody("prepaid", "A", "B", "C"))).Order.ID
	ok(t, do(t, n, command.StartPayment, id, "p1", `{"reference":"pi-1"}`))
	untilExpired(t, n, placed, "k2") // the timer has fired
	if r := ok(t, do(t, n, command.AuthorizePayment, id, "p2", `{"amount":"7.65"}`)); r.Order.Status != "confirmed" {
		t.Fatalf("its payment had started: %+v", r.Order)
	}
}

// The deadline of an order that is paid, on hold or cancelled is no longer kept. An order that is resumed has one
// again, and so do those that still wait after a restart.
func TestDeadlinesThatNoLongerMatterAreForgotten(t *testing.T) {
	p := newPlatform(t, 1)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	stock(t, n, "A", 100)
	var ids []string
	for i := range 20 {
		ids = append(ids, ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprint("o-", i), orderBody("prepaid", "A"))).Order.ID)
	}
	for i, id := range ids[:18] {
		switch i % 3 {
		case 0:
			ok(t, do(t, n, command.AuthorizePayment, id, "pay", `{"amount":"2.55"}`))
		case 1:
			ok(t, do(t, n, command.CancelOrder, id, "cancel", `{"reason":"changed my mind"}`))
		default:
			ok(t, do(t, n, command.HoldOrder, id, "hold", `{"reason":"fraud"}`))
		}
	}
	ok(t, do(t, n, command.ResumeOrder, ids[2], "resume", `{}`))
	for _, dir := range []string{dir, t.TempDir()} {
		waiting := n.MemoryOf(0)
		p.stop(n)
		if got := waiting().Timers; got != 3 {
			t.Errorf("%d deadlines are kept for 3 orders that wait for their payment", got)
		}
		n = p.start(dir, shard.Hooks{})
		stockOf(t, n, "A")
	}
}

// An order that an amendment makes cost more waits for the rest until a deadline, which begins with stock's answer, and
// gives its stock back then. It is so after a restart, too.
func TestAnAmendmentThatNobodyPaysGivesTheStockBack(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			p := newPlatform(t, shards)
			start := func(ahead time.Duration) *shard.Node {
				clock := new(setClock)
				clock.set(ahead)
				return p.startAs(shard.Config{DataDir: t.TempDir(), Clock: clock.now, PaymentWindow: 30 * time.Hour})
			}
			const began = -31 * time.Hour // brokers take no times of the future
			n, at := start(began), time.Now().Add(began)
			stock(t, n, "A", 10)
			amended := func(key string) (orderID string) {
				r := ok(t, doAt(t, n, at, command.PlaceOrder, "", key,
					`{"customer_id":"c","currency":"EUR","lines":[{"sku":"A","quantity":2,"unit_price":"1.00"}]}`))
				ok(t, doAt(t, n, at, command.AuthorizePayment, r.Order.ID, "p", `{"amount":"2.00","reference":"pi"}`))
				ok(t, doAt(t, n, at, command.AmendOrder, r.Order.ID, "a", `{"lines":[{"sku":"A","quantity":3}]}`))
				return r.Order.ID
			}
			unpaid, paid := amended("k1"), amended("k2")
			ok(t, doAt(t, n, at, command.AuthorizePayment, paid, "p2", `{"amount":"1.00","reference":"pj"}`))
			p.stop(n)
			n = start(began + limits.DefaultPaymentWindow + time.Hour) // after the deadline that it was placed with
			if r := ok(t, do(t, n, command.FailPayment, unpaid, "f1", `{}`)); r.Order.Status != "confirmed" {
				t.Fatalf("before its deadline: %+v", r.Order)
			}
			p.stop(n)
			n = start(0)
			eventually(t, func() string {
				if s := stockOf(t, n, "A"); s.Total.Available != 7 || s.Total.Committed != 3 {
					return fmt.Sprintf("available %d, committed %d", s.Total.Available, s.Total.Committed)
				}
				return ""
			})
			for id, status := range map[string]string{unpaid: "cancelled", paid: "confirmed"} {
				if r := ok(t, do(t, n, command.FailPayment, id, "f2", `{}`)); r.Order.Status != status {
					t.Errorf("at its deadline: %+v, want it %s", r.Order, status)
				}
			}
			p.stop(n)
			p.verify()
		})
	}
}

// An order that loses its money after it was confirmed does not ship, and gives its stock back at its deadline: all of
// it, or what has not shipped. It is so after a restart, too.
func TestLostCoverGivesTheStockBack(t *testing.T) {
	t.Parallel()
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			p := newPlatform(t, shards)
			n := p.start(t.TempDir(), shard.Hooks{})
			stock(t, n, "A", 10)
			almostOver := time.Now().Add(4*time.Second - limits.DefaultPaymentWindow)
			paid := func(key string) (orderID string) {
				r := ok(t, doAt(t, n, almostOver, command.PlaceOrder, "", key,
					`{"customer_id":"c","currency":"EUR","lines":[{"sku":"A","quantity":3,"unit_price":"1.00"}]}`))
				ok(t, do(t, n, command.AuthorizePayment, r.Order.ID, "p", `{"amount":"3.00","reference":"pi"}`))
				return r.Order.ID
			}
			whole, shipped := paid("k1"), paid("k2")
			ok(t, do(t, n, command.ShipOrder, shipped, "s", `{"lines":[{"sku":"A","quantity":1}]}`))
			for _, id := range []string{whole, shipped} {
				r := ok(t, doAt(t, n, almostOver, command.VoidPayment, id, "v", `{}`))
				if r.Order.Status != "confirmed" || r.Order.PaymentStatus != "voided" {
					t.Fatalf("voided: %+v", r.Order)
				}
				if r := do(t, n, command.ShipOrder, id, "s2", `{}`); r.Code != order.CodePaymentRequired {
					t.Errorf("shipped without cover: %+v", r)
				}
			}
			p.stop(n)
			n = p.start(t.TempDir(), shard.Hooks{})
			eventually(t, func() string {
				if s := stockOf(t, n, "A"); s.Total.Available != 9 || s.Total.Committed != 0 {
					return fmt.Sprintf("available %d, committed %d", s.Total.Available, s.Total.Committed)
				}
				return ""
			})
			for id, status := range map[string]string{whole: "cancelled", shipped: "completed"} {
				r := ok(t, do(t, n, command.FailPayment, id, "f", `{}`))
				if r.Order.Status != status {
					t.Errorf("at its deadline: %+v, want it %s", r.Order, status)
				}
			}
		})
	}
}
