package projector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/projector"
)

// listing is a view that keeps what it read, and fails when it is told to.
type listing struct {
	mu                sync.Mutex
	next              eventlog.Offsets
	folded, flushed   []string
	failFold, failEnd string // values at which Fold, and the Flush after them, fail once
	failing           bool
	hold              chan struct{} // the value "held" is folded once it is closed
}

func (l *listing) Begin(context.Context, eventlog.Offsets) (eventlog.Offsets, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.folded = nil
	return l.next.Clone(), nil
}

func (l *listing) Fold(rec *eventlog.Record) error {
	v := string(rec.Value)
	if v == "held" {
		<-l.hold
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch v {
	case "bad":
		return projector.Bad(rec, errors.New("it is bad"))
	case l.failFold:
		l.failFold = ""
		return errors.New("the fold failed")
	case l.failEnd:
		l.failing = true
	}
	l.folded = append(l.folded, v)
	return nil
}

func (l *listing) Flush(_ context.Context, reached eventlog.Offsets) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		l.failing, l.failEnd = false, ""
		return errors.New("the flush failed")
	}
	l.flushed = append(l.flushed, l.folded...)
	l.folded = nil
	l.next.Merge(reached)
	return nil
}

func (l *listing) has() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.flushed))
}

type fixture struct {
	*logtest.Log
	view *listing
	reg  *prometheus.Registry
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{Log: logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1}), view: &listing{next: eventlog.Offsets{}}}
}

func (f *fixture) write(partition int32, values ...string) {
	f.T.Helper()
	for _, v := range values {
		f.Write(eventlog.TopicOrders, partition, "", []byte(v))
	}
}

func (f *fixture) run(beside func(context.Context) error) *projector.Runtime {
	f.T.Helper()
	f.reg = prometheus.NewRegistry()
	partitions := projector.Partitions(eventlog.TopicOrders, f.Layout)
	for _, tp := range partitions {
		f.view.next.Merge(eventlog.Offsets{tp: 0})
	}
	r, err := projector.New(projector.Config{
		Name: "listing", Partitions: partitions, View: f.view, Beside: beside, Client: f.Client, Registerer: f.reg,
	})
	if err != nil {
		f.T.Fatal(err)
	}
	f.Background(r.Run)
	return r
}

func (f *fixture) counts(want map[string]float64) {
	f.T.Helper()
	for name, n := range want {
		if got, _ := logtest.Metric(f.T, f.reg, name); got != n {
			f.T.Errorf("%s is %v, want %v", name, got, n)
		}
	}
}

func TestAViewHoldsEveryRecordOnceAcrossErrors(t *testing.T) {
	f := newFixture(t)
	f.view.failFold, f.view.failEnd = "b", "d"
	f.write(0, "a", "b")
	f.write(1, "c")
	r := f.run(nil)
	f.Eventually("the first are there", func() bool { return len(f.view.has()) >= 3 })
	f.write(2, "d", "e")
	f.Eventually("the others are there", func() bool { return len(f.view.has()) >= 5 })
	f.Eventually("ready", func() bool { return r.Ready() == nil })
	if got := strings.Join(f.view.has(), ""); got != "abcde" {
		t.Fatalf("it holds %s", got)
	}
	f.counts(map[string]float64{"holdfast_view_restarts_total": 2, "holdfast_view_events_total": 5})
}

func TestAViewSaysHowFarItIsBehind(t *testing.T) {
	f := newFixture(t)
	f.view.hold = make(chan struct{})
	f.write(0, "a", "held")
	end, err := f.Client.StableOffsets(t.Context(), projector.Partitions(eventlog.TopicOrders, f.Layout))
	if err != nil {
		t.Fatal(err)
	}
	left := end[eventlog.TopicPartition{Topic: eventlog.TopicOrders}]
	want := fmt.Sprintf("the view listing is catching up: %d records of the log to go", left)
	r := f.run(nil)
	f.Eventually(want, func() bool { err := r.Ready(); return err != nil && err.Error() == want })
	close(f.view.hold)
	f.Eventually("ready", func() bool { return r.Ready() == nil })
}

func TestABadRecordStopsItsPartitionOnly(t *testing.T) {
	f := newFixture(t)
	f.write(0, "a", "bad", "never")
	f.write(1, "b", "c")
	f.write(2, "bad")
	r := f.run(nil)
	want := "cannot fold orders.events partition 0 offset 1: it is bad\ncannot fold orders.events partition 2 offset 0: it is bad"
	f.Eventually("ready tells both places", func() bool { err := r.Ready(); return err != nil && err.Error() == want })
	f.write(0, "never")
	f.write(1, "d")
	f.Eventually("the other partition goes on", func() bool { return strings.Join(f.view.has(), "") == "abcd" })
	f.view.mu.Lock()
	defer f.view.mu.Unlock()
	for partition, next := range []int64{1, 3, 0} {
		if got := f.view.next[eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: int32(partition)}]; got != next {
			t.Errorf("partition %d stands at %d, want %d", partition, got, next)
		}
	}
	f.counts(map[string]float64{"holdfast_view_stopped_partitions": 2, "holdfast_view_restarts_total": 0})
}

func TestAnIdleViewStaysFresh(t *testing.T) {
	f := newFixture(t)
	r := f.run(nil)
	f.Eventually("ready", func() bool { return r.Ready() == nil })
	grown := r.Age()
	f.Eventually("its age falls without any record", func() bool {
		before := grown
		grown = r.Age()
		return grown < before
	})
	if n, err := testutil.GatherAndCount(f.reg, "holdfast_view_lag_seconds", "holdfast_view_lag_records"); n != 2 || err != nil {
		t.Fatalf("%d metrics of lag: %v", n, err)
	}
}

func TestWhatRunsBesideEndsTheAttempt(t *testing.T) {
	f := newFixture(t)
	failed := false
	r := f.run(func(ctx context.Context) error {
		if !failed {
			failed = true
			return fmt.Errorf("something beside failed")
		}
		<-ctx.Done()
		return nil
	})
	f.Eventually("it is told", func() bool { err := r.Ready(); return err != nil && err.Error() == "something beside failed" })
	f.write(0, "a")
	f.Eventually("it begins again", func() bool { return r.Ready() == nil && len(f.view.has()) == 1 })
}
