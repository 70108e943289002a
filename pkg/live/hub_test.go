package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// hubFixture is a hub of orders with one partition, whose changes are messages with their values.
type hubFixture struct {
	*Hub
	t        *testing.T
	registry *prometheus.Registry
	next     int64
}

func newHubFixture(t *testing.T) *hubFixture {
	t.Helper()
	f := &hubFixture{t: t, registry: prometheus.NewRegistry()}
	metrics, err := NewStreamMetrics(f.registry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewStreamMetrics(f.registry); err == nil {
		t.Error("the metrics are registered twice")
	}
	f.Hub = NewHub(HubConfig{
		Name: "orders", Topic: eventlog.TopicOrders, Partitions: 1, Metrics: metrics,
		Logger: slog.New(slog.DiscardHandler),
		Render: func(c *Change) (string, []byte, any, error) {
			text := fmt.Sprint(c.Value)
			switch text {
			case "bad":
				return "", nil, nil, errors.New("it is bad")
			case "invisible":
				return "", nil, nil, nil
			}
			return "changed", []byte(text), text, nil
		},
	})
	f.Restart(eventlog.Offsets{{Topic: eventlog.TopicOrders}: 0})
	return f
}

// run starts the goroutine of the hub.
func (f *hubFixture) run() {
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	f.t.Cleanup(func() { cancel(); <-ended })
}

// publish publishes changes of a key.
func (f *hubFixture) publish(key string, values ...string) {
	tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	from := f.next
	f.next += int64(len(values))
	f.Publish(func() []Change {
		changes := make([]Change, len(values))
		for i, v := range values {
			changes[i] = Change{tp, from + int64(i), key, v}
		}
		return changes
	}, eventlog.Offsets{tp: f.next})
}

// take waits until a subscription has n messages, or has ended.
func take(t *testing.T, s *Subscription, n int) (got []string, end End) {
	t.Helper()
	for len(got) < n && end == "" {
		select {
		case <-s.Ready():
		case <-logtest.Context(t).Done():
			t.Fatalf("got %v, want %d", got, n)
		}
		var messages []*Message
		messages, end = s.Take()
		for _, m := range messages {
			short := strings.NewReplacer("\nevent: changed\ndata", "", "\n\n", "", "id: ", "")
			got = append(got, short.Replace(string(m.Text)))
		}
	}
	return got, end
}

func TestSubscribersGetWhatTheyHaveSubscribedTo(t *testing.T) {
	f := newHubFixture(t)
	f.publish("a", "before")
	all, at := f.Subscribe(nil, nil)
	defer all.Close()
	if at.String() != "o0.1" {
		t.Errorf("subscribed behind %s", at)
	}
	keys, _ := f.Subscribe([]string{"a", "b"}, func(m *Message) bool { return m.Of != "2" })
	defer keys.Close()
	if keys.Told() != "" {
		t.Errorf("nothing was told yet: %s", keys.Told())
	}
	f.publish("a", "1", "2", "invisible", "3")
	f.publish("c", "4")
	f.publish("b", "5")
	late, _ := f.Subscribe([]string{"b"}, nil)
	defer late.Close()
	f.publish("b", "6")
	f.run() // what was published before the hub runs is told as well
	const want = "[o0.2: 1 o0.3: 2 o0.5: 3 o0.6: 4 o0.7: 5 o0.8: 6]"
	if got, end := take(t, all, 6); fmt.Sprint(got) != want || end != "" {
		t.Errorf("all: %v %s, want %s", got, end, want)
	}
	if got, _ := take(t, keys, 4); fmt.Sprint(got) != "[o0.2: 1 o0.5: 3 o0.7: 5 o0.8: 6]" {
		t.Errorf("two keys without one message: %v", got)
	}
	if got, _ := take(t, late, 1); fmt.Sprint(got) != "[o0.8: 6]" {
		t.Errorf("who came late: %v", got)
	}
	f.publish("c", "7")
	if got, _ := take(t, all, 1); fmt.Sprint(got) != "[o0.9: 7]" {
		t.Errorf("all: %v", got)
	}
	for told := ""; told != "o0.9"; told = late.Told() {
		if told != "" && told != "o0.8" {
			t.Fatalf("told up to %s", told)
		}
	}
}

// A client that reads nothing is dropped once so much waits for it; the others get everything at once.
func TestASlowClientIsDroppedAndHoldsUpNobody(t *testing.T) {
	f := newHubFixture(t)
	f.run()
	slow, _ := f.Subscribe([]string{"a"}, nil)
	defer slow.Close()
	large, _ := f.Subscribe([]string{"large"}, nil)
	defer large.Close()
	quick, _ := f.Subscribe(nil, nil)
	defer quick.Close()
	for i := range MaxQueuedMessages + 5 {
		f.publish("a", fmt.Sprint(i))
		want := fmt.Sprintf("[o0.%d: %d]", i+1, i)
		if got, end := take(t, quick, 1); fmt.Sprint(got) != want || end != "" {
			t.Fatalf("got %v %s, want %s", got, end, want)
		}
	}
	// What was queued is whole up to its last message, so that the client can go on behind that.
	got, end := take(t, slow, MaxQueuedMessages+1)
	if end != EndSlow || len(got) != MaxQueuedMessages || got[len(got)-1] != "o0.1024: 1023" {
		t.Errorf("%d messages up to %s, %q", len(got), got[len(got)-1], end)
	}
	for range 3 {
		f.publish("large", strings.Repeat("x", MaxQueuedBytes/2))
		take(t, quick, 1)
	}
	if got, end := take(t, large, 3); end != EndSlow || len(got) != 1 {
		t.Errorf("%d large messages, %q", len(got), end)
	}
	if n, _ := logtest.Metric(t, f.registry, "holdfast_streams_dropped_total"); n != 2 {
		t.Errorf("%v streams were dropped", n)
	}
	if n, _ := logtest.Metric(t, f.registry, "holdfast_streams_open"); n != 3 {
		t.Errorf("%v streams are open", n)
	}
}

func TestStreamsEndForAReason(t *testing.T) {
	orders := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	for end, happens := range map[End]func(f *hubFixture){
		EndFailed:    func(f *hubFixture) { f.publish("a", "bad") },
		EndRestarted: func(f *hubFixture) { f.Restart(eventlog.Offsets{orders: 7}) },
		EndBehind: func(f *hubFixture) {
			f.publish("b", make([]string, MaxPendingChanges+1)...)
		},
	} {
		f := newHubFixture(t)
		s, _ := f.Subscribe([]string{"a", "b"}, nil)
		f.Restart(eventlog.Offsets{orders: 0}) // where it is: nothing was left out
		happens(f)
		f.run()
		if got, why := take(t, s, 1); len(got) != 0 || why != end {
			t.Errorf("%s: %v, %q", end, got, why)
		}
		s.Close()
	}
	f := newHubFixture(t)
	s, _ := f.Subscribe(nil, nil)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, why := take(t, s, 1); why != EndStopping {
		t.Errorf("of a process that stops: %q", why)
	}
}

// A subscription that lacks a change does not say that it has it.
func TestAStreamThatEndedIsToldNothingMore(t *testing.T) {
	f := newHubFixture(t)
	s, _ := f.Subscribe([]string{"a"}, nil)
	defer s.Close()
	other, _ := f.Subscribe([]string{"b"}, nil)
	defer other.Close()
	f.run()
	f.publish("b", "1")
	take(t, other, 1)
	f.publish("a", "bad")
	f.publish("b", "2", "3")
	take(t, other, 2)
	f.publish("b", "4")
	take(t, other, 1) // the batch before is dispatched
	if told := s.Told(); told != "" {
		t.Errorf("it was told up to %s", told)
	}
}

func TestAHubThatHasNotBegunHasNothing(t *testing.T) {
	metrics, err := NewStreamMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := NewHub(HubConfig{Topic: eventlog.TopicOrders, Partitions: 1, Metrics: metrics})
	if err := h.WaitFor(ended(t), eventlog.Position{}); !errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
	waits := make(chan error)
	go func() { waits <- h.WaitFor(t.Context(), eventlog.Position{}) }()
	h.Restart(eventlog.Offsets{{Topic: eventlog.TopicOrders}: 3})
	if err := <-waits; err != nil || h.Reached().String() != "o0.3" {
		t.Errorf("after: %v, %s", err, h.Reached())
	}
}

// What the hub does for each change, and each client, at 5,000 clients.
func BenchmarkDispatch(b *testing.B) {
	for name, keys := range map[string]func(i int) []string{
		"all":     func(int) []string { return nil },
		"one key": func(i int) []string { return []string{fmt.Sprint(i)} },
	} {
		b.Run(name, func(b *testing.B) {
			metrics, err := NewStreamMetrics(nil)
			if err != nil {
				b.Fatal(err)
			}
			tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
			h := NewHub(HubConfig{
				Topic: eventlog.TopicOrders, Partitions: 12, Metrics: metrics,
				Render: func(*Change) (string, []byte, any, error) { return "changed", make([]byte, 500), nil, nil },
			})
			subscriptions := make([]*Subscription, 5_000)
			for i := range subscriptions {
				subscriptions[i], _ = h.Subscribe(keys(i), nil)
			}
			for i := 0; b.Loop(); i++ {
				changes := []Change{{tp, int64(i), fmt.Sprint(i % 5_000), nil}}
				h.Publish(func() []Change { return changes }, eventlog.Offsets{tp: int64(i) + 1})
				h.dispatch(&h.batches[0])
				h.batches, h.pending = nil, 0
				for _, s := range subscriptions {
					if len(s.ready) > 0 {
						<-s.ready
						s.Take()
					}
				}
			}
		})
	}
}
