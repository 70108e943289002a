package projector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/projector"
)

// listing is a view that keeps the values that it read. It can be made to fail and to wait.
type listing struct {
	mu              sync.Mutex
	next            eventlog.Offsets
	folded, flushed []string
	failFold        string        // Fold fails once at this value
	failFlush       string        // Flush fails once after this value
	failing         bool          // the next Flush fails
	release         chan struct{} // the value "slow" is folded once this is closed
}

func (l *listing) Begin(context.Context, eventlog.Offsets) (eventlog.Offsets, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.folded = nil
	return l.next.Clone(), nil
}

func (l *listing) Fold(rec *eventlog.Record) error {
	v := string(rec.Value)
	if v == "slow" {
		<-l.release
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch v {
	case "bad":
		return projector.Bad(rec, errors.New("it is bad"))
	case l.failFold:
		l.failFold = ""
		return errors.New("the fold failed")
	case l.failFlush:
		l.failing = true
	}
	l.folded = append(l.folded, v)
	return nil
}

func (l *listing) Flush(_ context.Context, reached eventlog.Offsets) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		l.failing, l.failFlush = false, ""
		return errors.New("the flush failed")
	}
	l.flushed = append(l.flushed, l.folded...)
	l.folded = nil
	l.next.Merge(reached)
	return nil
}

func (l *listing) values() []string {
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
	return &fixture{
		Log:  logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1}),
		view: &listing{next: eventlog.Offsets{}},
	}
}

func (f *fixture) write(partition int32, values ...string) {
	f.T.Helper()
	for _, v := range values {
		f.Write(eventlog.TopicOrders, partition, "", []byte(v))
	}
}

func (f *fixture) run(background func(context.Context) error) *projector.Runtime {
	f.T.Helper()
	return f.runWith(projector.Config{Background: background})
}

