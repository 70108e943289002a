package shard_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// stockOf asks for a SKU's levels by a command that changes nothing: a repeat of its registration.
func stockOf(t testing.TB, n *shard.Node, sku string) *shard.StockSummary {
	t.Helper()
	return ok(t, do(t, n, command.RegisterItem, sku, "reg-"+sku, `{"description":"`+sku+`"}`)).Stock
}

// stockPosition is the position in the answer of a command that changes nothing.
func stockPosition(t testing.TB, n *shard.Node, sku string) string {
	t.Helper()
	return ok(t, do(t, n, command.RegisterItem, sku, "reg-"+sku, `{"description":"`+sku+`"}`)).Position.String()
}

func TestRestoresFromTheLogAlone(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		for _, keep := range []bool{true, false} {
			t.Run(fmt.Sprintf("shards=%d,checkpoint=%v", shards, keep), func(t *testing.T) {
				p := newPlatform(t, shards)
				p.standby = 0 // it would restore first
				dir := t.TempDir()
				n := p.start(dir, shard.Hooks{})
				skus := []string{"A", "B", "C", "D"}
				for _, sku := range skus {
					stock(t, n, sku, 100)
				}
				place(t, n, 50, skus, "prepaid")
				before, positions := map[string]shard.StockSummary{}, map[string]string{}
				for _, sku := range skus {
					before[sku] = *stockOf(t, n, sku)
					positions[sku] = stockPosition(t, n, sku)
				}
				p.stop(n)
				if !keep {
					if err := os.RemoveAll(filepath.Join(dir)); err != nil {
						t.Fatal(err)
					}
				}
				n = p.start(dir, shard.Hooks{})
				for _, sku := range skus {
					after := stockOf(t, n, sku)
					if after.Version != before[sku].Version || after.Total != before[sku].Total {
						t.Errorf("%s came back as %+v, was %+v", sku, after, before[sku])
					}
					// Not behind the control markers at the log's end: no view that counts events alone reaches those.
					if p := stockPosition(t, n, sku); p != positions[sku] {
						t.Errorf("%s rests on %s, was %s", sku, p, positions[sku])
					}
				}
				// The keys are restored too: repeats add nothing.
				place(t, n, 50, skus, "prepaid")
				for _, sku := range skus {
					if after := stockOf(t, n, sku); after.Version != before[sku].Version {
						t.Errorf("repeats changed %s: %+v, was %+v", sku, after, before[sku])
					}
				}
			})
		}
	}
}

// The log still names the former owner, at an address where nobody is any more.
func TestReadySaysHowFarARestoreIs(t *testing.T) {
	p := newPlatform(t, 1)
	p.standby = 0 // it would restore first
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A", 100)
	place(t, n, 10, []string{"A"}, "prepaid")
	p.stop(n)
	released := make(chan struct{})
	n = p.start(t.TempDir(), shard.Hooks{Acquire: func(_ int32, phase string) {
		if phase == "read" {
			<-released
		}
	}})
	says := regexp.MustCompile(`^shard 0 is being restored: [1-9]\d* records of the log to go$`)
	eventually(t, func() string {
		if err := n.Ready(); err == nil {
			t.Fatal("a replica that restores its shard is ready")
		} else if !says.MatchString(err.Error()) {
			return fmt.Sprintf("a replica that restores a shard says %v", err)
		}
		return ""
	})
	close(released)
	eventually(t, func() string { return text(n.Ready()) })
}

// place places orders of two lines, from eight callers.
func place(t testing.TB, n *shard.Node, orders int, skus []string, terms string) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < orders; i += 8 {
				body := orderBody(terms, skus[i%len(skus)], skus[(i+1)%len(skus)])
				r := do(t, n, command.PlaceOrder, "", fmt.Sprintf("o-%d", i), body)
				if r.Code != "" && r.Code != problem.InsufficientStock {
					t.Errorf("order %d: %s %s", i, r.Code, r.Detail)
				}
			}
		})
	}
	wg.Wait()
}

// unreliable loses, repeats, delays and reorders messages between shards, 20 % each.
func unreliable(seed uint64) func(send func()) {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 1))
	var behind func() // waits for the next message to go first
	return func(send func()) {
		mu.Lock()
		x, d := rng.IntN(100), time.Duration(rng.IntN(30))*time.Millisecond
		overtaken := behind
		behind = nil
		if x >= 60 && x < 80 && overtaken == nil {
			behind = send
			mu.Unlock()
			return
		}
		mu.Unlock()
		switch {
		case x < 20:
		case x < 40:
			send()
			send()
		case x < 60:
			time.AfterFunc(d, send)
		default:
			send()
		}
		if overtaken != nil {
			overtaken()
		}
	}
}

func TestLostRepeatedAndReorderedMessagesChangeNothingButTime(t *testing.T) {
	t.Parallel()
	t.Run("orders by their keys", func(t *testing.T) { loseRepeatAndReorder(t, newPlatform(t, 4)) })
	t.Run("orders with their goods", func(t *testing.T) { loseRepeatAndReorder(t, newPlatformWithGoods(t, 4)) })
}

func loseRepeatAndReorder(t *testing.T, p *platform) {
	t.Helper()
	nodes := []*shard.Node{
		p.start(t.TempDir(), shard.Hooks{Deliver: unreliable(1)}),
		p.start(t.TempDir(), shard.Hooks{Deliver: unreliable(2)}),
	}
	skus := []string{"A", "B", "C", "D", "E", "F"}
	for _, sku := range skus {
		stock(t, nodes[0], sku, 60)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	reserved := map[string]int64{}
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < 240; i += 16 {
				a, b := skus[i%len(skus)], skus[(i+1)%len(skus)]
				n := nodes[i%2]
				r := do(t, n, command.PlaceOrder, "", fmt.Sprintf("o-%d", i), orderBody("prepaid", a, b))
				switch {
				case r.Code == problem.InsufficientStock:
				case r.Code != "":
					t.Errorf("order %d: %s %s", i, r.Code, r.Detail)
				case i%3 == 0:
					ok(t, do(t, n, command.CancelOrder, r.Order.ID, fmt.Sprintf("c-%d", i), `{"reason":"changed my mind"}`))
				default:
					mu.Lock()
					reserved[a]++
					reserved[b]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for _, sku := range skus {
		eventually(t, func() string {
			s := stockOf(t, nodes[0], sku)
			if s.Total.Reserved != reserved[sku] || s.Total.Available+s.Total.Reserved != 60 {
				return fmt.Sprintf("%s settles at %+v, want %d reserved of 60", sku, s.Total, reserved[sku])
			}
			return ""
		})
	}
	p.verify()
}

// eventually waits for a condition that other goroutines bring about; it says what is missing.
func eventually(t testing.TB, missing func() string) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for {
		m := missing()
		if m == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(m)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// Checkpoints that nothing reads again are deleted; those that another acquisition may read stay.
func TestFormerCheckpointsAreDeleted(t *testing.T) {
	p := newPlatform(t, 1)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	stock(t, n, "A", 1)
	p.stop(n)
	former := []string{"g0-s0-f3", "g0-s7-f3", "g1-s0-f1"}
	others := []string{"g1-s1-f1", "g2-s0-f1", "g1-s0-f999", "g1-s0-f1.old", "other"}
	for _, name := range append(former, others...) {
		if err := os.MkdirAll(filepath.Join(dir, name, "deep"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "g1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n = p.start(dir, shard.Hooks{})
	if s := stockOf(t, n, "A"); s.Total.Available != 1 {
		t.Errorf("%+v", s)
	}
	for _, name := range former {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	for _, name := range append(others, "g1") {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
