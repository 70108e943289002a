package shard_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard"
)

// told is a command of a rivalry.
type told struct{ typ, body string }

// rivalry is what different people tell of one order at the same moment.
type rivalry struct {
	name   string
	before []told
	rivals []told
	// endings are all that may come of it: for each the codes that the rivals are answered, and the order's state.
	endings []ending
}

type ending struct {
	codes []string
	state books
}

// books are what matters of an order here: where it stands, and its amounts.
type books struct {
	lifecycle                                                   order.Lifecycle
	authorized, captured, voided, refunded, refundDue, goodwill int64
	coverLost                                                   bool
	unmatched                                                   int
}

// Each order of a rivalry costs raceTotal.
const raceTotal = 5_100_000

var (
	raceAuthorized = told{command.AuthorizePayment, `{"amount":"5.10","reference":"pi","provider_event_id":"evt_1"}`}
	raceCaptured   = told{command.CapturePayment, `{"amount":"5.10","reference":"pi","provider_event_id":"evt_2"}`}
	racePart       = told{command.CapturePayment, `{"amount":"2.00","reference":"pi","provider_event_id":"evt_3"}`}
	raceRest       = told{command.CapturePayment, `{"amount":"3.10","reference":"pi","provider_event_id":"evt_4"}`}
	raceVoided     = told{command.VoidPayment, `{"amount":"5.10","reference":"pi","provider_event_id":"evt_5"}`}
	raceRefunded   = told{command.RefundPayment, `{"amount":"5.10","reference":"re","provider_event_id":"evt_6"}`}
	raceShipped    = told{command.ShipOrder, `{}`}
	raceCancelled  = told{command.CancelOrder, `{}`}
)

var rivalries = []rivalry{
	{"void and ship", []told{raceAuthorized}, []told{raceVoided, raceShipped}, []ending{
		{[]string{"", ""}, books{lifecycle: order.Completed, authorized: raceTotal, voided: raceTotal}},
		{[]string{"", order.CodePaymentRequired}, books{
			lifecycle: order.Confirmed, authorized: raceTotal, voided: raceTotal, coverLost: true}},
	}},
	{"refund and ship", []told{raceAuthorized, raceCaptured}, []told{raceRefunded, raceShipped}, []ending{
		{[]string{"", ""}, books{lifecycle: order.Completed, authorized: raceTotal, captured: raceTotal,
			refunded: raceTotal, goodwill: raceTotal}},
		{[]string{"", order.CodePaymentRequired}, books{lifecycle: order.Confirmed, authorized: raceTotal,
			captured: raceTotal, refunded: raceTotal, coverLost: true}},
	}},
	{"capture and cancel", []told{raceAuthorized}, []told{raceCaptured, raceCancelled}, []ending{
		{[]string{"", ""}, books{lifecycle: order.Cancelled, authorized: raceTotal, captured: raceTotal,
			refundDue: raceTotal}},
	}},
	{"every webhook twice", nil,
		[]told{raceAuthorized, racePart, raceRest, raceAuthorized, racePart, raceRest}, []ending{
			{make([]string, 6), books{
				lifecycle: order.Confirmed, authorized: raceTotal, captured: raceTotal}},
		}},
}

