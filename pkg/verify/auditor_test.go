package verify_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// audit is an auditor that follows a log of a test.
type audit struct {
	*verify.Auditor
	*logtest.Log
	cfg    verify.AuditorConfig
	logged *lines
	reg    *prometheus.Registry
	stop   func()
}

// lines is what a logger wrote.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// with are the lines with a message.
func (l *lines) with(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		var values map[string]any
		if err := json.Unmarshal([]byte(line), &values); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if values["msg"] == message {
			found = append(found, values)
		}
	}
	return found
}

const violatedMessage = "an invariant is violated"

func newAudit(t *testing.T, log *logtest.Log) *audit {
	t.Helper()
	a := &audit{Log: log, logged: &lines{}}
	a.cfg = verify.AuditorConfig{
		Dir: t.TempDir(), Client: log.Client, Layout: log.Layout, Logger: slog.New(slog.NewJSONHandler(a.logged, nil)),
	}
	a.start()
	return a
}

func (a *audit) start() {
	a.T.Helper()
	a.reg = prometheus.NewRegistry()
	a.cfg.Registerer = a.reg
	auditor, err := verify.NewHastyAuditor(a.cfg)
	if err != nil {
		a.T.Fatal(err)
	}
	a.Auditor = auditor
	end := a.Background(auditor.Run)
	a.stop = sync.OnceFunc(func() {
		end()
		if err := auditor.Close(); err != nil {
			a.T.Error(err)
		}
	})
	a.T.Cleanup(a.stop)
}

// compared waits until all that is in the log was folded and compared.
func (a *audit) compared() {
	a.T.Helper()
	a.Eventually("everything is compared", func() bool { return a.Ready() == nil && a.Compared() })
}

func (s *story) write(t *testing.T, log *logtest.Log) {
	t.Helper()
	if err := log.Client.Produce(log.Ctx, s.records(t, log.Layout)); err != nil {
		t.Fatal(err)
	}
}

// What a verification of the whole log finds, the auditor finds too. It cannot know what clients were told.
func TestTheAuditorFindsWhatVerifyFinds(t *testing.T) {
	for _, list := range [][]violation{
		stockViolations, orderViolations, amendmentViolations, documentViolations, agreementViolations, answerViolations,
		envelopeViolations, viewViolations,
	} {
		for _, v := range list {
			if v.acks != "" || v.name == "a row too few" || v.name == "a row that is behind" ||
				v.name == "a row of an earlier format alone" {
				continue // rows that are late are no violation while no progress row claims more
			}
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				s := healthy()
				v.plant(s)
				log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
				s.write(t, log)
				a := newAudit(t, log)
				a.Eventually("it is found", func() bool { return a.Found()[v.want] })
				a.Eventually("it is logged", func() bool { return len(a.logged.with(t, violatedMessage)) > 0 })
			})
		}
	}
}

func TestTheAuditorFindsNothingInAHealthyLog(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	healthy().write(t, log)
	a := newAudit(t, log)
	a.compared()
	if found := a.Found(); len(found) > 0 {
		t.Errorf("it finds %v: %s", found, &a.logged.text)
	}
}

// A progress row claims that all rows before it are written.
func TestTheAuditorHoldsTheViewToItsProgress(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	s := healthy()
	s.rows = nil
	s.write(t, log)
	a := newAudit(t, log)
	a.Eventually("ready", func() bool { return a.Ready() == nil })
	progress := &eventv1.AvailabilityRow{SourceOffset: 3, Format: 4}
	write := func() {
		value, err := progress.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		log.Write(eventlog.TopicAvailability, 0, "", value)
	}
	write() // up to the event before the last
	a.Eventually("it is read", func() bool { return a.metric("holdfast_verify_offset") == 5+5+1 })
	if found := a.Found(); len(found) > 0 {
		t.Errorf("it finds %v, and the row may be late", found)
	}
	progress.SourceOffset = 4
	write()
	a.Eventually("the row is missed", func() bool { return a.Found()[verify.View] })
}

func (a *audit) metric(name string) float64 {
	a.T.Helper()
	n, _ := logtest.Metric(a.T, a.reg, name)
	return n
}

