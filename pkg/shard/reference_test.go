package shard_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// referred is a past document of one unit that has a reference.
func referred(reference, sku string) string {
	return strings.Replace(documentOf(sku+"=1"), "536365", reference, 1)
}

// One document that comes under several keys, at the same time and by way of several replicas, is one. Another one of
// its reference is refused, and one of the other kind is another document.
func TestADocumentUnderTwoKeysIsOne(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			p := newPlatformWithGoods(t, shards)
			nodes := p.replicas(nil)
			skus := inAllShards(t, nodes[0], 100)
			for i := range 20 {
				sku, reference := skus[i%len(skus)], fmt.Sprint("R-", i)
				body := referred(reference, sku)
				var answers [3]shard.Result
				var wait sync.WaitGroup
				for k := range answers {
					wait.Go(func() {
						answers[k] = do(t, nodes[k%len(nodes)], command.ImportOrder, "", fmt.Sprint(reference, "-", k), body)
					})
				}
				wait.Wait()
				for _, r := range answers {
					if ok(t, r); r.Order.ID != orderid.ByReference(orderid.DefaultTenant, orderid.ImportedOrder, reference) {
						t.Errorf("%s is %s", reference, r.Order.ID)
					}
				}
				other := strings.Replace(body, `"c"`, `"d"`, 1)
				if r := do(t, nodes[0], command.ImportOrder, "", reference+"-other", other); r.Code != order.CodeAlreadyPlaced {
					t.Errorf("another document of the reference %s: %+v", reference, r)
				}
				if note := ok(t, do(t, nodes[0], command.ImportCreditNote, "", reference+"-note", body)); note.Repeated {
					t.Errorf("a credit note is the order of the reference %s", reference)
				}
			}
			for _, sku := range skus {
				levelIs(t, nodes[0], sku, 100) // what the orders took the credit notes gave back
			}
			for _, n := range nodes {
				p.stop(n)
			}
			p.verify()
		})
	}
}

// A document that an earlier release imported has the ID of its key. It is found by that, in whichever shard it is, and
// the key with another document is refused. One that was refused then comes again under its key.
func TestADocumentFromBeforeIsFoundByItsKey(t *testing.T) {
	for name, standby := range map[string]time.Duration{"standbys": standbyEvery, "no standbys": 0} {
		t.Run(name, func(t *testing.T) {
			p := newPlatformWithGoods(t, 4)
			p.standby = standby
			first := p.start(t.TempDir(), shard.Hooks{})
			skus := inAllShards(t, first, 100)
			key := func(i int) (key, body string) {
				key = fmt.Sprint("before-", i)
				return key, referred(key, skus[i%len(skus)])
			}
			var before [12]string
			for i := range before {
				key, body := key(i)
				cmd, err := decode(command.ImportOrder, "", key, []byte(body), time.Now().UnixMicro())
				if err != nil {
					t.Fatal(err)
				}
				before[i] = ok(t, submitted(t, first, cmd)).Order.ID
			}
			large := documentOf(skus[0]+"=150", skus[1]+"=150", skus[2]+"=150", skus[3]+"=150")
			cmd, err := decode(command.ImportOrder, "", "large", []byte(large), time.Now().UnixMicro())
			if err != nil {
				t.Fatal(err)
			}
			if r := submitted(t, first, cmd); r.Code != problem.InsufficientStock {
				t.Fatalf("150 of 100: %+v", r)
			}
			for _, sku := range skus {
				ok(t, do(t, first, command.ReceiveStock, sku, "more-"+sku, `{"location":"main","quantity":100}`))
			}
			p.stop(first)
			nodes := []*shard.Node{p.start(t.TempDir(), shard.Hooks{}), p.start(t.TempDir(), shard.Hooks{})}
			for i := range before {
				key, body := key(i)
				for _, n := range nodes {
					again := ok(t, do(t, n, command.ImportOrder, "", key, body))
					if again.Order.ID != before[i] || !again.Repeated {
						t.Errorf("%s is imported as %s again: %+v", before[i], again.Order.ID, again)
					}
					other := referred(key+"-other", skus[0])
					if r := do(t, n, command.ImportOrder, "", key, other); r.Code != problem.KeyReused {
						t.Errorf("the key of %s imports another document: %+v", before[i], r)
					}
				}
			}
			for _, repeated := range []bool{false, true} {
				if r := ok(t, do(t, nodes[0], command.ImportOrder, "", "large", large)); r.Repeated != repeated {
					t.Errorf("the document that was refused: %+v", r)
				}
			}
			for _, n := range nodes {
				p.stop(n)
			}
			p.verify()
		})
	}
}

// submitted submits a command until it has an outcome.
func submitted(t *testing.T, n *shard.Node, cmd *shard.Command) (r shard.Result) {
	t.Helper()
	eventually(t, func() string {
		fut := n.Submit(cmd)
		<-fut.Done()
		if r = fut.Result(); r.Code == problem.Unavailable || r.Code == problem.TooManyRequests {
			return r.Detail
		}
		return ""
	})
	return r
}
