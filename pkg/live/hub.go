package live

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Limits of streams.
const (
	// MaxQueuedMessages and MaxQueuedBytes are how much may wait for a client. One for which there is more is slow: its
	// stream ends, and it goes on from where it was with another one.
	MaxQueuedMessages = 1_024
	MaxQueuedBytes    = 4 << 20
	// MaxPendingChanges are those that a hub has not dispatched yet. With more it has fallen behind: all streams end.
	MaxPendingChanges = 64 << 10
	// MaxKeys is how many orders or items one stream names.
	MaxKeys = 100
)

// End is why a stream ended.
type End string

// Ends of streams.
const (
	EndSlow      End = "slow_client"       // the client did not read what was sent
	EndBehind    End = "stream_behind"     // the process could not send as fast as things changed
	EndRestarted End = "view_restarted"    // the view has begun again, after an error or on another log
	EndFailed    End = "internal"          // a change could not be rendered
	EndStopping  End = "server_stopping"   // the process stops
	EndBusy      End = "too_many_requests" // no reader of older events was free
	EndDeleted   End = "events_deleted"    // the log begins behind the position
	EndKey       End = "unauthenticated"   // the API key was revoked, or has expired
)

// Change is an event that a view has folded: the order, or the row, that it changed.
type Change struct {
	eventlog.TopicPartition
	Offset int64
	// Key is the order's ID or the SKU.
	Key string
	// Value is what Render makes a message of.
	Value any
}

// Message is a change as clients get it. It is made once for all of them.
type Message struct {
	// Text is the message as server-sent events have it.
	Text []byte
	// Of is what filters look at.
	Of any
}

// HubConfig is what a hub needs.
type HubConfig struct {
	// Name is that of the stream in metrics.
	Name string
	// Topic is that of the changes' events.
	Topic      string
	Partitions int32
	// Render returns the name, the body and what filters look at of a change. An empty name: nothing that clients see
	// has changed.
	Render      func(c *Change) (event string, data []byte, of any, err error)
	Incarnation eventlog.Incarnation
	Logger      *slog.Logger
	Metrics     *StreamMetrics
}

// StreamMetrics are those of all streams of a process.
type StreamMetrics struct {
	open  *prometheus.GaugeVec
	ended *prometheus.CounterVec
}

// NewStreamMetrics registers the metrics of streams. Without a registerer they only count.
func NewStreamMetrics(registerer prometheus.Registerer) (*StreamMetrics, error) {
	m := &StreamMetrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_streams_open",
			Help: "Streams that are open, by what they tell of.",
		}, []string{"stream"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_streams_dropped_total",
			Help: "Streams that the server has ended, by reason; slow_client: its client did not read what was sent.",
		}, []string{"stream", "reason"}),
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.open, m.ended} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Hub tells subscribers what a view has folded. The view publishes and goes on: a goroutine of the hub renders the
// changes that somebody has subscribed to, each once, and queues them for the subscribers. A subscriber whose queue is
// full is dropped, so that it holds up nobody.
type Hub struct {
	space
	cfg  HubConfig
	wake chan struct{}

	mu       sync.Mutex
	batches  []batch // published and not dispatched
	pending  int     // changes in batches
	reached  vector  // up to where changes were published
	begun    bool
	moved    chan struct{} // closes when reached moves
	sequence uint64        // how many batches were published
	all      map[*Subscription]struct{}
	byKey    map[string]map[*Subscription]struct{}
	// told is the position of which all subscribers have everything, after so many batches.
	told         string
	toldSequence uint64
}

// batch is what a view has flushed.
type batch struct {
	changes  []Change
	before   vector
	reached  vector
	sequence uint64
}

// NewHub returns a hub that has not begun.
func NewHub(cfg HubConfig) *Hub {
	h := &Hub{
		space: space{cfg.Partitions}, cfg: cfg, wake: make(chan struct{}, 1), moved: make(chan struct{}),
		all: map[*Subscription]struct{}{}, byKey: map[string]map[*Subscription]struct{}{},
	}
	h.reached = make(vector, h.size())
	cfg.Metrics.open.WithLabelValues(cfg.Name).Set(0)
	return h
}

