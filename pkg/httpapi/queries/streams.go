package queries

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/live"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
)

// Limits of streams, beside those in pkg/live.
const (
	// DefaultMaxStreams is how many streams of orders and of stock a replica has at a time.
	DefaultMaxStreams = 10_000
	// StreamHeartbeat is the longest time without a byte, so that proxies do not take the stream for dead.
	StreamHeartbeat = 15 * time.Second
	// streamKeyInterval is how often a stream looks whether its API key is valid still.
	streamKeyInterval = time.Second
	// streamWriteTimeout is how long a client may leave what was sent unread.
	streamWriteTimeout = 30 * time.Second
	// streamRetryMs is after how long a browser opens a stream again that has ended.
	streamRetryMs = 1_000
	// streamWriteBytes is how much of a queue is sent in one write.
	streamWriteBytes = 64 << 10
)

// afterHere begins a stream with what there is: the order, or the rows of the items, that it names.
const afterHere = "here"

// Streams are what streams of orders and of stock need.
type Streams struct {
	Orders *orderview.Store
	// OrderHub tells of changed orders. Filters look at a *orderview.Order.
	OrderHub *live.Hub
	// Events has what the streams of orders have missed.
	Events *live.Feed
	Stock  *availability.Store
	// StockHub tells of changed rows. Filters look at *availability.Levels.
	StockHub *live.Hub
	// Max is how many streams there are at a time.
	Max int
	// Heartbeat is the longest time without a byte: StreamHeartbeat, but for tests.
	Heartbeat time.Duration
}

// register adds the routes of streams.
func (s *Streams) register(router httpapi.Router, of eventlog.Incarnation, keys *access.Keys) {
	all := &streamRoutes{s, of, keys, make(chan struct{}, s.Max)}
	orders, stock := &orderStreams{all}, &stockStreams{all}
	router.Add(http.MethodGet, "/v1/orders/stream", orders.all)
	router.Add(http.MethodGet, "/v1/orders/:order_id/stream", orders.one)
	router.Add(http.MethodGet, "/v1/availability/stream", stock.rows)
}

// streamRoutes are what the routes of streams share.
type streamRoutes struct {
	*Streams
	of     eventlog.Incarnation
	access *access.Keys  // nil: access is off
	places chan struct{} // one for each stream
}

// stream is a stream that is about to be answered.
type stream struct {
	*streamRoutes
	c   echo.Context
	hub *live.Hub
	// view is what the hub tells of.
	view View
	// topic is the one of which ids are positions.
	topic string
	// keys are the orders or items that it names; none: all.
	keys []string
	// match selects messages; nil: all.
	match func(*live.Message) bool
	// here sends what there is, as of a position; nil: nothing.
	here func(at eventlog.Position, send sender) error
	// between sends what is behind a position, up to another one.
	between func(ctx context.Context, from, to eventlog.Position, send sender) error

	control *http.ResponseController
	buffer  []byte
	written time.Time // when something was written last
	checked time.Time // when the key was looked at last
}

// sender sends a message whose id is a position; what a filter looks at decides whether it is sent at all.
type sender func(at eventlog.Position, event string, data []byte, of any) error

// Why streams end.
var (
	errStreamEnded   = errors.New("the stream has ended") // its client has gone, or knows why
	errStreamStops   = errors.New("the server stops")
	errKeyEnded      = errors.New("the API key was revoked, or has expired")
	errViewRestarted = errors.New("the view has begun again further back")
)

// serve answers with the stream from where the client wants it to begin.
func (s *stream) serve() error {
	from, begins, err := s.begin()
	if err != nil {
		return err
	}
	return s.serveFrom(from, begins)
}

// serveFrom answers with the stream until its client has gone, is slow, or the server stops.
func (s *stream) serveFrom(from eventlog.Position, begins string) error {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		return &problem.Problem{
			Code: problem.TooManyStreams, RetryAfterSeconds: 5,
			Detail: fmt.Sprintf("There are %d streams at this replica already.", cap(s.places)),
		}
	}
	header := s.c.Response().Header()
	header["Content-Type"], header["Cache-Control"] = eventStreamContentType, []string{"no-store"}
	header["X-Accel-Buffering"] = []string{"no"} // nginx would gather what is sent
	s.c.Response().WriteHeader(http.StatusOK)
	if s.c.Request().Method == http.MethodHead {
		return nil
	}
	s.control = http.NewResponseController(s.c.Response().Writer)
	s.explain(s.follow(from, begins))
	return nil
}

