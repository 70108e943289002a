package shard_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

const waitLimit = 60 * time.Second

// standbyEvery is short, so that a standby is running whenever a shard moves.
const standbyEvery = 20 * time.Millisecond

// platform is a log with some replicas of the write side on it.
type platform struct {
	t    testing.TB
	log  eventlog.Config
	want eventlog.Layout
	// standby is how often standbys follow the log.
	standby time.Duration
}

// newPlatform uses the broker named in HOLDFAST_TEST_KAFKA, or an embedded one.
func newPlatform(t testing.TB, shards int32) *platform {
	t.Helper()
	cfg := logtest.Config(t)
	cfg.Logger = testLogger()
	return &platform{t: t, log: cfg, want: eventlog.Layout{PartitionCount: 12, ShardCount: shards}, standby: standbyEvery}
}

func testLogger() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// start starts a replica in dir and stops it with the test.
func (p *platform) start(dir string, hooks shard.Hooks) *shard.Node {
	p.t.Helper()
	return p.startAs(shard.Config{DataDir: dir, Hooks: hooks})
}

// startAs starts a replica with the settings that matter to the test.
func (p *platform) startAs(cfg shard.Config) *shard.Node {
	p.t.Helper()
	cfg.StandbyEvery = p.standby
	cfg.Log, cfg.Want, cfg.PeerListen, cfg.Decode, cfg.Logger = p.log, p.want, "127.0.0.1:0", rebuild, testLogger()
	n, err := shard.StartNode(context.Background(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.stop(n) })
	return n
}

func (p *platform) stop(n *shard.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = n.Close(ctx) // a second close, after the test's own, has nothing to say
}

// newPlatformWithGoods is newPlatform, as platforms begin now: new orders are placed with their goods.
func newPlatformWithGoods(t testing.TB, shards int32) *platform {
	t.Helper()
	p := newPlatform(t, shards)
	p.want.WithGoodsSince = 1
	return p
}

func rebuild(typ, id, key string, body []byte, at int64) (*shard.Command, error) {
	return command.Rebuild(typ, id, key, body, at, command.Options{})
}

// decode makes a command of a platform that places orders by their keys: more of those have stock in other shards.
func decode(typ, id, key string, body []byte, at int64) (*shard.Command, error) {
	return decodeUnder(eventlog.Layout{}, typ, id, key, body, at)
}

// decodeUnder makes a command as a replica does under a layout.
func decodeUnder(
	layout eventlog.Layout, typ, id, key string, body []byte, at int64,
) (*shard.Command, error) {
	request := command.Request{Type: typ, ID: id, Body: body, ReceivedAtMicros: at}
	if key != "" {
		request.Key = &key
	}
	return command.Parse(request, command.Options{PartitionsBySKU: func() int32 {
		if !layout.OrdersWithGoods() {
			return 0
		}
		return layout.PartitionCount
	}})
}

// do submits a command, and retries it with the same key where clients do.
func do(t testing.TB, n *shard.Node, typ, id, key, body string) shard.Result {
	t.Helper()
	return doAt(t, n, time.Now(), typ, id, key, body)
}

// doAt is do with another time of receipt.
func doAt(t testing.TB, n *shard.Node, at time.Time, typ, id, key, body string) shard.Result {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for {
		cmd, err := decodeUnder(n.Layout(), typ, id, key, []byte(body), at.UnixMicro())
		if err != nil {
			t.Fatalf("%s %s: %v", typ, body, err)
		}
		fut := n.Submit(cmd)
		select {
		case <-fut.Done():
		case <-time.After(waitLimit):
			t.Fatalf("%s %s %s: no answer", typ, id, key)
		}
		r := fut.Result()
		if r.Code != problem.Unavailable && r.Code != problem.TooManyRequests {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s %s %s: still %s: %s", typ, id, key, r.Code, r.Detail)
		}
		time.Sleep(10 * time.Millisecond) // a client's backoff, not a wait for the code under test
	}
}

// accepted submits a command, whose outcome is to come, until it is durable: right after a start its shard has no
// owner.
func accepted(t testing.TB, n *shard.Node, cmd *shard.Command) (fut *shard.Future) {
	t.Helper()
	eventually(t, func() string {
		fut = n.Submit(cmd)
		select {
		case <-fut.Accepted():
			return ""
		case <-fut.Done():
			return fmt.Sprintf("%s ended at once: %+v", cmd.Type, fut.Result())
		}
	})
	return fut
}

