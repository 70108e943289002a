package shard_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// documentOf is a past document with lines written as SKU=QUANTITY, at 1 each.
func documentOf(lines ...string) string {
	return `{"reference":"536365","customer_id":"c","currency":"GBP","occurred_at":"2010-12-01T08:26:00Z",` +
		amendTo(lines...)[1:]
}

// replicas starts one replica, or two for several shards.
func (p *platform) replicas(deliver func(seed uint64) func(send func())) []*shard.Node {
	p.t.Helper()
	hooks := func(seed uint64) (h shard.Hooks) {
		if deliver != nil {
			h.Deliver = deliver(seed)
		}
		return h
	}
	nodes := []*shard.Node{p.start(p.t.TempDir(), hooks(1))}
	if p.want.ShardCount > 1 {
		nodes = append(nodes, p.start(p.t.TempDir(), hooks(2)))
	}
	return nodes
}

// levelIs waits until a SKU has so much on hand, all of it available.
func levelIs(t *testing.T, n *shard.Node, sku string, onHand int64) {
	t.Helper()
	stockIs(t, n, sku, inventory.Level{OnHand: onHand, Available: onHand})
}

// imported is what a client is told of a document, without the fields in which two imports of it may differ.
func imported(r shard.Result) shard.Result {
	r.Position = eventlog.Position{}
	if r.Code == "" {
		r.Version = 0
		summary := *r.Order
		summary.Version = 0
		r.Order = &summary
	}
	return r
}

// A past document is answered alike whichever shards its stock is in. One that is refused leaves nothing behind:
// nothing is reserved for it, and its key may be used for another document.
func TestAPastDocumentIsAnsweredAlikeOnAnyNumberOfShards(t *testing.T) {
	var answers [2][]shard.Result
	for i, shards := range []int32{1, 4} {
		p := newPlatform(t, shards)
		nodes := p.replicas(nil)
		for _, sku := range []string{"A", "B", "C", "D", "E", "F"} {
			stock(t, nodes[0], sku, 5)
		}
		ok(t, do(t, nodes[0], command.SetBackorderLimit, "A", "", `{"limit":100}`)) // which past documents do not use
		write := func(typ, key string, lines ...string) shard.Result {
			r := imported(do(t, nodes[len(answers[i])%len(nodes)], typ, "", key, documentOf(lines...)))
			answers[i] = append(answers[i], r)
			return r
		}
		write(command.ImportOrder, "fine", "A=1", "B=2", "C=3", "D=1", "B=1")
		write(command.ImportOrder, "fine", "A=1", "B=2", "C=3", "D=1", "B=1")
		write(command.ImportOrder, "fine", "A=2")
		short := write(command.ImportOrder, "short", "A=5", "B=3", "C=1", "D=5", "E=5", "F=5")
		if short.Code != problem.InsufficientStock || len(short.Short) != 3 || short.Order != nil {
			t.Errorf("shards=%d: %+v", shards, short)
		}
		r := write(command.ImportOrder, "unknown", "A=9", "nobody=1", "E=1", "F=1", "noone=2")
		if r.Code != problem.UnknownSKU || len(r.Short) != 3 {
			t.Errorf("shards=%d: %+v", shards, r)
		}
		r = write(command.ImportCreditNote, "unknown-note", "A=1", "nobody=1", "B=1", "noone=2", "noone=1")
		if r.Code != problem.UnknownSKU || len(r.Short) != 2 || r.Short[1].Requested != 3 {
			t.Errorf("shards=%d: %+v", shards, r)
		}
		for sku, left := range map[string]int64{"A": 4, "B": 2, "C": 2, "D": 4, "E": 5, "F": 5} {
			levelIs(t, nodes[0], sku, left)
		}
		for _, sku := range []string{"A", "B", "D"} { // what was short comes, and so does the document
			ok(t, do(t, nodes[0], command.ReceiveStock, sku, "more-"+sku, `{"location":"main","quantity":1}`))
		}
		write(command.ImportOrder, "short", "A=5", "B=3", "C=1", "D=5", "E=5", "F=5")
		write(command.ImportOrder, "short", "A=5", "B=3", "C=1", "D=5", "E=5", "F=5")
		write(command.ImportOrder, "unknown", "A=9", "nobody=1", "E=1", "F=1", "noone=2")
		write(command.ImportCreditNote, "unknown-note", "A=2", "B=3", "E=1", "F=1") // corrected
		write(command.ImportCreditNote, "unknown-note", "A=2", "B=3", "E=1", "F=1")
		write(command.ImportOrder, "unknown", "A=1", "E=1") // corrected
		for sku, left := range map[string]int64{"A": 1, "B": 3, "C": 1, "D": 0, "E": 0, "F": 1} {
			levelIs(t, nodes[0], sku, left)
		}
		for _, n := range nodes {
			p.stop(n)
		}
		n := p.start(t.TempDir(), shard.Hooks{}) // from the log alone
		body := documentOf("A=5", "B=3", "C=1", "D=5", "E=5", "F=5")
		answers[i] = append(answers[i], imported(do(t, n, command.ImportOrder, "", "short", body)))
		levelIs(t, n, "E", 0)
		p.stop(n)
		p.verify()
	}
	for k := range answers[0] {
		one, four := answers[0][k], answers[1][k]
		if k == 0 || one.Code == "" && !one.Repeated {
			four.Repeated = one.Repeated
		}
		if !reflect.DeepEqual(one, four) {
			t.Errorf("answer %d differs:\n one shard %+v %+v\nfour shards %+v %+v", k, one, one.Order, four, four.Order)
		}
	}
}

