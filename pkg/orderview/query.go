package orderview

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/orderid"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Order returns an order as JSON, folded from its events, and its version.
func (s *Store) Order(id string) (jsonBody []byte, version uint64, ok bool, err error) {
	return s.OrderAt(id, &asof.Moment{})
}

// OrderAt returns an order as it was at a moment. ok is false where there was none.
func (s *Store) OrderAt(id string, m *asof.Moment) (jsonBody []byte, version uint64, ok bool, err error) {
	h, err := readEvents(s.view.db, id)
	if errors.Is(err, pebble.ErrNotFound) && orderid.IsByKey(id) {
		if id, err = s.named(id); err == nil {
			h, err = readEvents(s.view.db, id)
		}
	}
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, err
	}
	events := h.at(m, eventlog.PartitionFor(h.events[0].OrderId, s.view.partitions))
	if len(events) == 0 {
		return nil, 0, false, nil
	}
	jsonBody, version, err = render(h.number, events)
	return jsonBody, version, err == nil, err
}

// at is the events up to the first that does not count at a moment. One after it may count by the occurred clock, where
// the replicas that took the commands had different clocks: it says nothing without those before it, such as a
// cancellation of an order that was not placed. partition is that of the order.
func (h *history) at(m *asof.Moment, partition int32) []*eventv1.OrderEvent {
	if m.IsNow() {
		return h.events
	}
	at := asof.Event{TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: partition}}
	for i, ev := range h.events {
		at.Offset, at.OccurredMicros = h.offsets[i], ev.Meta.OccurredAtMicros
		at.RecordedMicros = max(at.RecordedMicros, ev.Meta.RecordedAtMicros)
		if !m.Has(&at) {
			return h.events[:i]
		}
	}
	return h.events
}

// readEvents reads the history of an order. The error is pebble.ErrNotFound where there is none.
func readEvents(db pebble.Reader, id string) (h history, err error) {
	v, closer, err := db.Get(historyKey(id))
	if err == nil {
		h, err = readHistory(v)
		err = errors.Join(err, closer.Close())
	}
	if err != nil {
		return history{}, fmt.Errorf("read order %s: %w", id, err)
	}
	return h, nil
}

// named is the ID of the order that the ID of a key alone stands for. The error is pebble.ErrNotFound where there is
// none.
func (s *Store) named(id string) (string, error) {
	prefix := historyKey(orderid.KeyOf(id))
	it, err := s.view.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upperBound(prefix)})
	if err != nil {
		return "", fmt.Errorf("read order %s: %w", id, err)
	}
	if !it.First() {
		err := errors.Join(cmp.Or(it.Error(), pebble.ErrNotFound), it.Close())
		return "", fmt.Errorf("read order %s: %w", id, err)
	}
	return string(it.Key()[1:]), it.Close()
}

// MaxExamined is how many orders a page of a list looks at: what no index has is found by reading the orders that the
// best index has. A page that has looked at so many ends early.
const MaxExamined = 10_000

// List returns up to limit orders of a filter, newest first, and fewer where MaxExamined ends the page. after is the
// cursor that the page before returned as next; "" is the first page. next is "" on the last page.
func (s *Store) List(
	ctx context.Context, f Filter, after string, limit int,
) (rows [][]byte, next string, err error) {
	if f.Number != 0 {
		err = s.eachNumbered(f, func(o *Order) error {
			body, err := json.Marshal(o)
			rows = append(rows, body)
			return err
		})
		return rows, "", err
	}
	next, err = s.scan(ctx, f, after, s.maxExamined, func(o *Order) error {
		if len(rows) == limit {
			return errEnough
		}
		body, err := json.Marshal(o)
		rows = append(rows, body)
		return err
	})
	return rows, next, err
}

// errEnough ends a scan without an error.
var errEnough = errors.New("enough orders")

// scan calls fn with each order of a filter, newest first, from behind the cursor after. They are as they were at one
// moment, however long it takes. next is where a scan goes on that errEnough has ended, before that order, or that has
// looked at most orders; most is 0 for no bound.
func (s *Store) scan(
	ctx context.Context, f Filter, after string, most int, fn func(*Order) error,
) (next string, err error) {
	var from []byte
	if after != "" {
		from = append([]byte(after), 0)
	}
	it, err := newestFrom(s.view.db.DB, &f, from)
	if err != nil {
		return "", fmt.Errorf("list orders: %w", err)
	}
	defer func() { err = errors.Join(err, it.close()) }()
	var last []byte
	for examined := 0; it.cursor() != nil; examined++ {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if most > 0 && examined == most {
			return string(last), nil
		}
		err := it.selected(&f, fn)
		if errors.Is(err, errEnough) {
			return string(last), nil
		}
		if err != nil {
			return "", err
		}
		last = append(last[:0], it.cursor()...)
		it.next()
	}
	return "", it.error()
}

// Each calls row for each order of a filter, newest first. They are as they were at one moment, however long it takes.
// It ends with the first error of row.
func (s *Store) Each(ctx context.Context, f Filter, row func(*Order) error) error {
	if f.Number != 0 {
		return s.eachNumbered(f, row)
	}
	_, err := s.scan(ctx, f, "", 0, row)
	return err
}

// eachNumbered calls row for the order with the filter's number, if the filter has it.
func (s *Store) eachNumbered(f Filter, row func(*Order) error) error {
	id, err := s.numbered(f.Number)
	if err != nil || id == "" {
		return err
	}
	h, err := readEvents(s.view.db, id)
	if err != nil {
		return err
	}
	o := orderOf(h.number, h.events)
	if !f.selects(o) {
		return nil
	}
	return row(o)
}