// explain tells the client why a stream failed.
func (s *stream) explain(err error) {
	_, deleted := errors.AsType[*eventlog.LogStartError](err)
	why := live.EndFailed
	switch {
	case errors.Is(err, errStreamEnded), s.c.Request().Context().Err() != nil:
		return
	case errors.Is(err, errStreamStops):
		s.finish(live.EndStopping)
		return
	case errors.Is(err, errKeyEnded):
		s.hub.Ended(live.EndKey)
		s.finish(live.EndKey)
		return
	case errors.Is(err, errViewRestarted):
		why = live.EndRestarted
	case deleted:
		why = live.EndDeleted
	case errors.Is(err, live.ErrBusy):
		why = live.EndBusy
	}
	s.hub.Failed(why, err)
	s.finish(why)
}

// begin reads where the stream begins: behind Last-Event-ID, or else after, or else where streams of its kind begin.
func (s *stream) begin() (from eventlog.Position, begins string, err error) {
	text, err := httpapi.OneValue(s.c.Request().Header, "Last-Event-Id")
	if err != nil {
		return from, "", err
	}
	if text == "" {
		text = s.c.QueryParam(afterParameter)
	}
	switch {
	case text == "" && s.c.QueryParams().Has(afterParameter):
		return from, "", badParameter("after is empty: give it a position, or start, here or now.")
	case text == afterHere && len(s.keys) == 0:
		return from, "", badParameter("after=here is for a stream that names an order, or skus.")
	case text == "" && len(s.keys) > 0:
		begins = afterHere
	case text == "":
		begins = afterNow
	case text == afterStart, text == afterNow, text == afterHere:
		begins = text
	default:
		if from, err = parsePosition(text); err != nil {
			return from, "", err
		}
		from = from.Of(s.topic)
	}
	if begins != "" { // it is about now, and a view that reads the log still takes old events for new ones
		return from, begins, whole(s.view)
	}
	return from, begins, waitForPlace(s.c.Request().Context(), s, from, s.of)
}

// WaitFor, Reached and Age make the stream a place: it begins where its hub is.
func (s *stream) WaitFor(ctx context.Context, p eventlog.Position) error {
	return s.hub.WaitFor(ctx, p)
}

// Reached implements place.
func (s *stream) Reached() eventlog.Position { return s.hub.Reached() }

// Age implements place.
func (s *stream) Age() time.Duration { return s.view.Age() }

// follow sends what is behind the position, and then whatever comes.
func (s *stream) follow(from eventlog.Position, begins string) error {
	if err := s.write(fmt.Appendf(nil, ": holdfast\nretry: %d\n\n", streamRetryMs)); err != nil {
		return err
	}
	ctx := s.c.Request().Context()
	if begins == "" || begins == afterStart { // a long way back must not fill the queue of a subscription
		to := s.hub.Reached()
		if err := s.between(ctx, from, to, s.send); err != nil {
			return err
		}
		from = from.Merge(to)
	}
	subscription, at := s.hub.Subscribe(s.keys, s.match)
	defer subscription.Close()
	var err error
	switch {
	case !at.Reaches(from):
		err = errViewRestarted
	case begins == afterHere:
		err = s.here(at, s.send)
	case begins == afterNow:
	default:
		err = s.between(ctx, from, at, s.send)
	}
	if err != nil {
		return err
	}
	id := s.of.Text(at)
	if id == "" {
		id = afterStart // of a topic without events
	}
	if err := s.write([]byte("id: " + id + "\n\n")); err != nil {
		return err
	}
	return s.deliver(subscription)
}

// deliver sends the messages of a subscription until it ends.
func (s *stream) deliver(subscription *live.Subscription) error {
	ctx := s.c.Request().Context()
	heartbeat := time.NewTimer(s.Heartbeat)
	defer heartbeat.Stop()
	keyTick, stopTicks := s.keyTicks()
	defer stopTicks()
	for {
		messages, end := subscription.Take()
		for len(messages) > 0 {
			s.buffer = s.buffer[:0]
			for len(messages) > 0 && len(s.buffer) < streamWriteBytes {
				s.buffer, messages = append(s.buffer, messages[0].Text...), messages[1:]
			}
			if err := s.write(s.buffer); err != nil {
				return err
			}
		}
		if cap(s.buffer) > streamWriteBytes { // thousands of streams wait
			s.buffer = nil
		}
		if end != "" {
			s.finish(end)
			return errStreamEnded
		}
		heartbeat.Reset(s.Heartbeat - time.Since(s.written))
		select {
		case <-ctx.Done():
			return errStreamEnded
		case <-httpapi.Stopping(ctx):
			return errStreamStops
		case <-keyTick:
			if err := s.checkKey(); err != nil {
				return err
			}
		case <-subscription.Ready():
		case <-heartbeat.C:
			if err := s.beat(subscription.Told()); err != nil {
				return err
			}
		}
	}
}

