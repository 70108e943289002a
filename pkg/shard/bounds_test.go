package shard

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// beforeServing is a runner with a checkpoint in dir, and no log.
func beforeServing(t *testing.T, dir string) *runner {
	t.Helper()
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{process: process{metrics: m}, layout: eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1}}
	n.cfg.Clock = time.Now
	n.clocks, n.restoring, n.compared = n.newClocks(), make([]atomic.Int64, 1), make([]atomic.Int64, 1)
	r := newRunner(n, n.newState(0), nil)
	own := func(string) bool { return false }
	if r.state.store, err = checkpoint.Open(dir, checkpoint.Config{Foreign: own}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.state.close(); err != nil && !damaged(err) {
			t.Error(err)
		}
	})
	return r
}

// TestResumingHistoryIsBounded: orders that are read, changed, or asked for elsewhere leave memory as others come, also
// where no event is written.
func TestResumingHistoryIsBounded(t *testing.T) {
	r := beforeServing(t, t.TempDir())
	store, sent := r.state.store, 0
	for i := range 3 * maxUnsaved {
		e, err := store.Order(fmt.Sprint("o-", i))
		if err != nil {
			t.Fatal(err)
		}
		if i < 2*maxUnsaved {
			e.Order.Version = 1
			store.OrderChanged(e)
		}
		if i%10 == 0 {
			b := r.decider.batch
			b.onCommit = append(b.onCommit, func(*batch) { sent++ })
		}
		if err := r.commitFull(); err != nil {
			t.Fatal(err)
		}
		waiting := len(r.decider.batch.onCommit)
		if store.Unsaved() > maxUnsaved || waiting > maxUnsent || store.Cached() > 3*checkpoint.MaxCached {
			t.Fatalf("after %d orders: %d have changed, %d messages wait, %d orders are in memory",
				i, store.Unsaved(), waiting, store.Cached())
		}
	}
	if sent < 3*maxUnsaved/10-maxUnsent {
		t.Errorf("%d messages were sent", sent)
	}
}

// TestTheEndOfALongTailIsLookedAt: a torn transaction is the last one, however long the tail is, whatever the clocks
// say, and however much of it has been repaired.
func TestTheEndOfALongTailIsLookedAt(t *testing.T) {
	var end logEnd
	read := func(id string, at time.Duration, cause eventv1.Cause) {
		end.read(&eventlog.Record{TimestampMicros: at.Microseconds()}, &codec.Meta{Cause: cause})
		end.touch(id)
	}
	const command, repaired = eventv1.Cause_CAUSE_COMMAND, eventv1.Cause_CAUSE_RECONCILIATION
	for i := range 10_000 {
		read(fmt.Sprint("o-", i), time.Hour+time.Duration(i)*time.Millisecond, command)
	}
	read("clock-went-back", time.Minute, command)
	read("mended", 2*time.Hour, repaired)
	_, before := end.orders()["o-8998"]
	for _, id := range []string{"o-8999", "o-9999", "clock-went-back", "mended"} {
		if _, ok := end.orders()[id]; !ok {
			t.Errorf("%s is not looked at", id)
		}
	}
	if n := len(end.orders()); n != 1003 || before {
		t.Errorf("%d orders are looked at, one before the end: %t", n, before)
	}
}

// TestSagasAreBounded: beyond so many, new orders are refused, and commands on existing ones are not. Unanswered steps
// are resent a batch at a time, first those that wait the longest.
func TestSagasAreBounded(t *testing.T) {
	d := beforeServing(t, t.TempDir()).decider
	d.batch.now = int64(MaxOpenSagas)
	for i := range MaxOpenSagas {
		s := &saga{orderID: fmt.Sprint("o-", i)}
		d.sagas.byOrder[s.orderID] = s
		d.sagas.resends.set(s.orderID, int64(i)+1)
	}
	place := &Command{ID: "new", Key: "k", Order: order.Place{}}
	if err := d.decideOrder(place, nil); err != nil {
		t.Fatal(err)
	}
	a := d.batch.answers
	if len(a) != 1 || a[0].result.Code != problem.TooManyRequests || a[0].result.RetryAfterSeconds == 0 {
		t.Errorf("%+v", a)
	}
	d.sagas.close("o-0")
	if err := d.decideOrder(place, nil); err != nil {
		t.Fatal(err)
	}
	if a := d.batch.answers; len(a) != 2 || a[1].result.Code == problem.TooManyRequests {
		t.Errorf("%+v", a)
	}
	d.resendSteps()
	last := d.sagas.byOrder[fmt.Sprint("o-", maxUnsent)]
	if len(d.batch.onCommit) != maxUnsent || d.sagas.byOrder["o-1"].attempts != 1 || last.attempts != 1 {
		t.Errorf("%d steps were resent", len(d.batch.onCommit))
	}
	if next := d.sagas.resends.queue[0].key; next != fmt.Sprint("o-", maxUnsent+1) {
		t.Errorf("%s is next", next)
	}
}

