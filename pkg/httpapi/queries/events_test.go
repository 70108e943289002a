package queries

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/live"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// feedSite serves a feed that a test fills, of a log with one partition a topic.
type feedSite struct {
	*apitest.Site
	orders, stock projector.Listener
	next          eventlog.Offsets
	starting      error // why its views may lack something
}

var (
	ordersTP    = eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	inventoryTP = eventlog.TopicPartition{Topic: eventlog.TopicInventory}
)

// patientless is a feed that has waited long enough already.
type patientless struct{ *live.Feed }

func (f patientless) WaitFor(_ context.Context, p eventlog.Position) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return f.Feed.WaitFor(ctx, p)
}

func newFeedSite(t *testing.T, of eventlog.Incarnation) *feedSite {
	t.Helper()
	tail := live.NewTail(1)
	s := &feedSite{next: eventlog.Offsets{ordersTP: 0, inventoryTP: 0}}
	feed, err := live.NewFeed(live.FeedConfig{
		Tail: tail, Age: func() time.Duration { return 7 * time.Millisecond }, Started: func() error { return s.starting },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.orders, s.stock = tail.Listener(eventlog.TopicOrders), tail.Listener(eventlog.TopicInventory)
	s.orders.Began(eventlog.Offsets{ordersTP: 0})
	s.stock.Began(eventlog.Offsets{inventoryTP: 0})
	s.Site = apitest.NewSite(t, nil, func(r httpapi.Router) {
		Register(r, Deps{Events: patientless{feed}, Incarnation: of})
	})
	return s
}

// order and item are the keys of the site's events.
const (
	order = "5f0c7f5e-2d5c-8a35-9d2f-0c9a3c1f7a11"
	item  = "A\"1"
)

func (s *feedSite) fold(t *testing.T, change proto.Message) {
	t.Helper()
	meta := &eventv1.Meta{EventId: []byte("0123456789abcdef"), Version: 1, OccurredAtMicros: 1_777_889_520_000_001}
	tp, key, listener, ev := inventoryTP, item, s.stock, proto.Message(nil)
	if strings.HasPrefix(string(change.ProtoReflect().Descriptor().Name()), "Order") {
		o := schematest.OrderEvent(change)
		o.OrderId, o.Meta = order, meta
		tp, key, listener, ev = ordersTP, order, s.orders, o
	} else {
		i := schematest.StockEvent(change)
		i.Sku, i.Meta = item, meta
		ev = i
	}
	value, err := proto.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	s.add(listener, eventlog.Record{TopicPartition: tp, Offset: s.next[tp], Key: []byte(key), Value: value})
}

func (s *feedSite) add(to projector.Listener, rec eventlog.Record) {
	s.next[rec.TopicPartition] = rec.Offset + 1
	to.Folded([]eventlog.Record{rec}, eventlog.Offsets{rec.TopicPartition: rec.Offset + 1})
}

func TestEventsAsCloudEvents(t *testing.T) {
	s := newFeedSite(t, "1a2b3c4d")
	s.fold(t, &eventv1.ItemRegistered{Description: "Heart"})
	s.fold(t, &eventv1.OrderPlaced{CustomerId: "c-1", TotalMicros: 9_007_199_254_740_993})
	s.fold(t, &eventv1.OrderConfirmed{})
	const envelope = `{"specversion":"1.0","id":"30313233-3435-3637-3839-616263646566","source":"/holdfast/`
	const meta = `"data":{"meta":{"event_id":"MDEyMzQ1Njc4OWFiY2RlZg==","version":1,` +
		`"occurred_at_micros":1777889520000001},`
	const registered = envelope + `inventory","type":"holdfast.item_registered.v1","subject":"A\"1",` +
		`"time":"2026-05-04T10:12:00.000001Z","datacontenttype":"application/json","position":"r1a2b3c4d~i0.1",` +
		meta + `"sku":"A\"1","item_registered":{"description":"Heart"}}}`
	// An old version is answered as the newest.
	const placed = envelope + `orders","type":"holdfast.order_placed.v2","subject":"` + order +
		`","time":"2026-05-04T10:12:00.000001Z","datacontenttype":"application/json","position":"r1a2b3c4d~o0.1",` + meta +
		`"order_id":"` + order + `","order_placed_v2":{` +
		`"customer_id":"c-1","total_micros":9007199254740993,"rounding":"ROUNDING_ORDER"}}}`
	for _, test := range []struct{ query, accept, want, position, more string }{
		{"?types=item_registered", "*/*", "[" + registered + "]\n", "r1a2b3c4d~o0.2~i0.1", "false"},
		{"?types=item_registered,order_placed", "*/*", "[" + registered + ",\n" + placed + "]\n", "r1a2b3c4d~o0.2~i0.1",
			"false"},
		{"?types=order_placed&topic=orders.events&after=start", "application/x-ndjson", placed + "\n", "r1a2b3c4d~o0.2",
			"false"},
		{"?limit=2&wait=60", "application/x-ndjson", registered + "\n" + placed + "\n", "r1a2b3c4d~o0.1~i0.1", "true"},
		{"?sku=A%221&wait=60", "", "[" + registered + "]\n", "r1a2b3c4d~i0.1", "false"},
		{"?order_id=" + strings.ToUpper(order) + "&limit=1", "", "[" + placed + "]\n", "r1a2b3c4d~o0.1", "true"},
		{"?after=now", "", "[]\n", "r1a2b3c4d~o0.2~i0.1", "false"},
		{"?after=r1a2b3c4d~o0.2", "application/x-ndjson", registered + "\n", "r1a2b3c4d~o0.2~i0.1", "false"},
		{"?after=r1a2b3c4d~o0.2~i0.1", "application/x-ndjson", "", "r1a2b3c4d~o0.2~i0.1", "false"},
	} {
		s.Unchecked = test.accept == "application/x-ndjson" // the check reads one line alone
		got := s.Do(t, http.MethodGet, "/v1/events"+test.query, "", "Accept: "+test.accept)
		h := got.Header
		if got.Status != http.StatusOK || got.Body != test.want || h.Get("Holdfast-Position") != test.position ||
			h.Get("Holdfast-More") != test.more || h.Get("Holdfast-Age-Ms") != "7" {
			t.Errorf("%s: %d %v\n got %s\nwant %s", test.query, got.Status, h, got.Body, test.want)
		}
	}
	got := s.Do(t, http.MethodHead, "/v1/events", "")
	if got.Status != http.StatusOK || got.Body != "" || got.Header.Get("Content-Type") != eventBatchContentType[0] {
		t.Errorf("HEAD: %v", got)
	}
	s.add(s.stock, eventlog.Record{TopicPartition: inventoryTP, Offset: 1, Key: []byte(item), Value: []byte("\xff")})
	s.add(s.orders, eventlog.Record{TopicPartition: ordersTP, Offset: 2, Key: []byte(item), Value: []byte("\xff")})
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		if got := s.Do(t, http.MethodGet, "/v1/events?topic="+topic, ""); got.Problem(t).Code != "internal" {
			t.Errorf("an event that is none, which no view folds: %v", got)
		}
	}
}

// What a replica reads that has just started is old.
func TestNowIsNotKnownWhileAViewStarts(t *testing.T) {
	s := newFeedSite(t, "")
	s.fold(t, &eventv1.OrderConfirmed{})
	s.starting = errors.New("the view orders is starting")
	if got := s.Do(t, http.MethodGet, "/v1/events?after=now", ""); got.Problem(t).Code != "view_starting" {
		t.Errorf("after=now: %v", got)
	}
	if got := s.Do(t, http.MethodGet, "/v1/events?after=o0.1", ""); got.Status != http.StatusOK {
		t.Errorf("after a position: %v", got)
	}
}

// An answer waits for its turn, and is refused only then.
func TestAnswersWithEventsWaitForTheirTurn(t *testing.T) {
	a := &eventAPI{answers: make(chan struct{}, 1), wait: time.Millisecond}
	c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events", nil), nil)
	if err := a.takeTurn(c); err != nil {
		t.Fatal(err)
	}
	busy, _ := errors.AsType[*problem.Problem](a.takeTurn(c))
	if busy == nil || busy.Code != problem.TooManyRequests {
		t.Errorf("got %v", busy)
	}
	a.wait = time.Minute
	turn := make(chan error)
	go func() { turn <- a.takeTurn(c) }()
	<-a.answers
	if err := <-turn; err != nil {
		t.Error(err)
	}
}

func TestEventsThatCannotBeAskedFor(t *testing.T) {
	s := newFeedSite(t, "")
	s.fold(t, &eventv1.OrderConfirmed{})
	for _, test := range []struct {
		query, accept string
		status        int
		code          string
	}{
		{"?after=", "", 400, "invalid_parameter"},
		{"?after=o0", "", 400, "invalid_position"},
		{"?after=o0.2", "", 409, "position_ahead"},
		{"?after=o1.1", "", 409, "position_ahead"},
		{"?after=r1a2b3c4d~o0.1", "", 409, "log_restored"},
		{"?types=", "", 400, "invalid_parameter"},
		{"?types=order_placed,order_paid", "", 400, "invalid_parameter"},
		{"?topic=orders", "", 400, "invalid_parameter"},
		{"?order_id=12", "", 400, "invalid_parameter"},
		{"?sku=", "", 400, "invalid_parameter"},
		{"?sku=A&topic=orders.events", "", 400, "invalid_parameter"},
		{"?order_id=" + order + "&topic=inventory.events", "", 400, "invalid_parameter"},
		{"?limit=0", "", 400, "invalid_parameter"},
		{"?limit=5001", "", 400, "invalid_parameter"},
		{"?wait=61", "", 400, "invalid_parameter"},
		{"?wait=1s", "", 400, "invalid_parameter"},
		{"?since=o0.1", "", 400, "invalid_parameter"},
		{"", "text/csv", 406, "not_acceptable"},
	} {
		got := s.Do(t, http.MethodGet, "/v1/events"+test.query, "", "Accept: "+test.accept)
		if got.Status != test.status || got.Problem(t).Code != test.code {
			t.Errorf("%s: %d %s", test.query, got.Status, got.Body)
		}
	}
}