// runWith runs the view with the configuration, whose other fields it fills.
func (f *fixture) runWith(cfg projector.Config) *projector.Runtime {
	f.T.Helper()
	f.reg = prometheus.NewRegistry()
	cfg.Name, cfg.View, cfg.Client, cfg.Registerer = "listing", f.view, f.Client, f.reg
	cfg.Partitions = projector.Partitions(eventlog.TopicOrders, f.Layout)
	for _, tp := range cfg.Partitions {
		f.view.next.Merge(eventlog.Offsets{tp: 0})
	}
	r, err := projector.New(cfg)
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

func TestAViewHasEveryRecordOnceAfterErrors(t *testing.T) {
	f := newFixture(t)
	f.view.failFold, f.view.failFlush = "b", "d"
	f.write(0, "a", "b")
	f.write(1, "c")
	r := f.run(nil)
	f.Eventually("the first are there", func() bool { return len(f.view.values()) >= 3 })
	f.write(2, "d", "e")
	f.Eventually("the others are there", func() bool { return len(f.view.values()) >= 5 })
	f.Eventually("ready", func() bool { return r.Ready() == nil })
	if got := strings.Join(f.view.values(), ""); got != "abcde" {
		t.Fatalf("it has %s", got)
	}
	f.counts(map[string]float64{"holdfast_view_restarts_total": 2, "holdfast_view_events_total": 5})
}

func TestAViewSaysHowFarItIsBehind(t *testing.T) {
	f := newFixture(t)
	f.view.release = make(chan struct{})
	f.write(0, "a", "slow")
	end, err := f.Client.StableOffsets(t.Context(), projector.Partitions(eventlog.TopicOrders, f.Layout))
	if err != nil {
		t.Fatal(err)
	}
	left := end[eventlog.TopicPartition{Topic: eventlog.TopicOrders}]
	want := fmt.Sprintf("the view listing is catching up: %d records of the log to go", left)
	r := f.run(nil)
	f.Eventually(want, func() bool { err := r.Ready(); return err != nil && err.Error() == want })
	close(f.view.release)
	f.Eventually("ready", func() bool { return r.Ready() == nil })
}

func TestABadRecordStopsItsPartitionOnly(t *testing.T) {
	f := newFixture(t)
	f.write(0, "a", "bad", "never")
	f.write(1, "b", "c")
	f.write(2, "bad")
	r := f.run(nil)
	const toSee = "; to see the record: holdfast log inspect --topic orders.events "
	want := "cannot fold orders.events partition 0 offset 1: it is bad" + toSee + "--partition 0 --offset 1\n" +
		"cannot fold orders.events partition 2 offset 0: it is bad" + toSee + "--partition 2 --offset 0"
	f.Eventually("Ready names both records", func() bool {
		err := r.Ready()
		return err != nil && err.Error() == want
	})
	f.write(0, "never")
	f.write(1, "d")
	f.Eventually("the other partition goes on", func() bool { return strings.Join(f.view.values(), "") == "abcd" })
	f.view.mu.Lock()
	defer f.view.mu.Unlock()
	for partition, next := range []int64{1, 3, 0} {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: int32(partition)}
		if got := f.view.next[tp]; got != next {
			t.Errorf("partition %d is at %d, want %d", partition, got, next)
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
	n, err := testutil.GatherAndCount(f.reg, "holdfast_view_lag_seconds", "holdfast_view_lag_records")
	if n != 2 || err != nil {
		t.Fatalf("%d metrics of lag: %v", n, err)
	}
}

// A view has what was in the log at a time once it has been at the end of the log since.
func TestWaitForTimeWaitsForTheEndOfTheLog(t *testing.T) {
	f := newFixture(t)
	r, err := projector.New(projector.Config{Name: "not_run", View: f.view, Client: f.Client})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.WaitForTime(ended, time.Unix(0, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("a view that has not begun: %v, want context.Canceled", err)
	}
	f.write(0, "a")
	r = f.run(nil)
	if err := r.WaitForTime(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.view.values(), ""); got != "a" {
		t.Errorf("the view has %q after the wait, want a", got)
	}
	if err := r.WaitForTime(ended, time.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Errorf("a time to come: %v, want context.Canceled", err)
	}
}

func TestAnErrorInTheBackgroundRestartsTheView(t *testing.T) {
	f := newFixture(t)
	failed := false
	r := f.run(func(ctx context.Context) error {
		if !failed {
			failed = true
			return errors.New("the background failed")
		}
		<-ctx.Done()
		return nil
	})
	f.Eventually("Ready has the error", func() bool {
		err := r.Ready()
		return err != nil && err.Error() == "the background failed"
	})
	f.write(0, "a")
	f.Eventually("it begins again", func() bool { return r.Ready() == nil && len(f.view.values()) == 1 })
}

func TestReadersWaitForTheView(t *testing.T) {
	f := newFixture(t)
	f.view.release = make(chan struct{})
	f.write(0, "a", "slow")
	position := f.Write(eventlog.TopicOrders, 1, "", []byte("b"))
	stock, err := eventlog.ParsePosition("i0.99") // of another topic than the view's
	if err != nil {
		t.Fatal(err)
	}
	r := f.run(nil)
	close(f.view.release)
	if err := r.WaitFor(f.Ctx, position.Merge(stock)); err != nil {
		t.Fatal(err)
	}
	if reached := r.Reached(); !reached.Reaches(position) || reached.Reaches(stock) {
		t.Errorf("after %s it has reached %s", position, reached)
	}
}

// A view that lets records gather for an hour folds them at once for a reader who waits.
func TestAWaitingReaderEndsThePause(t *testing.T) {
	f := newFixture(t)
	r := f.runWith(projector.Config{Pause: time.Hour})
	for _, value := range []string{"a", "b"} {
		position := f.Write(eventlog.TopicOrders, 0, "", []byte(value))
		if err := r.WaitFor(f.Ctx, position); err != nil {
			t.Fatal(err)
		}
		f.write(0, value+" again")
		if err := r.WaitForTime(f.Ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(f.view.values(), ", "); got != "a, a again, b, b again" {
		t.Errorf("the view has %q", got)
	}
}

func TestAViewOfRowsSaysHowFarTheirSourceIs(t *testing.T) {
	f := newFixture(t)
	r := f.runWith(projector.Config{Source: eventlog.TopicInventory})
	source := eventlog.Offsets{{Topic: eventlog.TopicInventory, Partition: 2}: 7}
	ctx, cancel := context.WithCancel(f.Ctx)
	cancel()
	if err := r.WaitFor(ctx, eventlog.PositionOf(source)); !errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
	r.Advance(source)
	if err := r.WaitFor(ctx, eventlog.PositionOf(source)); err != nil {
		t.Errorf("after: %v", err)
	}
}

func TestAViewGoesOnBehindAQuarantinedRecord(t *testing.T) {
	f := newFixture(t)
	f.write(0, "a", "bad", "c")
	f.write(1, "b")
	r := f.run(nil)
	var bad *projector.BadEventError
	f.Eventually("it stops", func() bool { return errors.As(r.Ready(), &bad) })
	rec := &eventlog.Record{Value: []byte("bad")}
	err := f.Client.Quarantine(f.Ctx, eventlog.Quarantine{
		Topic: bad.Topic, Partition: bad.Partition, Offset: bad.Offset, SHA256: rec.Hash(), Reason: "a test",
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Eventually("it goes on", func() bool { return r.Ready() == nil && len(f.view.values()) == 3 })
}

// TestAViewDoesNotReadPastADeletedStart: it keeps what it has, and says what is missing.
func TestAViewDoesNotReadPastADeletedStart(t *testing.T) {
	f := newFixture(t)
	f.write(0, "a", "b")
	logtest.DeleteRecords(t, f.Config, eventlog.TopicOrders)
	f.write(0, "c")
	r := f.run(nil)
	var gone *eventlog.LogStartError
	f.Eventually("it says so", func() bool { return errors.As(r.Ready(), &gone) })
	if gone.Offset != 0 || gone.Start != 2 || len(f.view.values()) != 0 {
		t.Errorf("%+v, and the view has %v", gone, f.view.values())
	}
}