// A violation is logged with its place, and the counts outlive a restart, which reads nothing again.
func TestTheAuditorGoesOnWhereItWas(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	s := healthy()
	s.write(t, log)
	a := newAudit(t, log)
	a.compared()
	a.stop()
	a.start()
	a.compared()
	log.Write(eventlog.TopicOrders, 0, "o-1", []byte("garbage"))
	a.Eventually("it is found", func() bool { return a.Found()[verify.Envelope] })
	lines := a.logged.with(t, violatedMessage)
	if len(lines) != 1 || lines[0]["topic"] != eventlog.TopicOrders || lines[0]["partition"] != 0.0 ||
		lines[0]["offset"] != float64(len(s.orders)) || lines[0]["invariant"] != verify.Envelope {
		t.Errorf("it logs %v", lines)
	}
	a.stop()
	a.start()
	a.Eventually("the counts are there again", func() bool {
		return a.metric("holdfast_verify_violations_total") == 1 &&
			a.metric("holdfast_verify_events_total") == float64(len(s.orders)+len(s.stock)+1)
	})
	if n := a.metric("holdfast_verify_checks_total"); n < 50 {
		t.Errorf("%v checks", n)
	}
}

// A tick saves what is folded of a poll, with how far that is: otherwise a killed auditor would fold records twice.
func TestASaveIsWhereTheFoldIs(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	s := healthy()
	s.write(t, log)
	a, err := verify.NewAuditor(verify.AuditorConfig{Dir: t.TempDir(), Client: log.Client, Layout: log.Layout})
	if err != nil {
		t.Fatal(err)
	}
	next, err := a.SaveAfterEach(log.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]int{eventlog.TopicOrders: len(s.orders), eventlog.TopicInventory: len(s.stock)} {
		if got := next[eventlog.TopicPartition{Topic: topic}]; got != int64(want) {
			t.Errorf("it goes on at %d of %s, want %d", got, topic, want)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// Records of another log would make every event of this one a violation.
func TestTheAuditorForgetsAnotherLog(t *testing.T) {
	first := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	healthy().write(t, first)
	a := newAudit(t, first)
	a.compared()
	a.stop()
	second := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	healthy().write(t, second)
	a.Log, a.cfg.Client = second, second.Client
	a.start()
	a.compared()
	if found := a.Found(); len(found) > 0 {
		t.Errorf("it finds %v: %s", found, &a.logged.text)
	}
	const forgets = "the auditor's records are not of this log; it reads the log from its start"
	if lines := a.logged.with(t, forgets); len(lines) != 1 {
		t.Errorf("it says %s", &a.logged.text)
	}
}

// Damaged records are deleted, and the log is read again.
func TestTheAuditorBeginsAgainWithoutItsRecords(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	healthy().write(t, log)
	a := newAudit(t, log)
	a.compared()
	a.stop()
	if err := os.RemoveAll(a.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	a.start()
	a.compared()
	if found := a.Found(); len(found) > 0 || a.metric("holdfast_verify_events_total") != 10 {
		t.Errorf("it finds %v", found)
	}
}

// An order that waits for stock of another shard is no violation. After a while it is counted as overdue.
func TestAnOrderThatWaitsIsNoViolation(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	s := healthy()
	s.addOrder("o-2", 1, "k-2", schematest.OrderEvent(s.placed()))
	s.write(t, log)
	a := newAudit(t, log)
	a.Eventually("it waits", func() bool { return a.metric("holdfast_verify_waiting_orders") == 1 })
	a.Eventually("it is overdue", func() bool { return a.metric("holdfast_verify_overdue_orders") == 1 })
	if found := a.Found(); len(found) > 0 {
		t.Errorf("it finds %v: %s", found, &a.logged.text)
	}
	log.Write(eventlog.TopicOrders, 0, "o-2", cancelled(t))
	a.Eventually("it waits no more", func() bool {
		return a.metric("holdfast_verify_waiting_orders") == 0 && a.metric("holdfast_verify_overdue_orders") == 0
	})
}

// So is one that stock of another shard was asked for, and that is not in the log.
func TestAnOrderThatIsNotWrittenIsNoViolation(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 2, ShardCount: 2})
	s, _ := reservedApart(log.Layout)
	s.write(t, log)
	a := newAudit(t, log)
	a.Eventually("it is overdue", func() bool { return a.metric("holdfast_verify_overdue_orders") == 1 })
	if found := a.Found(); len(found) > 0 {
		t.Errorf("it finds %v: %s", found, &a.logged.text)
	}
}

// cancelled is the second event of an order.
func cancelled(t *testing.T) []byte {
	t.Helper()
	ev := schematest.OrderEvent(&eventv1.OrderCancelled{})
	ev.OrderId, ev.Meta = "o-2", &eventv1.Meta{EventId: make([]byte, 16), Version: 2}
	value, err := ev.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return value
}
