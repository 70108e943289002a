package analytics

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
)

// FuzzMirror checks that an event becomes rows, with the same number of values in all columns of a table, or is refused
// and leaves no rows.
func FuzzMirror(f *testing.F) {
	for _, s := range codectest.Samples(f) {
		f.Add(true, s.Value)
		f.Add(false, s.Value)
	}
	f.Fuzz(func(t *testing.T, order bool, value []byte) {
		rec := &eventlog.Record{TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicInventory}, Value: value}
		if order {
			rec.Topic = eventlog.TopicOrders
		}
		var r rows
		if err := r.add(rec); err != nil {
			if left := r.inserts(); len(left) > 0 {
				t.Fatalf("%v, and %d tables have rows", err, len(left))
			}
			return
		}
		inserts := r.inserts()
		if len(inserts) == 0 {
			t.Fatal("an event without rows")
		}
		for _, in := range inserts {
			for _, col := range in.columns {
				if n := reflect.ValueOf(col.Values).Len(); n != in.rows {
					t.Fatalf("%s has %d rows, and %d values of %s", in.table, in.rows, n, col.Name)
				}
			}
		}
	})
}

// FuzzReportCursor checks that a cursor is refused, or gives a value for each sort key.
func FuzzReportCursor(f *testing.F) {
	f.Add(`["GBP","85123A"]`)
	f.Add(`["1","2"]`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, after string) {
		for _, types := range [][]string{{"String"}, {"String", "Int64"}, {"Decimal", "String"}} {
			var page paging
			for _, typ := range types {
				page.order = append(page.order, sortKey{name: "key", typ: typ})
			}
			params, err := ReportQuery{After: after}.params(page)
			if err != nil && !errors.Is(err, ErrCursor) {
				t.Fatal(err)
			}
			if _, last := params["after0"]; err == nil && after != "" && !last {
				t.Fatalf("no values of %q", after)
			}
		}
	})
}

// FuzzDeadLetter checks that a dead letter that can be decoded is the same after it was encoded and decoded again.
func FuzzDeadLetter(f *testing.F) {
	f.Add([]byte(`{"topic":"orders.events","partition":3,"offset":17,"reason":"why","parked_at":"2026-01-02T03:04:05Z"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		var first, second DeadLetter
		if json.Unmarshal(value, &first) != nil {
			return
		}
		again, err := json.Marshal(first)
		if err != nil {
			return // JSON has no form for such a time; the clock never shows one
		}
		err = json.Unmarshal(again, &second)
		if err != nil || first.Place() != second.Place() || first.Reason != second.Reason {
			t.Fatalf("%v: %+v, then %+v", err, first, second)
		}
	})
}