// Publish tells of the changes that changed returns, in the order of each partition, and up to where a view has its
// topic. changed is not called where nobody has subscribed. Changes that were published are passed over.
func (h *Hub) Publish(changed func() []Change, reached eventlog.Offsets) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.reached
	h.reached = slices.Clone(before)
	for tp, offset := range reached {
		if i, ok := h.index(tp); ok {
			h.reached[i] = max(h.reached[i], offset)
		}
	}
	h.move()
	if len(h.all)+len(h.byKey) == 0 {
		return // who subscribes later has these already
	}
	changes := slices.DeleteFunc(changed(), func(c Change) bool {
		i, ok := h.index(c.TopicPartition)
		return !ok || c.Offset < before[i] || c.Offset >= h.reached[i]
	})
	if h.pending += len(changes); h.pending > MaxPendingChanges {
		h.dropAll(EndBehind)
		return
	}
	h.sequence++
	h.batches = append(h.batches, batch{changes, before, h.reached, h.sequence})
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Reached is up to where changes were published.
func (h *Hub) Reached() eventlog.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position(h.reached).Of(h.cfg.Topic)
}

// Restart says that a view goes on from these offsets. Where they are not up to where it has published, streams end:
// what comes may leave something out, may have come before, or may be of another log.
func (h *Hub) Restart(from eventlog.Offsets) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := slices.Clone(h.reached)
	for tp, offset := range from {
		if i, ok := h.index(tp); ok {
			next[i] = offset
		}
	}
	if !slices.Equal(next, h.reached) {
		h.dropAll(EndRestarted)
	}
	h.reached = next
	h.move()
}

// move says that reached has moved. mu must be locked.
func (h *Hub) move() {
	h.begun = true
	close(h.moved)
	h.moved = make(chan struct{})
}

// WaitFor waits until the hub has published everything up to a position, or returns the context's error. Before its
// view has begun it has nothing, not even the beginning of the log.
func (h *Hub) WaitFor(ctx context.Context, p eventlog.Position) error {
	for {
		h.mu.Lock()
		has, moved := h.begun && h.position(h.reached).Reaches(p.Of(h.cfg.Topic)), h.moved
		h.mu.Unlock()
		if has {
			return nil
		}
		if err := await(ctx, moved); err != nil {
			return err
		}
	}
}

// dropAll ends all streams. mu must be locked.
func (h *Hub) dropAll(why End) {
	h.batches, h.pending = nil, 0
	for s := range h.all {
		s.drop(why)
	}
	for _, subscribers := range h.byKey {
		for s := range subscribers {
			s.drop(why)
		}
	}
}

// Run dispatches until ctx is done. Then all streams end.
func (h *Hub) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			h.mu.Lock()
			defer h.mu.Unlock()
			h.dropAll(EndStopping)
			return nil
		case <-h.wake:
		}
		h.mu.Lock()
		batches := h.batches
		h.batches, h.pending = nil, 0
		h.mu.Unlock()
		for i := range batches {
			h.dispatch(&batches[i])
		}
	}
}

// dispatch queues the changes of a batch for their subscribers.
func (h *Hub) dispatch(b *batch) {
	at := slices.Clone(b.before)
	var matching []*Subscription
	for i := range b.changes {
		c := &b.changes[i]
		place, _ := h.index(c.TopicPartition)
		at[place] = c.Offset + 1
		if matching = h.matching(matching[:0], c.Key, b.sequence); len(matching) == 0 {
			continue
		}
		event, data, of, err := h.cfg.Render(c)
		if err != nil {
			h.cfg.Logger.Error("a change cannot be rendered; its streams end", "stream", h.cfg.Name, "key", c.Key,
				"topic", c.Topic, "partition", c.Partition, "offset", c.Offset, "error", err)
			for _, s := range matching {
				s.drop(EndFailed)
			}
			continue
		}
		if event == "" {
			continue
		}
		m := &Message{Text: AppendMessage(nil, h.text(at), event, data), Of: of}
		for _, s := range matching {
			s.push(m)
		}
	}
	told := h.text(b.reached)
	h.mu.Lock()
	h.told, h.toldSequence = told, b.sequence
	h.mu.Unlock()
}

