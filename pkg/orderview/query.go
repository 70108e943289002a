package orderview

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Order returns the answer for one order, folded from its events, and its version.
func (s *Store) Order(id string) (jsonBody []byte, version uint64, ok bool, err error) {
	it, err := s.view.db.NewIter(&pebble.IterOptions{LowerBound: key(keyEvent, id+"\x00"), UpperBound: key(keyEvent, id+"\x01")})
	if err != nil {
		return nil, 0, false, fmt.Errorf("read order %s: %w", id, err)
	}
	var events []*eventv1.OrderEvent
	for it.First(); it.Valid(); it.Next() {
		ev := &eventv1.OrderEvent{}
		if err := ev.UnmarshalVT(it.Value()); err != nil {
			return nil, 0, false, errors.Join(fmt.Errorf("read order %s: %w", id, err), it.Close())
		}
		events = append(events, ev)
	}
	if err := it.Close(); err != nil || len(events) == 0 {
		return nil, 0, false, err
	}
	jsonBody, err = render(events)
	return jsonBody, events[len(events)-1].Meta.Version, err == nil, err
}

// List returns up to limit orders, newest first, of a customer, of a status, of both, or of all.
func (s *Store) List(ctx context.Context, customerID, status, after string, limit int) (rows [][]byte, next string, err error) {
	prefix := indexPrefix(keyRecent, "")
	switch {
	case customerID != "":
		prefix = indexPrefix(keyCustomer, customerID)
	case status != "":
		prefix = indexPrefix(keyStatus, status)
	}
	it, err := s.view.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upperBound(prefix)})
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	start := prefix
	if after != "" {
		place, err := base64.RawURLEncoding.DecodeString(after)
		if err != nil {
			return nil, "", fmt.Errorf("list orders: the place is damaged: %w", err)
		}
		start = append(append(bytes.Clone(prefix), place...), 0)
	}
	var last []byte
	for it.SeekGE(start); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		place := it.Key()[len(prefix):]
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
			return rows, base64.RawURLEncoding.EncodeToString(last), nil
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
	return rows, "", it.Error()
}
