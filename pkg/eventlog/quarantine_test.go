package eventlog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// decide quarantines a record with the hash.
func (p *platform) decide(t testing.TB, tp eventlog.TopicPartition, offset int64, hash string) {
	t.Helper()
	err := p.Quarantine(logtest.Context(t), eventlog.Quarantine{
		Topic: tp.Topic, Partition: tp.Partition, Offset: offset, SHA256: hash, Reason: "a test", By: "me", At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadersPassExactlyWhatIsQuarantined(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	var recs []*eventlog.Record
	for _, value := range []string{"a", "foreign", "b", "foreign"} {
		recs = append(recs, order(0, value))
		p.foreign(t, recs[len(recs)-1])
	}
	p.foreign(t, order(1, "foreign"))
	p.decide(t, orders0, recs[1].Offset, recs[1].Hash())
	p.decide(t, orders0, recs[2].Offset, recs[3].Hash()) // of another record than the one at that place
	orders1 := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1}
	want := []string{"a", "b", "foreign"}
	values := p.readAll(t, p.layout.Partitions(0))
	if !slices.Equal(values[orders0], want) || len(values[orders1]) != 1 {
		t.Errorf("a read has %v", values)
	}
	f, err := p.Follow(eventlog.Offsets{orders0: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var followed []string
	for reached := (eventlog.Offsets{}); reached[orders0] <= recs[3].Offset; {
		var batch []eventlog.Record
		if batch, reached, err = f.Poll(logtest.Context(t)); err != nil {
			t.Fatal(err)
		}
		for _, r := range batch {
			followed = append(followed, string(r.Value))
		}
	}
	if !slices.Equal(followed, want) {
		t.Errorf("a follower has %v", followed)
	}
	decisions, err := open(t, p.cfg).Quarantines(logtest.Context(t))
	if err != nil || len(decisions) != 2 || decisions[0].By != "me" || decisions[0].Reason != "a test" {
		t.Errorf("the log has the decisions %+v, %v", decisions, err)
	}
}

func TestWhoeverHasStoppedHearsOfAQuarantine(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 1, 1)
	offset := p.foreign(t, order(0, "foreign"))
	heard := make(chan bool)
	at := func() eventlog.Offsets { return eventlog.Offsets{orders0: offset} }
	go func() { heard <- open(t, p.cfg).AwaitQuarantine(logtest.Context(t), at) }()
	p.decide(t, orders0, offset+7, "another")
	p.decide(t, orders0, offset, order(0, "foreign").Hash())
	if !<-heard {
		t.Error("nobody heard of it")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p.AwaitQuarantine(ctx, func() eventlog.Offsets { return eventlog.Offsets{stock0: 0} }) {
		t.Error("another record is quarantined")
	}
}

func TestARecordAsItIsInTheLog(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 1, 1)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "committed"))
	w.LeaveOpen(t, order(0, "aborted"))
	p.writer(t, 0).LeaveOpen(t, order(0, "open"))
	foreign := p.foreign(t, order(0, "foreign"))
	for offset, want := range []struct {
		state         eventlog.RecordState
		value         string
		transactional bool
	}{
		{eventlog.StateCommitted, "committed", true}, {eventlog.StateMarker, "", true},
		{eventlog.StateAborted, "aborted", true}, {eventlog.StateMarker, "", true},
		{eventlog.StateOpen, "open", true}, {eventlog.StateCommitted, "foreign", false},
	} {
		raw, err := p.RawRecord(logtest.Context(t), orders0, int64(offset))
		if err != nil {
			t.Fatal(err)
		}
		if raw.State != want.state || raw.Transactional != want.transactional ||
			want.value != "" && string(raw.Value) != want.value {
			t.Errorf("offset %d is %+v, want %+v", offset, raw, want)
		}
	}
	if _, err := p.RawRecord(logtest.Context(t), orders0, foreign+1); err == nil ||
		!strings.Contains(err.Error(), "no record at offset") {
		t.Errorf("behind the end: %v", err)
	}
}

// startGone checks that the error names what was deleted.
func startGone(t testing.TB, err error, offset, start int64) {
	t.Helper()
	var gone *eventlog.LogStartError
	if !errors.As(err, &gone) || gone.TopicPartition != orders0 || gone.Offset != offset || gone.Start != start {
		t.Fatalf("%v, want a log that starts at %d and is needed from %d on", err, start, offset)
	}
	if !strings.Contains(err.Error(), "restore the topics from a backup") {
		t.Errorf("%v does not say what to do", err)
	}
}

// TestNoReaderReadsPastADeletedStart: neither one that begins, nor one that is running.
func TestNoReaderReadsPastADeletedStart(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 1, 1)
	for range 4 {
		p.foreign(t, order(0, "a"))
	}
	logtest.DeleteRecords(t, p.cfg, eventlog.TopicOrders)
	// Without the check of the starts, as if the records had been deleted between two fetches.
	running, err := p.UncheckedFollow(eventlog.Offsets{orders0: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	_, _, err = running.Poll(logtest.Context(t))
	startGone(t, err, 1, 4)
	_, err = p.Follow(eventlog.Offsets{orders0: 2})
	startGone(t, err, 2, 4)
	err = p.Read(logtest.Context(t), nil, eventlog.Offsets{orders0: 4}, func(*eventlog.Record) error { return nil })
	startGone(t, err, 0, 4)
}

// TestWhoHasReadTheDeletedStartGoesOnAndSaysSo: an owner, and a reader that is past it. Each says it once.
func TestWhoHasReadTheDeletedStartGoesOnAndSaysSo(t *testing.T) {
	cfg := logtest.Config(t)
	var log lockedBuffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	p := newPlatform(t, cfg, 1, 1)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "a"))
	p.awaitEnd(t, orders0, 2)
	f, err := open(t, cfg).Follow(eventlog.Offsets{orders0: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	logtest.DeleteRecords(t, p.cfg, eventlog.TopicOrders)
	says := func(times int) {
		t.Helper()
		if n := strings.Count(log.String(), "the start of the log is gone"); n != times {
			t.Errorf("it is said %d times, want %d:\n%s", n, times, log.String())
		}
	}
	for range 2 {
		if err := w.CheckEnds(); err != nil {
			t.Fatal(err)
		}
	}
	says(1)
	for i := range 2 {
		mustCommit(t, w, order(0, "b"))
		for reached := (eventlog.Offsets{}); reached[orders0] < int64(3+2*i); {
			if _, reached, err = f.Poll(logtest.Context(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	says(2) // the writer's client, and the follower's
}

// lockedBuffer collects what is logged from several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