// matching appends those who have subscribed to a key before a batch was published.
func (h *Hub) matching(to []*Subscription, key string, sequence uint64) []*Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.all {
		if s.since < sequence {
			to = append(to, s)
		}
	}
	for s := range h.byKey[key] {
		if s.since < sequence {
			to = append(to, s)
		}
	}
	return to
}

// text is a position as clients see it, in the topic of the changes alone.
func (h *Hub) text(v vector) string {
	return h.cfg.Incarnation.Text(h.position(v).Of(h.cfg.Topic))
}

// AppendMessage appends a message as server-sent events have it. data is one line.
func AppendMessage(b []byte, id, event string, data []byte) []byte {
	b = append(append(b, "id: "...), id...)
	b = append(append(b, "\nevent: "...), event...)
	b = append(append(b, "\ndata: "...), data...)
	return append(b, "\n\n"...)
}

// Subscription is what one stream gets. Its methods are for the goroutine of the stream.
type Subscription struct {
	hub   *Hub
	keys  []string
	match func(*Message) bool
	since uint64 // the last batch before it
	ready chan struct{}

	mu    sync.Mutex
	queue []*Message
	bytes int
	end   End
}

// Subscribe subscribes to keys, or to all changes where there are none. match selects messages; nil: all. The
// subscription has everything behind the position that Subscribe returns, and must be closed.
func (h *Hub) Subscribe(keys []string, match func(*Message) bool) (*Subscription, eventlog.Position) {
	s := &Subscription{hub: h, keys: keys, match: match, ready: make(chan struct{}, 1)}
	h.cfg.Metrics.open.WithLabelValues(h.cfg.Name).Inc()
	h.mu.Lock()
	defer h.mu.Unlock()
	s.since = h.sequence
	if len(keys) == 0 {
		h.all[s] = struct{}{}
	}
	for _, key := range keys {
		if h.byKey[key] == nil {
			h.byKey[key] = map[*Subscription]struct{}{}
		}
		h.byKey[key][s] = struct{}{}
	}
	return s, h.position(h.reached).Of(h.cfg.Topic)
}

// Close ends the subscription.
func (s *Subscription) Close() {
	h := s.hub
	h.cfg.Metrics.open.WithLabelValues(h.cfg.Name).Dec()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, s)
	for _, key := range s.keys {
		if delete(h.byKey[key], s); len(h.byKey[key]) == 0 {
			delete(h.byKey, key)
		}
	}
}

func (s *Subscription) push(m *Message) {
	if s.match != nil && !s.match(m) {
		return
	}
	s.mu.Lock()
	full := len(s.queue) >= MaxQueuedMessages || len(s.queue) > 0 && s.bytes+len(m.Text) > MaxQueuedBytes
	if !full && s.end == "" {
		s.queue = append(s.queue, m)
		s.bytes += len(m.Text)
	}
	s.mu.Unlock()
	if full {
		s.drop(EndSlow)
		return
	}
	s.signal()
}

// drop ends the stream, once its client has what is queued: the first reason counts.
func (s *Subscription) drop(why End) {
	s.mu.Lock()
	first := s.end == ""
	if first {
		s.end = why
	}
	s.mu.Unlock()
	if first {
		s.hub.Ended(why)
	}
	s.signal()
}

// Failed logs why a stream has failed, and counts it.
func (h *Hub) Failed(why End, err error) {
	h.cfg.Logger.Error("a stream failed", "stream", h.cfg.Name, "error", err)
	h.Ended(why)
}

// Ended counts a stream that the server has ended.
func (h *Hub) Ended(why End) { h.cfg.Metrics.ended.WithLabelValues(h.cfg.Name, string(why)).Inc() }

func (s *Subscription) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Ready has a value when Take has something.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// Take returns the messages that are queued, and why nothing comes behind them, if nothing does.
func (s *Subscription) Take() (queued []*Message, end End) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queued, s.queue, s.bytes = s.queue, nil, 0
	return queued, s.end
}

// Told is a position up to which Take has returned everything that the subscription has; "": it is not known, or the
// subscription has ended and lacks something. A client that gets few messages need not go back far when it comes again.
func (s *Subscription) Told() string {
	s.hub.mu.Lock()
	told, sequence := s.hub.told, s.hub.toldSequence
	s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != "" || sequence <= s.since || len(s.queue) > 0 {
		return ""
	}
	return told
}
