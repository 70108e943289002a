package shard

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// beforeServing is a runner with a checkpoint of its own, and no log.
func beforeServing(t *testing.T) *runner {
	t.Helper()
	own := func(string) bool { return false }
	st, err := openStore(t.TempDir(), nil, own, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.close(); err != nil {
			t.Error(err)
		}
	})
	return &runner{
		st: st, b: newBatch(), spare: newBatch(), gather: newGathering(), timers: newSchedule[string](),
		layout: eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1},
	}
}

// TestTakingUpHistoryIsBounded: orders that are read, changed, or asked for elsewhere leave memory as others come, also
// where no event is written.
func TestTakingUpHistoryIsBounded(t *testing.T) {
	r := beforeServing(t)
	sent := 0
	for i := range 3 * maxDirty {
		e, err := r.st.order(fmt.Sprint("o-", i))
		if err != nil {
			t.Fatal(err)
		}
		if i < 2*maxDirty {
			e.o.Version = 1
			r.st.changedOrder(e)
		}
		if i%10 == 0 {
			r.b.after = append(r.b.after, func(*batch) { sent++ })
		}
		if err := r.commitFull(); err != nil {
			t.Fatal(err)
		}
		if cached := len(r.st.orders.young) + len(r.st.orders.old); r.st.dirty() > maxDirty || len(r.b.after) > maxUnsent || cached > 3*maxCached {
			t.Fatalf("after %d orders: %d have changed, %d messages wait, %d orders are in memory", i, r.st.dirty(), len(r.b.after), cached)
		}
	}
	if sent < 3*maxDirty/10-maxUnsent {
		t.Errorf("%d messages were sent", sent)
	}
}

