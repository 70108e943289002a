package inspect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/inspect"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// event is an event of an order, as a value of orders.events.
func event(t *testing.T, orderID string, version uint64) []byte {
	t.Helper()
	value, err := (&eventv1.OrderEvent{
		OrderId: orderID, Meta: &eventv1.Meta{EventId: make([]byte, 16), Version: version},
		Change: &eventv1.OrderEvent_OrderConfirmed{OrderConfirmed: &eventv1.OrderConfirmed{}},
	}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// newer is an event with a change that this program does not know.
var newer = []byte{0xfa, 0x3f, 0x00}

// TestWhatMayBeQuarantined: only records at which readers stop, and on which nothing builds.
func TestWhatMayBeQuarantined(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	records := []struct {
		value   []byte
		problem string // as Scan finds it; empty: readers can read it
		refused string // empty: it may be quarantined
	}{
		{event(t, "a", 1), "", "every reader can read it"},
		{[]byte("not a protobuf"), "malformed", ""},
		{event(t, "a", 5), "a has version 5 after 1", ""},
		{event(t, "a", 2), "", "every reader can read it"},
		{event(t, "b", 7), "b has version 7 after 0", "the event at offset 5, version 8 of b, builds on it"},
		{event(t, "b", 8), "b has version 8 after 0", ""},
		{event(t, "a", 2), "a has version 2 after 2", ""}, // in no transaction: the one before it is the owner's
		{event(t, "a", 3), "", "every reader can read it"},
		{event(t, "", 1), "it names no order and no SKU", ""},
		{newer, "newer version", ""}, // in no transaction: no release of Holdfast writes so
	}
	for _, rec := range records {
		log.Write(eventlog.TopicOrders, 0, "key", rec.value)
	}
	findings, err := inspect.Scan(log.Ctx, log.Client, log.Layout.AllPartitions())
	if err != nil {
		t.Fatal(err)
	}
	for offset, rec := range records {
		var found *inspect.Finding
		for _, f := range findings {
			if f.Offset == int64(offset) {
				found = f
			}
		}
		if (found == nil) != (rec.problem == "") || found != nil && !strings.Contains(found.Problem.Error(), rec.problem) {
			t.Errorf("offset %d: found %+v, want %q", offset, found, rec.problem)
		}
		raw, err := log.Client.RawRecord(log.Ctx, eventlog.TopicPartition{Topic: eventlog.TopicOrders}, int64(offset))
		if err != nil {
			t.Fatal(err)
		}
		err = inspect.MayQuarantine(raw, found)
		if (err == nil) != (rec.refused == "") || err != nil && !strings.Contains(err.Error(), rec.refused) {
			t.Errorf("offset %d: %v, want %q", offset, err, rec.refused)
		}
	}
}

// TestReadersPassTheseByThemselves: a decision would say nothing.
func TestReadersPassTheseByThemselves(t *testing.T) {
	bad := &inspect.Finding{Problem: errors.New("it is bad")}
	decided := &eventlog.Quarantine{By: "me", At: time.Unix(0, 0), Reason: "a test"}
	for _, tc := range []struct {
		raw  eventlog.RawRecord
		want string
	}{
		{eventlog.RawRecord{State: eventlog.StateMarker}, "it is the marker"},
		{eventlog.RawRecord{State: eventlog.StateAborted}, "its transaction was aborted"},
		{eventlog.RawRecord{State: eventlog.StateOpen}, "its transaction has not ended"},
		{eventlog.RawRecord{Quarantined: decided}, "quarantined already, by me at 1970-01-01T00:00:00Z: a test"},
	} {
		err := inspect.MayQuarantine(&tc.raw, bad)
		var refused *inspect.Refused
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.raw, err, tc.want)
		}
	}
}
