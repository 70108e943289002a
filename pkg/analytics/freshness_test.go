package analytics

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

var (
	busy  = eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	quiet = eventlog.TopicPartition{Topic: eventlog.TopicInventory}
)

// The log grows by ten events a second, and inserts take from nothing to minutes. The age of the mirror is what they
// take.
func TestSteadyLatencyIsTheAge(t *testing.T) {
	const seconds = 1_000
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, latency := range []int{0, 1, 3, endsKept - 2, 5 * endsKept} {
		f := newFreshness(eventlog.Offsets{busy: 0, quiet: 7}, eventlog.Offsets{busy: 10, quiet: 7}, start)
		for second := 1; second <= seconds; second++ {
			now := start.Add(time.Duration(second) * time.Second)
			if !f.ended(eventlog.Offsets{busy: int64(10 * (second + 1)), quiet: 7}, now) {
				t.Fatal("the log has not shrunk")
			}
			reached := eventlog.Offsets{busy: int64(10 * (second - latency + 1))}
			if currentAt := f.after(reached).currentAt; !currentAt[quiet].Equal(now) {
				t.Fatalf("the partition that nobody writes was current at %v, not %v", currentAt[quiet], now)
			}
			f.advance(reached)
			if len(f.ends) > endsKept {
				t.Fatalf("%d ends are kept", len(f.ends))
			}
		}
		end := start.Add(seconds * time.Second)
		// When the mirror is behind by more than endsKept, its age is known less exactly.
		atMost := time.Duration(latency) * time.Second
		if latency >= endsKept {
			atMost = 2 * time.Duration(latency) * time.Second
		}
		if age := end.Sub(f.currentAt); age > atMost {
			t.Errorf("inserts take %d s, the age is %v", latency, age)
		}
		if currentAt := f.after(nil).currentAt; end.Sub(currentAt[busy]) > atMost {
			t.Errorf("inserts take %d s, the partition was current at %v", latency, currentAt[busy])
		}
		if lag := f.lag(); lag != int64(10*latency) {
			t.Errorf("inserts take %d s, the lag is %d", latency, lag)
		}
	}
}

// A log that has lost its last events is noticed at once.
func TestAnEndThatWentBackIsNoticed(t *testing.T) {
	start := time.Now()
	f := newFreshness(eventlog.Offsets{busy: 10}, eventlog.Offsets{busy: 10}, start)
	if f.ended(eventlog.Offsets{busy: 9}, start.Add(time.Second)) {
		t.Error("it was not noticed")
	}
}

func newIdleMirror(t *testing.T) (*Mirror, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	m, err := New(Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	return m, registry
}

func up(t *testing.T, registry *prometheus.Registry) bool {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "holdfast_mirror_up" {
			return family.Metric[0].GetGauge().GetValue() == 1
		}
	}
	t.Fatal("there is no holdfast_mirror_up")
	return false
}

// After an outage a mirror is up again once it has written, even if it has not caught up. It is not up when it has only
// begun.
func TestAFaultEndsWithTheFirstWrite(t *testing.T) {
	m, registry := newIdleMirror(t)
	m.fault = errors.New("ClickHouse does not answer")
	m.began(uuid.Nil, eventlog.Offsets{busy: 0}, eventlog.Offsets{busy: 10}, time.Now())
	if up(t, registry) {
		t.Error("nothing was written, and it is up")
	}
	m.advance(eventlog.Offsets{busy: 4})
	if err := m.Ready(); !up(t, registry) || err == nil || err.Error() != "the mirror is catching up" {
		t.Errorf("up: %v, it says %v", up(t, registry), err)
	}
	m.advance(eventlog.Offsets{busy: 10})
	if err := m.Ready(); err != nil {
		t.Errorf("it has caught up, and says %v", err)
	}
}

// A mirror is ready once it has the events that were in the log when it began, however much the log has grown since.
func TestAMirrorIsReadyOnceItHeldWhatStoodInTheLog(t *testing.T) {
	m, _ := newIdleMirror(t)
	now := time.Now()
	m.began(uuid.Nil, eventlog.Offsets{busy: 0}, eventlog.Offsets{busy: 10}, now)
	for second := range int64(5) {
		m.markEnd(eventlog.Offsets{busy: 20 + 10*second}, now.Add(time.Duration(second)*time.Second))
		if m.Ready() == nil {
			t.Fatal("it is ready, and has written nothing")
		}
	}
	m.advance(eventlog.Offsets{busy: 10})
	if err := m.Ready(); err != nil {
		t.Errorf("it holds what stood in the log when it began, and says %v", err)
	}
}

// Filling a mirror from a long log takes long. Other services in the same process need not wait for it.
func TestAMirrorIsStartedBeforeItHasCaughtUp(t *testing.T) {
	m, _ := newIdleMirror(t)
	if err := m.Started(); err == nil || err.Error() != "the mirror is starting" {
		t.Errorf("it has not begun, and says %v", err)
	}
	m.began(uuid.Nil, eventlog.Offsets{busy: 0}, eventlog.Offsets{busy: 10}, time.Now())
	if err := m.Started(); err != nil || m.Ready() == nil {
		t.Errorf("it is filled, and says %v", err)
	}
	m.fault = errors.New("ClickHouse does not answer")
	if err := m.Started(); !errors.Is(err, m.fault) {
		t.Errorf("it fails, and says %v", err)
	}
}

// A replica that has lost all its partitions has nothing left that could fail.
func TestAReplicaWithoutPartitionsIsReady(t *testing.T) {
	m, registry := newIdleMirror(t)
	m.fault = errors.New("ClickHouse does not answer")
	m.mirrorPartitions(context.Background(), nil)
	if err := errors.Join(m.Ready(), m.Started()); err != nil || !up(t, registry) || m.age() != 0 {
		t.Errorf("up: %v, it says %v", up(t, registry), err)
	}
}
