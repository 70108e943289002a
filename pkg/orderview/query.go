package orderview

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Order returns the answer for one order, folded from its events, and its version.
func (s *Store) Order(id string) (jsonBody []byte, version uint64, ok bool, err error) {
	v, closer, err := s.view.db.Get(historyKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("read order %s: %w", id, err)
	}
	events, err := eventsOf(v)
	if err = errors.Join(err, closer.Close()); err != nil {
		return nil, 0, false, fmt.Errorf("read order %s: %w", id, err)
	}
	jsonBody, err = render(events)
	return jsonBody, events[len(events)-1].Meta.Version, err == nil, err
}

func eventsOf(history []byte) (events []*eventv1.OrderEvent, err error) {
	err = chapters(history, func(_, framed []byte) error {
		for len(framed) > 0 {
			value, rest, err := frame(framed)
			if err != nil {
				return err
			}
			ev := &eventv1.OrderEvent{}
			if err := schema.ReadOrder(value, ev); err != nil {
				return err
			}
			events, framed = append(events, ev), rest
		}
		return nil
	})
	if err == nil && len(events) == 0 {
		err = errShortHistory
	}
	return events, err
}

// List returns up to limit orders, newest first, of a customer, of a status, of both, or of all.
func (s *Store) List(ctx context.Context, customerID, status, after string, limit int) (rows [][]byte, next string, err error) {
	var from []byte
	if after != "" {
		from = append([]byte(after), 0)
	}
	it, err := s.view.newest(customerID, status, from)
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	defer func() { err = errors.Join(err, it.close()) }()
	var last []byte
	for place := it.place(); place != nil; place = it.next() {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		id := string(place[8:])
		if customerID != "" && status != "" {
			if h, err := s.view.head(id); err != nil || h.status != status {
				if err != nil {
					return nil, "", err
				}
				continue
			}
		}
		if len(rows) == limit {
			return rows, string(last), nil
		}
		body, _, ok, err := s.Order(id)
		if err != nil {
			return nil, "", err
		}
		if ok {
			rows = append(rows, body)
			last = bytes.Clone(place)
		}
	}
	return rows, "", it.error()
}