// TestTheEndOfALongTailIsLookedAt: a transaction that is torn is the last one, however long the tail is, whatever the
// clocks say, and however much of it has been mended.
func TestTheEndOfALongTailIsLookedAt(t *testing.T) {
	var end logEnd
	read := func(id string, at time.Duration, cause eventv1.Cause) {
		end.pass(&eventlog.Record{TimestampMicros: at.Microseconds()}, &codec.Meta{Cause: cause})
		end.touch(id)
	}
	const command, mended = eventv1.Cause_CAUSE_COMMAND, eventv1.Cause_CAUSE_RECONCILIATION
	for i := range 10_000 {
		read(fmt.Sprint("o-", i), time.Hour+time.Duration(i)*time.Millisecond, command)
	}
	read("clock-went-back", time.Minute, command)
	read("mended", 2*time.Hour, mended)
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

// TestACheckpointKeepsItsIndexes: which orders expire and which are unsettled is what was last saved, over a restart, and
// so is what reconciliation has to look at, until it has.
func TestACheckpointKeepsItsIndexes(t *testing.T) {
	r := beforeServing(t)
	e, err := r.st.order("o-1")
	if err != nil {
		t.Fatal(err)
	}
	e.o = order.Order{ID: "o-1", Version: 1, Lifecycle: order.Placed, Terms: order.Prepaid, PaymentDeadlineMicros: 7, Lines: []order.Line{{SKU: "A"}}}
	holds := func(deadline int64, unsettled, touched int) {
		t.Helper()
		if err := r.st.checkpoint(); err != nil {
			t.Fatal(err)
		}
		var at int64
		looked := 0
		ids, err := r.st.unsettledAfter("", 9)
		if err == nil {
			err = r.st.deadlines(func(_ string, micros int64) { at = micros })
		}
		if err == nil {
			err = r.st.touched(func(string) error { looked++; return nil })
		}
		if err != nil || at != deadline || len(ids) != unsettled || looked != touched {
			t.Fatalf("due at %d, unsettled %v, %d to look at: %v", at, ids, looked, err)
		}
	}
	change := func(fn func(o *order.Order)) {
		// As after a restart, with no memory of what the checkpoint holds.
		clear(r.st.orders.young)
		clear(r.st.orders.old)
		e, err := r.st.order("o-1")
		if err != nil {
			t.Fatal(err)
		}
		fn(&e.o)
		r.st.changedOrder(e)
	}
	r.st.changedOrder(e)
	r.st.newlyTouched["o-1"] = struct{}{}
	holds(7, 1, 1)
	change(func(o *order.Order) { o.PaymentDeadlineMicros = 9 })
	holds(9, 1, 1)
	change(func(o *order.Order) { o.Lifecycle, o.Settled = order.Reserved, true })
	r.st.forgetTouched = true
	holds(9, 0, 0)
	change(func(o *order.Order) { o.Lifecycle = order.Cancelled })
	holds(0, 0, 0)
	if rest, err := r.st.unsettledAfter("o-1", 1); err != nil || len(rest) > 0 {
		t.Fatal(rest, err)
	}
}

// TestOrdersAreKnownOnceAllAreLearned: an order that the checkpoint has is found while the filter is being filled, and
// afterwards, whether it was saved before the checkpoint was opened or since; an error of reading is told.
func TestOrdersAreKnownOnceAllAreLearned(t *testing.T) {
	more, ended := make(chan string), make(chan error, 2)
	k := learn(func(fn func(id, value []byte) error) error {
		for id := range more {
			if err := fn([]byte(id), nil); err != nil {
				return err
			}
		}
		return <-ended
	})
	more <- "before"
	k.add("since")
	if err := k.take(); err != nil || k.all || !k.has("before") || !k.has("since") || !k.has("none") {
		t.Fatal("while it learns", err, k.all)
	}
	ended <- nil
	close(more)
	for !k.all {
		if err := k.take(); err != nil {
			t.Fatal(err)
		}
	}
	if !k.has("before") || !k.has("since") || k.has("none") {
		t.Fatal("when it has learned")
	}
	k.close()

	k = learn(func(func(id, value []byte) error) error { return errShortEntry })
	err := k.take()
	for ; err == nil; err = k.take() {
	}
	if !errors.Is(err, errShortEntry) || k.all {
		t.Fatal(err, k.all)
	}
	k.close()

	k = learn(func(fn func(id, value []byte) error) (err error) {
		for err == nil {
			err = fn([]byte("on and on"), nil)
		}
		return err
	})
	k.close()
}

// TestSagasAreBounded: beyond so many, new orders are refused and those that there are are not; unanswered steps are sent
// again a batch at a time, first those that wait the longest.
func TestSagasAreBounded(t *testing.T) {
	r := beforeServing(t)
	var err error
	r.node = &Node{}
	if r.node.metrics, err = newMetrics(nil); err != nil {
		t.Fatal(err)
	}
	r.sagas, r.resends, r.b.now = map[string]*saga{}, newSchedule[string](), int64(MaxOpenSagas)
	for i := range MaxOpenSagas {
		s := &saga{orderID: fmt.Sprint("o-", i)}
		r.sagas[s.orderID] = s
		r.resends.set(s.orderID, int64(i)+1)
	}
	place := &Command{ID: "new", Key: "k", Order: order.Place{}}
	if err := r.handleOrder(place, nil); err != nil {
		t.Fatal(err)
	}
	if a := r.b.answers; len(a) != 1 || a[0].result.Code != CodeTooManyRequests || a[0].result.RetryAfterSeconds == 0 {
		t.Errorf("%+v", a)
	}
	r.closeSaga("o-0")
	if err := r.handleOrder(place, nil); err != nil {
		t.Fatal(err)
	}
	if a := r.b.answers; len(a) != 2 || a[1].result.Code == CodeTooManyRequests {
		t.Errorf("%+v", a)
	}
	r.resend()
	if len(r.b.after) != maxUnsent || r.sagas["o-1"].attempts != 1 || r.sagas[fmt.Sprint("o-", maxUnsent)].attempts != 1 {
		t.Errorf("%d steps were sent again", len(r.b.after))
	}
	if next := r.resends.queue[0].key; next != fmt.Sprint("o-", maxUnsent+1) {
		t.Errorf("%s is next", next)
	}
}

// TestABadDeadlineIsNotPassedOver: an order that would never expire keeps its stock for ever.
func TestABadDeadlineIsNotPassedOver(t *testing.T) {
	r := beforeServing(t)
	if err := r.st.db.Set([]byte{keyDeadline, 'o'}, []byte("soon"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if err := r.reconcile(); err == nil || !strings.Contains(err.Error(), "a deadline of 4 bytes, not 8; delete it") {
		t.Fatal(err)
	}
}