// Void and ship, refund and ship, capture and cancel, and webhooks that come twice, through two replicas over two
// shards, one after the other in both orders and at the same moment. Whoever is first: nothing ships that is not
// covered, money is counted once, and the log is sound.
func TestMoneyRaces(t *testing.T) {
	const orders = 200 // of each
	p := newPlatformWithGoods(t, 2)
	nodes := []*shard.Node{p.start(t.TempDir(), shard.Hooks{}), p.start(t.TempDir(), shard.Hooks{})}
	skus := skuOfTwoShards(nodes[0])
	for _, sku := range skus {
		stock(t, nodes[0], sku, 2*orders*len(rivalries))
	}
	answers := make([][][]string, len(rivalries)) // by rivalry and order
	ids := make([][]string, len(rivalries))
	var all sync.WaitGroup
	for i, r := range rivalries {
		answers[i], ids[i] = make([][]string, orders), make([]string, orders)
		for w := range 4 {
			all.Go(func() {
				for k := w; k < orders; k += 4 {
					ids[i][k], answers[i][k] = compete(t, nodes, r, skus, k)
				}
			})
		}
	}
	all.Wait()
	if t.Failed() {
		return
	}
	states := p.foldOrders()
	for i, r := range rivalries {
		seen := make([]int, len(r.endings))
		for k, id := range ids[i] {
			at := slices.IndexFunc(r.endings, func(e ending) bool { return slices.Equal(e.codes, answers[i][k]) })
			if at < 0 {
				t.Errorf("%s: order %d was answered %q", r.name, k, answers[i][k])
				continue
			}
			seen[at]++
			if got, want := booksOf(states[id]), r.endings[at].state; got != want {
				t.Errorf("%s: order %d, answered %q\n got %+v\nwant %+v", r.name, k, answers[i][k], got, want)
			}
		}
		t.Logf("%s: ended %v times", r.name, seen)
		if slices.Contains(seen, 0) {
			t.Errorf("%s: it ended %v times: that was no race", r.name, seen)
		}
	}
	p.verify()
}

// compete places an order, and tells of it what the rivals say. The first orders hear them one after the other, in
// both orders, and the others at the same moment. It returns what they were answered.
func compete(t *testing.T, nodes []*shard.Node, r rivalry, skus []string, k int) (orderID string, codes []string) {
	key := fmt.Sprintf("%s %d", r.name, k)
	id := ok(t, do(t, nodes[k%2], command.PlaceOrder, "", key, orderBody("prepaid", skus[k%2], skus[1-k%2]))).Order.ID
	for i, b := range r.before {
		ok(t, do(t, nodes[(k+i)%2], b.typ, id, fmt.Sprint("before ", i), b.body))
	}
	codes = make([]string, len(r.rivals))
	tell := func(i int) {
		codes[i] = do(t, nodes[(k+i)%2], r.rivals[i].typ, id, fmt.Sprint("rival ", i), r.rivals[i].body).Code
	}
	var rivals sync.WaitGroup
	for n := range r.rivals {
		i := n
		if k%2 == 1 {
			i = len(r.rivals) - 1 - n
		}
		if k < 4 {
			tell(i)
			continue
		}
		rivals.Go(func() { tell(i) })
	}
	rivals.Wait()
	return id, codes
}

// skuOfTwoShards names a SKU of each of two shards.
func skuOfTwoShards(n *shard.Node) []string {
	skus := make([]string, 2)
	for i := 0; skus[0] == "" || skus[1] == ""; i++ {
		sku := fmt.Sprintf("sku-%d", i)
		skus[n.ShardOf(sku)] = sku
	}
	return skus
}

func booksOf(o order.Order) books {
	return books{
		o.Lifecycle, o.AuthorizedMicros, o.CapturedMicros, o.VoidedMicros, o.RefundedMicros, o.RefundDueMicros,
		o.GoodwillMicros, o.CoverLost, len(o.Unmatched),
	}
}

// foldOrders folds all orders of the log. What ships is covered, and money adds up after each event.
func (p *platform) foldOrders() map[string]order.Order {
	p.t.Helper()
	states := map[string]order.Order{}
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		id, _, ev, err := codec.DecodeOrder(rec.Value)
		if err != nil {
			return err
		}
		o := states[id]
		if _, ships := ev.(order.LinesShipped); ships {
			paid := o.CapturedMicros - o.RefundedMicros - o.RefundDueMicros
			open := o.AuthorizedMicros - o.VoidedMicros - o.CapturedMicros
			if paid+open < o.TotalMicros-o.GoodwillMicros {
				p.t.Errorf("%s ships with %d paid and %d authorized of %d", id, paid, open, o.TotalMicros)
			}
		}
		o = order.Evolve(o, ev, order.Facts{})
		kept := o.TotalMicros
		if o.Lifecycle == order.Cancelled {
			kept = 0
		}
		if due := max(0, o.CapturedMicros-o.RefundedMicros+o.GoodwillMicros-kept); o.RefundDueMicros != due {
			p.t.Errorf("%s after %T: %d are due, should be %d", id, ev, o.RefundDueMicros, due)
		}
		states[id] = o
		return nil
	})
	return states
}
