package shard_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestShortfallsHaveOwners: a count that finds less than was promised takes it from the orders that came last. They are
// told, whichever shard they are in and whatever happens to the messages, and get the next goods.
func TestShortfallsHaveOwners(t *testing.T) {
	for _, c := range []struct {
		shards int32
		hooks  shard.Hooks
	}{{1, shard.Hooks{}}, {4, shard.Hooks{}}, {4, shard.Hooks{Deliver: unreliable(3)}}} {
		t.Run(fmt.Sprintf("shards=%d,unreliable=%t", c.shards, c.hooks.Deliver != nil), func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, c.shards)
			n := p.start(t.TempDir(), c.hooks)
			orders := promise(t, n, 6)
			ok(t, do(t, n, command.CountStock, "A", "short", `{"counted":2}`))
			for i, id := range orders { // also where the news of it has not come
				eventually(t, func() string { return ships(t, n, id, i < 2) })
			}
			ok(t, do(t, n, command.ReceiveStock, "A", "more", `{"location":"north","quantity":3}`))
			for i, id := range orders[2:] {
				eventually(t, func() string { return ships(t, n, id, i < 3) })
			}
			ok(t, do(t, n, command.CountStock, "A", "found", `{"counted":1}`))
			eventually(t, func() string { return ships(t, n, orders[5], true) })
			eventually(t, func() string {
				if s := stockOf(t, n, "A"); s.Total.OnHand != 0 || s.Total.Available != 0 || s.Total.Committed != 0 {
					return fmt.Sprintf("6 were found and 6 have shipped: %+v", s.Total)
				}
				return ""
			})
		})
	}
}

// promise has A in stock for so many orders, and places them one after the other.
func promise(t *testing.T, n *shard.Node, orders int) (ids []string) {
	t.Helper()
	stock(t, n, "A", orders)
	for i := range orders {
		r := ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprintf("order-%d", i), orderBody("on_account", "A")))
		ids = append(ids, r.Order.ID)
	}
	return ids
}

// TestShortfallsSurviveRestarts: orders that could not be told of a shortfall are told after a restart, with and
// without the checkpoint. The order of the promises survives too.
func TestShortfallsSurviveRestarts(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("checkpoint=%t", keep), func(t *testing.T) {
			p := newPlatform(t, 4)
			dir := t.TempDir()
			n := p.start(dir, shard.Hooks{})
			orders := promise(t, n, 4)
			p.stop(n)
			// Steps and notices are lost from here on.
			n = p.start(dir, shard.Hooks{Deliver: func(func()) {}})
			ok(t, do(t, n, command.CountStock, "A", "short", `{"counted":2}`))
			p.stop(n)
			if !keep {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			n = p.start(dir, shard.Hooks{})
			for i, id := range orders {
				eventually(t, func() string { return ships(t, n, id, i < 2) })
			}
		})
	}
}

// TestShippingAsksFirst: while news of a shortfall is kept back, no goods leave that stock of another shard does not
// have. Where that shard does not answer, the client is told to try again.
func TestShippingAsksFirst(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, 4)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	orders := promise(t, n, 40)
	ok(t, do(t, n, command.CountStock, "A", "short", `{"counted":30}`))
	for _, i := range []int{0, 1, 2, 3, 4, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39} {
		if problem := ships(t, n, orders[i], i < 30); problem != "" {
			t.Error(problem)
		}
	}
	p.stop(n)
	n = p.start(dir, shard.Hooks{Deliver: func(func()) {}}) // messages between shards are lost
	unanswered := false
	for i := 5; i < 30 && !unanswered; i++ {
		cmd, err := decodeUnder(n.Layout(), command.ShipOrder, orders[i], "ship", []byte(`{}`), time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		unanswered = outcome(t, n, cmd).Code == problem.Unavailable
	}
	p.stop(n)
	n = p.start(dir, shard.Hooks{})
	for _, id := range orders[5:30] {
		eventually(t, func() string { return ships(t, n, id, true) })
	}
	if !unanswered {
		t.Error("goods of another shard left although that does not answer")
	}
}

// TestCountsAndReservationsAtTheSameTime: whatever wins, no more is promised than there is, and what is missing waits.
func TestCountsAndReservationsAtTheSameTime(t *testing.T) {
	p := newPlatform(t, 2)
	n := p.start(t.TempDir(), shard.Hooks{})
	rounds := raceRounds()
	stock(t, n, "A", 1)
	var wg sync.WaitGroup
	for i := range rounds {
		wg.Go(func() {
			do(t, n, command.PlaceOrder, "", fmt.Sprintf("order-%d", i), orderBody("on_account", "A"))
		})
		wg.Go(func() {
			do(t, n, command.CountStock, "A", fmt.Sprintf("count-%d", i), fmt.Sprintf(`{"counted":%d}`, i%3))
		})
	}
	wg.Wait()
	s := stockOf(t, n, "A")
	if waits := -min(0, s.Total.Available); s.Total.OnHand < 0 ||
		s.Total.OnHand != s.Total.Available+s.Total.Reserved+s.Total.Committed || waits > s.Total.Reserved+s.Total.Committed {
		t.Fatalf("%+v", s.Total)
	}
}

// TestCountsAndShipmentsAtTheSameTime: of a count that finds nothing and a shipment one comes first. Where it is the
// count, the goods do not leave, and the books have no units that nobody found.
func TestCountsAndShipmentsAtTheSameTime(t *testing.T) {
	p := newPlatform(t, 2)
	n := p.start(t.TempDir(), shard.Hooks{})
	rounds := raceRounds()
	orders := promise(t, n, rounds)
	var wg sync.WaitGroup
	shipped := make([]bool, rounds)
	for i, id := range orders {
		wg.Go(func() { shipped[i] = do(t, n, command.ShipOrder, id, "ship", `{}`).Code == "" })
		if i%4 == 0 {
			wg.Go(func() { do(t, n, command.CountStock, "A", fmt.Sprintf("count-%d", i), `{"counted":0}`) })
		}
	}
	wg.Wait()
	for i, id := range orders {
		if problem := ships(t, n, id, shipped[i]); problem != "" {
			t.Error(problem)
		}
	}
	eventually(t, func() string {
		s := stockOf(t, n, "A")
		if left := s.Total.Committed; s.Total.OnHand != 0 || s.Total.Available != -left {
			return fmt.Sprintf("a count has found nothing: %+v", s.Total)
		}
		return ""
	})
}

func raceRounds() int {
	if os.Getenv("HOLDFAST_TEST_RACES") == "long" {
		return 200
	}
	return 20
}