// A past document that was refused under one key and imported under another is not what the first key asked for.
func TestARefusedDocumentIsNotAnsweredByAnother(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		p := newPlatformWithGoods(t, shards)
		nodes := p.replicas(nil)
		for _, sku := range []string{"A", "B", "C", "D", "E", "F"} {
			stock(t, nodes[0], sku, 5)
		}
		write := func(key string, lines ...string) shard.Result {
			return do(t, nodes[0], command.ImportOrder, "", key, documentOf(lines...))
		}
		large := []string{"A=9", "B=9", "C=9", "D=9", "E=9", "F=9"}
		if r := write("k-1", large...); r.Code != problem.InsufficientStock {
			t.Errorf("shards=%d: %+v", shards, r)
		}
		done := ok(t, write("k-2", "A=1", "B=1"))
		for _, key := range []string{"k-1", "k-3"} {
			if r := write(key, large...); r.Code != "already_placed" && r.Code != problem.KeyReused {
				t.Errorf("shards=%d: %s, which was refused, is answered %+v", shards, key, r)
			}
		}
		if again := ok(t, write("k-4", "A=1", "B=1")); !again.Repeated || again.Order.ID != done.Order.ID {
			t.Errorf("shards=%d: %+v", shards, again)
		}
		for _, n := range nodes {
			p.stop(n)
		}
		n := p.start(t.TempDir(), shard.Hooks{}) // from the log alone
		if r := do(t, n, command.ImportOrder, "", "k-1", documentOf(large...)); r.Code != "already_placed" &&
			r.Code != problem.KeyReused {
			t.Errorf("shards=%d, read again: %+v", shards, r)
		}
		p.stop(n)
		p.verify()
	}
}

// Whatever happens to the messages: accepted documents have consumed their stock, the others nothing.
func TestPastDocumentsOverLostRepeatedAndReorderedMessages(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, 4)
	nodes := p.replicas(unreliable)
	skus := []string{"A", "B", "C", "D", "E"}
	const each = 60
	for _, sku := range skus {
		stock(t, nodes[0], sku, each)
	}
	var mu sync.Mutex
	taken, refused := map[string]int64{}, 0
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < 96; i += 8 {
				a, b, c := skus[i%5], skus[(i+1)%5], skus[(i+3)%5]
				typ, sign, lines := command.ImportOrder, int64(1), map[string]int64{a: 2, b: 1, c: 4}
				switch i % 8 {
				case 3:
					typ, sign = command.ImportCreditNote, -1
				case 5:
					lines["nobody"] = 1
				}
				var body []string
				for sku, n := range lines {
					body = append(body, fmt.Sprintf("%s=%d", sku, n))
				}
				r := do(t, nodes[i%2], typ, "", fmt.Sprintf("d-%d", i), documentOf(body...))
				mu.Lock()
				switch {
				case r.Code == "" && r.Order.Status == "completed" && i%8 != 5:
					for sku, n := range lines {
						taken[sku] += sign * n
					}
				case r.Code == problem.InsufficientStock && i%8 != 3, r.Code == problem.UnknownSKU && i%8 == 5:
					refused++
				default:
					t.Errorf("%d: %+v", i, r)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if refused < 20 {
		t.Errorf("%d documents were refused: the test asks for too little", refused)
	}
	for _, sku := range skus {
		levelIs(t, nodes[0], sku, each-taken[sku])
	}
	p.verify()
}

// A document whose stock has not answered is neither imported nor refused, and a restart resumes it.
func TestAnImportUnderWaySurvivesARestart(t *testing.T) {
	p, dir := newPlatform(t, 4), t.TempDir()
	n := p.start(dir, shard.Hooks{Deliver: func(func()) {}})
	for _, sku := range []string{"A", "B", "C", "D"} {
		stock(t, n, sku, 3)
	}
	bodies := map[string]string{
		command.ImportOrder:      documentOf("A=3", "B=1", "C=1", "D=1"),
		command.ImportCreditNote: documentOf("A=1", "B=1", "C=1", "nobody=1"),
	}
	for typ, body := range bodies {
		cmd, err := decode(typ, "", typ, []byte(body), time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		fut := accepted(t, n, cmd)
		if r := fut.AcceptedResult(); r.Code != "" || r.Order.Status != "placed" {
			t.Fatalf("%+v", r)
		}
		if r := do(t, n, command.CancelOrder, cmd.ID, "c", `{}`); r.Code != order.CodeIllegalTransition {
			t.Fatalf("%+v", r)
		}
	}
	p.stop(n)
	n = p.start(dir, shard.Hooks{})
	r := ok(t, do(t, n, command.ImportOrder, "", command.ImportOrder, bodies[command.ImportOrder]))
	if r.Order.Status != "completed" {
		t.Fatalf("%+v", r.Order)
	}
	r = do(t, n, command.ImportCreditNote, "", command.ImportCreditNote, bodies[command.ImportCreditNote])
	if r.Code != problem.UnknownSKU {
		t.Fatalf("%+v", r)
	}
	for sku, left := range map[string]int64{"A": 0, "B": 2, "C": 2, "D": 2} {
		levelIs(t, n, sku, left)
	}
	p.stop(n)
	p.verify()
}
