package checkpoint

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// openTemp opens a checkpoint of its own, of a shard that writes all orders.
func openTemp(t *testing.T) *Store {
	t.Helper()
	st, err := Open(t.TempDir(), Config{Foreign: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// TestACheckpointKeepsItsIndexes: which orders expire and which are unsettled is what was saved last, also after a
// restart. So is what reconciliation has to look at, until it has.
func TestACheckpointKeepsItsIndexes(t *testing.T) {
	st := openTemp(t)
	e, err := st.Order("o-1")
	if err != nil {
		t.Fatal(err)
	}
	e.Order = order.Order{
		ID: "o-1", Version: 1, Lifecycle: order.Placed, Terms: order.Prepaid, PaymentDeadlineMicros: 7,
		Lines: []order.Line{{SKU: "A"}},
	}
	expect := func(deadline int64, unsettled, touched int) {
		t.Helper()
		if err := st.Save(); err != nil {
			t.Fatal(err)
		}
		var at int64
		looked := 0
		ids, err := st.UnsettledAfter("", 9)
		if err == nil {
			err = st.EachDeadline(func(_ string, micros int64) { at = micros })
		}
		if err == nil {
			err = st.EachTouched(func(string) error { looked++; return nil })
		}
		if err != nil || at != deadline || len(ids) != unsettled || looked != touched {
			t.Fatalf("due at %d, unsettled %v, %d to look at: %v", at, ids, looked, err)
		}
	}
	change := func(fn func(o *order.Order)) {
		// As after a restart, without memory of what the checkpoint has.
		forget(st)
		e, err := st.Order("o-1")
		if err != nil {
			t.Fatal(err)
		}
		fn(&e.Order)
		st.OrderChanged(e)
	}
	st.OrderChanged(e)
	st.Touch(map[string]struct{}{"o-1": {}})
	expect(7, 1, 1)
	change(func(o *order.Order) { o.PaymentDeadlineMicros = 9 })
	expect(9, 1, 1)
	change(func(o *order.Order) { o.Lifecycle, o.Settled = order.Reserved, true })
	st.ForgetTouched()
	expect(9, 0, 0)
	change(func(o *order.Order) { o.Lifecycle = order.Cancelled })
	expect(0, 0, 0)
	if more, err := st.UnsettledAfter("o-1", 1); err != nil || len(more) > 0 {
		t.Fatal(more, err)
	}
}

// TestTheOrderFilterIsRightWhileItIsFilled: an order that the checkpoint has is found while the filter is being filled
// and afterwards, whether it was saved before the checkpoint was opened or since. An error of the scan is returned.
func TestTheOrderFilterIsRightWhileItIsFilled(t *testing.T) {
	more, ended := make(chan string), make(chan error, 2)
	f := startOrderFilter(func(fn func(id, value []byte) error) error {
		for id := range more {
			if err := fn([]byte(id), nil); err != nil {
				return err
			}
		}
		return <-ended
	})
	more <- "before"
	f.add("since")
	err := f.mergeScanned()
	if err != nil || f.complete || !f.MayHave("before") || !f.MayHave("since") || !f.MayHave("none") {
		t.Fatal("while it scans", err, f.complete)
	}
	ended <- nil
	close(more)
	for !f.complete {
		if err := f.mergeScanned(); err != nil {
			t.Fatal(err)
		}
	}
	if !f.MayHave("before") || !f.MayHave("since") || f.MayHave("none") || !f.Complete() {
		t.Fatal("when it is complete")
	}
	f.add(orderid.BySKU("t", "k", "A", 12))
	for _, id := range []string{orderid.Prefix("t", "k"), orderid.BySKU("t", "k", "B", 7), orderid.ByKey("t", "k")} {
		if !f.MayHave(id) {
			t.Errorf("it does not know %s by its key", id)
		}
	}
	if f.MayHave(orderid.BySKU("t", "l", "A", 12)) {
		t.Error("it knows another key")
	}
	f.close()

	f = startOrderFilter(func(func(id, value []byte) error) error { return errShortEntry })
	err = f.mergeScanned()
	for ; err == nil; err = f.mergeScanned() {
	}
	if !errors.Is(err, errShortEntry) || f.complete {
		t.Fatal(err, f.complete)
	}
	f.close()

	f = startOrderFilter(func(fn func(id, value []byte) error) (err error) {
		for err == nil {
			err = fn([]byte("on and on"), nil)
		}
		return err
	})
	f.close()
}

// TestABadDeadlineIsAnError: an order that never expired would keep its stock for ever.
func TestABadDeadlineIsAnError(t *testing.T) {
	dir := t.TempDir()
	told := 0
	cfg := Config{Damaged: func(error) { told++ }}
	st, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.db.Set([]byte{keyDeadline, 'o'}, []byte("soon"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	err = st.EachDeadline(func(string, int64) {})
	if err == nil || !strings.Contains(err.Error(), "are damaged: a deadline of 4 bytes, not 8") {
		t.Fatal(err)
	}
	if err := st.Close(); err == nil || told != 0 {
		t.Errorf("closed without a word, or %d damages told too early", told)
	}
	// It is deleted when it is opened again.
	if st, err = Open(dir, cfg); err != nil || told != 1 {
		t.Fatal(told, err)
	}
	if err := errors.Join(st.EachDeadline(func(string, int64) {}), st.Close()); err != nil {
		t.Error(err)
	}
}
