package queries

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/live"
	"github.com/holdfast/holdfast/pkg/problem"
)

// EventStore is the change feed.
type EventStore interface {
	place
	starter
	// Page returns up to limit events of a filter behind a position. Where there are none it waits until waiting ends.
	Page(ctx, waiting context.Context, after eventlog.Position, f *live.Filter, limit int) (*live.Page, error)
}

// Limits of the change feed, beside those of a page in pkg/live.
const (
	// DefaultEvents is how many events a page has that is asked for without limit.
	DefaultEvents = 500
	// MaxEventAnswers is how many answers with events a replica renders and sends at a time. Each takes up to about 4 MiB
	// until its client has it; who waits for events takes none.
	MaxEventAnswers = 32
	// eventsAnswerWait is how long an answer waits until it is one of these.
	eventsAnswerWait = 5 * time.Second
	// eventsWriteTimeout is how long a client may leave a page unread.
	eventsWriteTimeout = 30 * time.Second
)

// Words of the parameter after that are no positions.
const (
	afterParameter = "after"
	afterStart     = "start"
	afterNow       = "now"
)

var (
	eventBatchContentType = []string{"application/cloudevents-batch+json"}
	eventTypes            = live.Types()
)

type eventAPI struct {
	store   EventStore
	of      eventlog.Incarnation
	answers chan struct{}
	wait    time.Duration // eventsAnswerWait, but for tests
	keys    *access.Keys  // nil: access is off
}

// eventQuery is what a client asks the feed for.
type eventQuery struct {
	filter live.Filter
	limit  int
	wait   time.Duration
}

func (a *eventAPI) get(c echo.Context) error {
	header := c.Response().Header()
	header["Vary"], header["Cache-Control"] = []string{"Accept"}, []string{"no-store"}
	format, err := chooseType(c.Request().Header, mediaType{"application", "cloudevents-batch+json"},
		mediaType{"application", "x-ndjson"})
	if err != nil {
		return err
	}
	q, err := parseEventQuery(c.QueryParams())
	if err != nil {
		return err
	}
	after, err := a.begin(c)
	if err != nil {
		return err
	}
	waiting, cancel := waitingFor(c.Request().Context(), q.wait)
	defer cancel()
	page, err := a.store.Page(c.Request().Context(), waiting, after, &q.filter, q.limit)
	if err != nil {
		return a.explain(err)
	}
	if err := a.takeTurn(c); err != nil {
		return err
	}
	defer func() { <-a.answers }()
	if err := httpapi.StillAllowed(a.keys, c); err != nil { // it may have waited for a minute
		return err
	}
	return a.answer(c, page, format == 1)
}

// begin is the position at which an answer begins.
func (a *eventAPI) begin(c echo.Context) (eventlog.Position, error) {
	after, now, err := parseAfter(c.QueryParams())
	if err == nil {
		err = waitForPlace(c.Request().Context(), a.store, after, a.of)
	}
	if err != nil || !now {
		return after, err
	}
	if err := whole(a.store); err != nil { // what it reads now is old
		return after, err
	}
	return a.store.Reached(), nil
}

// waitingFor is a context that ends after a time, or when the server stops.
func waitingFor(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	if stopping := httpapi.Stopping(ctx); stopping != nil && wait > 0 {
		go func() {
			defer cancel()
			select {
			case <-stopping:
			case <-waiting.Done():
			}
		}()
	}
	return waiting, cancel
}

// explain makes a refusal of what a client, or an operator, can do something about.
func (a *eventAPI) explain(err error) error {
	if cut, ok := errors.AsType[*eventlog.LogStartError](err); ok {
		oldest := eventlog.PositionOf(eventlog.Offsets{cut.TopicPartition: cut.Start})
		return problem.New(problem.EventsDeleted, "The log has no events before "+a.of.Text(oldest)+" there any more.")
	}
	if errors.Is(err, live.ErrBusy) {
		return &problem.Problem{
			Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("%d others read older events at the moment.", live.MaxLogReaders),
		}
	}
	return fmt.Errorf("read the change feed: %w", err)
}

// takeTurn waits until the answer is one of those that are sent at a time.
func (a *eventAPI) takeTurn(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), a.wait)
	defer cancel()
	select {
	case a.answers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &problem.Problem{
			Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("There are %d answers with events on their way already.", MaxEventAnswers),
		}
	}
}