func ok(t testing.TB, r shard.Result) shard.Result {
	t.Helper()
	if r.Code != "" {
		t.Fatalf("refused: %s %s %s", r.Code, r.Detail, r.Pointer)
	}
	return r
}

func stock(t testing.TB, n *shard.Node, sku string, quantity int) {
	t.Helper()
	ok(t, do(t, n, command.RegisterItem, sku, "reg-"+sku, `{"description":"`+sku+`"}`))
	ok(t, do(t, n, command.ReceiveStock, sku, "rcv-"+sku, fmt.Sprintf(`{"location":"main","quantity":%d}`, quantity)))
}

func orderBody(terms string, skus ...string) string {
	lines := ""
	for i, sku := range skus {
		if i > 0 {
			lines += ","
		}
		lines += `{"sku":"` + sku + `","quantity":1,"unit_price":"2.55"}`
	}
	return `{"customer_id":"c-1","currency":"GBP","payment_terms":"` + terms + `","lines":[` + lines + `]}`
}

func TestAnOrderLivesItsWholeLife(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			p := newPlatformWithGoods(t, shards)
			n := p.start(t.TempDir(), shard.Hooks{})
			for _, sku := range []string{"A", "B", "C"} {
				stock(t, n, sku, 10)
			}
			r := ok(t, do(t, n, command.PlaceOrder, "", "k1", orderBody("prepaid", "A", "B", "C")))
			if r.Order.Status != "reserved" {
				t.Fatalf("placed: %+v", r.Order)
			}
			id := r.Order.ID
			again := ok(t, do(t, n, command.PlaceOrder, "", "k1", orderBody("prepaid", "A", "B", "C")))
			if again.Order.ID != id || again.Version != r.Version {
				t.Fatalf("the repeat is another order: %+v", again.Order)
			}
			if r := do(t, n, command.PlaceOrder, "", "k1", orderBody("prepaid", "A")); r.Code != problem.KeyReused {
				t.Fatalf("key reused: %+v", r)
			}
			r = ok(t, do(t, n, command.AuthorizePayment, id, "p1", `{"amount":"7.65"}`))
			if r.Order.Status != "confirmed" {
				t.Fatalf("authorized: %+v", r.Order)
			}
			r = ok(t, do(t, n, command.ShipOrder, id, "s1", `{}`))
			if r.Order.Status != "completed" || r.Order.FulfilmentID == "" {
				t.Fatalf("shipped: %+v", r.Order)
			}
			short := do(t, n, command.PlaceOrder, "", "k2", `{"customer_id":"c","currency":"GBP","lines":[`+
				`{"sku":"A","quantity":1,"unit_price":"1"},{"sku":"B","quantity":10,"unit_price":"1"}]}`)
			if short.Code != problem.InsufficientStock || len(short.Short) != 1 || short.Short[0].SKU != "B" {
				t.Fatalf("short: %+v", short)
			}
			unknown := do(t, n, command.PlaceOrder, "", "k3", orderBody("prepaid", "A", "nobody"))
			if unknown.Code != problem.UnknownSKU {
				t.Fatalf("unknown: %+v", unknown)
			}
			unregistered := do(t, n, command.ReceiveStock, "nobody", "k4", `{"location":"main","quantity":1}`)
			if r := unregistered; r.Code != problem.UnknownSKU {
				t.Fatalf("unknown SKU: %+v", r)
			}
		})
	}
}

func TestNeverOversoldFromTwoReplicas(t *testing.T) {
	p := newPlatformWithGoods(t, 4)
	nodes := []*shard.Node{p.start(t.TempDir(), shard.Hooks{}), p.start(t.TempDir(), shard.Hooks{})}
	const orders, inStock = 2_000, 1_000
	stock(t, nodes[0], "hot", inStock)
	var mu sync.Mutex
	outcomes := map[string]int{}
	var wg sync.WaitGroup
	next := make(chan int)
	for w := range 64 {
		wg.Go(func() {
			for i := range next {
				r := do(t, nodes[w%2], command.PlaceOrder, "", fmt.Sprintf("o-%d", i), orderBody("on_account", "hot"))
				mu.Lock()
				outcomes[r.Code]++
				if r.Code == "" {
					outcomes[r.Order.Status]++
				}
				mu.Unlock()
			}
		})
	}
	for i := range orders {
		next <- i
	}
	close(next)
	wg.Wait()
	if outcomes[""] != inStock || outcomes[problem.InsufficientStock] != orders-inStock {
		t.Fatalf("outcomes: %v", outcomes)
	}
}