// TestASweepAsksInBoundedBatches: orders may have thousands of reservations each, and all are asked about in the end.
func TestASweepAsksInBoundedBatches(t *testing.T) {
	d := beforeServing(t, t.TempDir()).decider
	const orders, each = 20, 500
	for i := range orders {
		reservations, err := d.store.Reservations(fmt.Sprint("o-", i))
		if err != nil {
			t.Fatal(err)
		}
		for k := range each {
			reservations.Of(fmt.Sprint("sku-", k)).Locations = []inventory.ReservationAt{{Location: "main", Reserved: 1}}
		}
		d.sweep.orders = append(d.sweep.orders, reservations.OrderID)
	}
	asked := 0
	for len(d.sweep.orders) > 0 {
		d.sweepSome()
		n := len(d.batch.onCommit)
		if n == 0 || n > sweepAtOnceReservations+each {
			t.Fatalf("%d reservations are asked about in one batch", n)
		}
		asked += n
		d.batch.reset()
	}
	if asked != orders*each {
		t.Errorf("%d reservations were asked about, not %d", asked, orders*each)
	}
}

// TestANewOwnerIsSentWhatWaitsForIt: steps that a shard has not answered are sent again when it has a new owner, and
// others not.
func TestANewOwnerIsSentWhatWaitsForIt(t *testing.T) {
	d := beforeServing(t, t.TempDir()).decider
	d.batch.now = 1_000
	for id, target := range map[string]int32{"lost": 1, "not sent yet": 1, "of another shard": 2} {
		d.sagas.byOrder[id] = &saga{orderID: id, waiting: map[int32]*peerv1.ReservationRequest{target: {}}}
		d.sagas.resends.set(id, 5_000)
	}
	d.sagas.resends.set("not sent yet", 0)
	if err := (&ownerInput{shard: 1}).decide(d); err != nil {
		t.Fatal(err)
	}
	if id, due := d.sagas.resends.first(d.batch.now); !due || id != "lost" {
		t.Errorf("%q is sent again: %t", id, due)
	}
	d.sagas.resends.set("lost", 0)
	if id, due := d.sagas.resends.first(d.batch.now); due {
		t.Errorf("%q is sent again too", id)
	}
}

// TestABadDeadlineIsNotPassedOver: an order that never expired would keep its stock for ever.
func TestABadDeadlineIsNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	db, err := localstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	deadlineKey := []byte("do-1")
	if err := errors.Join(db.Set(deadlineKey, []byte("soon"), pebble.NoSync), db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	err = beforeServing(t, dir).reconcile()
	if err == nil || !strings.Contains(err.Error(), "are damaged: a deadline of 4 bytes, not 8") {
		t.Fatal(err)
	}
}

// TestATakeOverSaysHowFarItIs: a long log leaves many orders to compare, and who waits sees that it goes on.
func TestATakeOverSaysHowFarItIs(t *testing.T) {
	dir := t.TempDir()
	db, err := localstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, touched := range []string{"to-1", "to-2"} {
		err = errors.Join(err, db.Set([]byte(touched), nil, pebble.NoSync))
	}
	if err := errors.Join(err, db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	r := beforeServing(t, dir)
	n := r.decider.node
	n.restoring[0].Store(7)
	if said := n.takingOver(0); said != "is being restored: 7 records of the log to go" {
		t.Error(said)
	}
	n.restoring[0].Store(0)
	if said := n.takingOver(0); said != "is being taken over" {
		t.Error(said)
	}
	if err := r.reconcile(); err != nil {
		t.Fatal(err)
	}
	if said := n.takingOver(0); said != "is being taken over: 2 orders have been compared with their stock" {
		t.Error(said)
	}
}