// beat sends a comment, and a position that the client goes on from when it comes again.
func (s *stream) beat(told string) error {
	if told == "" {
		return s.write([]byte(": heartbeat\n\n"))
	}
	return s.write([]byte(": heartbeat\nid: " + told + "\n\n"))
}

// keyTicks ticks when the key is to be looked at.
func (s *stream) keyTicks() (tick <-chan time.Time, stop func()) {
	if s.access == nil {
		return nil, func() {}
	}
	ticker := time.NewTicker(streamKeyInterval)
	return ticker.C, ticker.Stop
}

// checkKey is an error once the key of the stream is no longer valid.
func (s *stream) checkKey() error {
	s.checked = time.Now()
	if httpapi.StillAllowed(s.access, s.c) != nil {
		return errKeyEnded
	}
	return nil
}

// mayGoOn is an error where a stream has to end that has something to send, or that looks for it.
func (s *stream) mayGoOn() error {
	ctx := s.c.Request().Context()
	select {
	case <-ctx.Done():
		return errStreamEnded
	case <-httpapi.Stopping(ctx):
		return errStreamStops
	default:
	}
	if s.access != nil && time.Since(s.checked) >= streamKeyInterval {
		return s.checkKey()
	}
	return nil
}

// catchesUp says now and then how far a stream has come that looks for what its client has missed. Without it a proxy
// takes one for dead whose filter finds little, and the client begins again where it began.
func (s *stream) catchesUp(at eventlog.Position) error {
	if err := s.mayGoOn(); err != nil || time.Since(s.written) < s.Heartbeat {
		return err
	}
	return s.beat(s.of.Text(at))
}

// send sends a message, if the stream selects it.
func (s *stream) send(at eventlog.Position, event string, data []byte, of any) error {
	if s.match != nil && !s.match(&live.Message{Of: of}) {
		return nil
	}
	s.buffer = live.AppendMessage(s.buffer[:0], s.of.Text(at), event, data)
	return s.write(s.buffer)
}

// finish says why the stream ends, as far as the client still reads.
func (s *stream) finish(why live.End) {
	data, _ := json.Marshal(map[string]string{"code": string(why), "detail": endDetails[why]}, json.Deterministic(true))
	_ = s.put(fmt.Appendf(nil, "event: end\ndata: %s\n\n", data)) // it ends anyway
}

// endDetails say what became of a stream, and what to do.
var endDetails = map[live.End]string{
	live.EndSlow:      "You have not read what was sent. Open the stream again: it goes on behind the last id.",
	live.EndBehind:    "The server could not keep up. Open the stream again: it goes on behind the last id.",
	live.EndRestarted: "The view began again. Open the stream again: it goes on behind the last id.",
	live.EndFailed:    "The server has failed, and logged why. Open the stream again: it goes on behind the last id.",
	live.EndBusy:      "Others read older events. Open the stream again: it goes on behind the last id.",
	live.EndDeleted:   "The log has the events behind the position no more. Tell the operators (docs/runbook.md).",
	live.EndKey:       "The API key was revoked, or has expired. Open the stream with another one, behind the last id.",
	live.EndStopping:  "The server stops. Open the stream again, at another replica: it goes on behind the last id.",
}

// write sends bytes at once, unless the stream has to end.
func (s *stream) write(b []byte) error {
	if err := s.mayGoOn(); err != nil {
		return err
	}
	return s.put(b)
}

// put sends bytes at once. Each has a time limit of its own, so that the server's for a whole answer does not count.
func (s *stream) put(b []byte) error {
	s.written = time.Now()
	// An error means a connection without deadlines, as in tests without a socket.
	_ = s.control.SetWriteDeadline(s.written.Add(streamWriteTimeout))
	if _, err := s.c.Response().Write(b); err != nil {
		return s.broken(err)
	}
	if err := s.control.Flush(); err != nil {
		return s.broken(err)
	}
	return nil
}

// broken counts a client that read nothing for so long. All others that cannot be written to have gone.
func (s *stream) broken(err error) error {
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		s.hub.Ended(live.EndSlow)
	}
	return errStreamEnded
}

// splitList reads a parameter with values that commas separate.
func splitList(parameters url.Values, name string) []string {
	if !parameters.Has(name) {
		return nil
	}
	values := strings.Split(parameters.Get(name), ",")
	slices.Sort(values)
	return slices.Compact(values)
}