// answer sends a page. It is rendered as a whole, so that the headers can say where it ends.
func (a *eventAPI) answer(c echo.Context, page *live.Page, lines bool) error {
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	var err error
	if buf.B, err = appendEvents(buf.B, page.Events, a.of, lines); err != nil {
		return err
	}
	header := c.Response().Header()
	if !page.Next.IsZero() {
		header["Holdfast-Position"] = []string{a.of.Text(page.Next)}
	}
	header["Holdfast-Age-Ms"] = []string{strconv.FormatInt(a.store.Age().Milliseconds(), 10)}
	header["Holdfast-More"] = []string{strconv.FormatBool(page.More)}
	contentType := eventBatchContentType
	if lines {
		contentType = httpapi.LinesContentType
	}
	// An error means a connection without deadlines, as in tests without a socket.
	_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Now().Add(eventsWriteTimeout))
	return httpapi.WriteBody(c, http.StatusOK, contentType, buf.B)
}

// appendEvents appends events as a batch, which is a list, or as lines.
func appendEvents(b []byte, events []eventlog.Record, of eventlog.Incarnation, lines bool) (_ []byte, err error) {
	if !lines {
		b = append(b, '[')
	}
	for i := range events {
		if i > 0 && !lines {
			b = append(b, ',', '\n')
		}
		if b, err = live.AppendEvent(b, &events[i], of); err != nil {
			return b, err
		}
		if lines {
			b = append(b, '\n')
		}
	}
	if !lines {
		b = append(b, ']')
	}
	return b, nil
}

// parseAfter reads where the events begin; without it, with the first one of the log. now: with the next one to come.
func parseAfter(parameters url.Values) (after eventlog.Position, now bool, err error) {
	text := parameters.Get(afterParameter)
	switch {
	case text == "" && parameters.Has(afterParameter):
		return after, false, badParameter("after is empty: give it a position, or start, or now.")
	case text == "", text == afterStart:
		return after, false, nil
	case text == afterNow:
		return after, true, nil
	}
	after, err = parsePosition(text)
	return after, false, err
}

func parseEventQuery(parameters url.Values) (q eventQuery, err error) {
	err = onlyParameters(parameters, afterParameter, "types", "topic", "order_id", "sku", "limit", "wait")
	if err != nil {
		return q, err
	}
	if q.limit, err = wholeNumber(parameters, "limit", 1, DefaultEvents, live.MaxPageEvents); err != nil {
		return q, err
	}
	seconds, err := wholeNumber(parameters, "wait", 0, 0, int(httpapi.MaxWait/time.Second))
	if err != nil {
		return q, err
	}
	q.wait = time.Duration(seconds) * time.Second
	if q.filter.Types, err = parseTypes(parameters); err != nil {
		return q, err
	}
	f := &q.filter
	f.Topic, f.OrderID, f.SKU = parameters.Get("topic"), strings.ToLower(parameters.Get("order_id")), parameters.Get("sku")
	switch {
	case parameters.Has("topic") && f.Topic != eventlog.TopicOrders && f.Topic != eventlog.TopicInventory:
		return q, badParameter("topic must be " + eventlog.TopicOrders + " or " + eventlog.TopicInventory + ".")
	case parameters.Has("order_id") && !isOrderID(f.OrderID):
		return q, badParameter("order_id must be the ID of an order, which is a UUID.")
	case parameters.Has("sku") && input.SKUFault(f.SKU) != "":
		return q, badParameter("sku " + input.SKUFault(f.SKU) + ".")
	case f.Topic == eventlog.TopicInventory && f.OrderID != "", f.Topic == eventlog.TopicOrders && f.SKU != "":
		return q, badParameter("Events with an order_id are in " + eventlog.TopicOrders + ", those with a sku in " +
			eventlog.TopicInventory + ": leave topic out.")
	}
	return q, nil
}

// isOrderID reports whether a text is a UUID in its usual form.
func isOrderID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

// parseTypes reads the types of events, which are separated by commas.
func parseTypes(parameters url.Values) ([]string, error) {
	if !parameters.Has("types") {
		return nil, nil
	}
	types := strings.Split(parameters.Get("types"), ",")
	for _, t := range types {
		if !slices.Contains(eventTypes, t) {
			return nil, badParameter("types has a name that no event has. There are " + strings.Join(eventTypes, ", ") + ".")
		}
	}
	return types, nil
}

// wholeNumber reads a parameter that is a whole number between least and most.
func wholeNumber(parameters url.Values, name string, least, otherwise, most int) (int, error) {
	if !parameters.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(parameters.Get(name))
	if err != nil || n < least || n > most {
		return 0, badParameter(fmt.Sprintf("%s must be a whole number from %d to %d.", name, least, most))
	}
	return n, nil
}
