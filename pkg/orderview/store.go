package orderview

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Keys: a letter, then the parts. Times are inverted, so that the newest comes first.
const (
	keyEvent    = 'e' // order ID \0 version → the event as it stands in the log
	keyHead     = 'h' // order ID → head
	keyCustomer = 'c' // customer ID \0 inverted time, order ID
	keyStatus   = 's' // status \0 inverted time, order ID
	keyRecent   = 't' // inverted time, order ID
	keyOffset   = 'p' // partition → next offset
)

// memTableBytes bounds the tail of the log that a restart folds again.
const memTableBytes = 16 << 20

// Store holds the view. It is a cache of the log: delete its folder and it comes back equal.
type Store struct {
	client *eventlog.Client
	layout eventlog.Layout
	log    *slog.Logger
	db     *pebble.DB

	next      eventlog.Offsets
	watermark *eventlog.Watermark
	atEnd     atomic.Int64
	loaded    atomic.Bool
	mu        sync.Mutex
	fault     error
}

// head is what the indexes need to know of an order.
type head struct {
	status   string
	placedAt int64
	left     int64 // units still to ship
	customer string
	version  uint64

	// indexed is the status that the index on disk has.
	indexed string
}

// Open opens the store in dir; Run brings it up to date.
func Open(dir string, client *eventlog.Client, layout eventlog.Layout, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the order view: %w", err)
	}
	// No write-ahead log: what a crash takes of the newest memtable, the log of events gives back.
	db, err := pebble.Open(dir, &pebble.Options{
		MemTableSize: memTableBytes, DisableWAL: true, L0CompactionThreshold: 8, LBaseMaxBytes: 512 << 20, Logger: quietLogger{},
	})
	if err != nil {
		return nil, fmt.Errorf("open the order view %s: %w", dir, err)
	}
	s := &Store{client: client, layout: layout, log: log, db: db, next: eventlog.Offsets{}, watermark: eventlog.NewWatermark()}
	for p := range layout.PartitionCount {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: p}
		if s.next[tp], err = s.loadOffset(p); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	s.watermark.Advance(s.next)
	return s, nil
}

// Close closes the store; Run must have returned.
func (s *Store) Close() error { return errors.Join(s.db.Flush(), s.db.Close()) }

// WaitFor waits until the view holds everything up to a position of orders.events.
func (s *Store) WaitFor(ctx context.Context, p eventlog.Position) error {
	return s.watermark.Wait(ctx, p.Of(eventlog.TopicOrders))
}

// Reached is how far the view is in orders.events.
func (s *Store) Reached() eventlog.Position { return s.watermark.Reached() }

// Age is how long ago the view last stood at the end of its topic.
func (s *Store) Age() time.Duration { return time.Since(time.UnixMicro(s.atEnd.Load())) }

// Ready is nil once the view has caught up with what stood in the log at its start.
func (s *Store) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	if !s.loaded.Load() {
		return errors.New("the order view is loading")
	}
	return nil
}

const restartAfter = time.Second

// Run follows orders.events until ctx is done.
func (s *Store) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.run(ctx)
		if ctx.Err() != nil {
			break
		}
		s.mu.Lock()
		s.fault = err
		s.mu.Unlock()
		s.log.Error("the order view stops and tries again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(restartAfter):
		}
	}
	return nil
}

func (s *Store) run(ctx context.Context) error {
	tps := make([]eventlog.TopicPartition, 0, len(s.next))
	for tp := range s.next {
		tps = append(tps, tp)
	}
	end, err := s.client.StableOffsets(ctx, tps)
	if err != nil {
		return err
	}
	if err := s.dropIfAhead(end); err != nil {
		return err
	}
	f, err := s.client.Follow(s.next.Clone())
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if s.next.Covers(end) {
			s.atTheEnd()
		}
		poll, cancel := context.WithTimeout(ctx, idleCheck)
		recs, reached, err := f.Poll(poll)
		cancel()
		switch {
		case err == nil:
			if err := s.apply(recs, reached); err != nil {
				return err
			}
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		default: // nothing came: is there nothing?
			if end, err = s.client.StableOffsets(ctx, tps); err != nil {
				return err
			}
		}
	}
}

// idleCheck is after how long without events the log is asked for its end, so that Age tells an idle log
// from a lost one.
const idleCheck = time.Second

func (s *Store) atTheEnd() {
	s.atEnd.Store(time.Now().UnixMicro())
	s.loaded.Store(true)
	s.mu.Lock()
	s.fault = nil
	s.mu.Unlock()
}

// dropIfAhead empties a store that holds more than the log: an embedded broker lost its last writes.
func (s *Store) dropIfAhead(end eventlog.Offsets) error {
	for tp, next := range s.next {
		if next <= end[tp] {
			continue
		}
		s.log.Warn("the order view is ahead of the log; building it again", "partition", tp.Partition)
		if err := s.db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
			return fmt.Errorf("empty the order view: %w", err)
		}
		for tp := range s.next {
			s.next[tp] = 0
		}
		return nil
	}
	return nil
}

// apply folds a batch: effects and offsets in one Pebble batch. Without a sync: what a power cut takes,
// the log gives back.
func (s *Store) apply(recs []eventlog.Record, reached eventlog.Offsets) error {
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }()
	heads := map[string]*head{}
	for i := range recs {
		if err := s.applyEvent(b, heads, &recs[i]); err != nil {
			return fmt.Errorf("cannot fold %s partition %d offset %d: %w", recs[i].Topic, recs[i].Partition, recs[i].Offset, err)
		}
	}
	for id, h := range heads {
		if err := h.write(b, id); err != nil {
			return err
		}
	}
	for tp, next := range reached {
		if err := b.Set(offsetKey(tp.Partition), binary.BigEndian.AppendUint64(nil, uint64(next)), nil); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write the order view: %w", err)
	}
	s.next.Merge(reached)
	s.watermark.Advance(reached)
	return nil
}

func (s *Store) applyEvent(b *pebble.Batch, heads map[string]*head, rec *eventlog.Record) error {
	var ev eventv1.OrderEvent
	if err := ev.UnmarshalVT(rec.Value); err != nil {
		return err
	}
	if ev.OrderId == "" || ev.Meta == nil || ev.Change == nil {
		return errors.New("an event without order ID, meta or a known change")
	}
	h := heads[ev.OrderId]
	if h == nil {
		h = &head{}
		// The first event of an order finds none, except when it is read again.
		if ev.Meta.Version > 1 || !s.loaded.Load() {
			var err error
			if h, err = s.head(ev.OrderId); err != nil {
				return err
			}
		}
		heads[ev.OrderId] = h
	}
	if ev.Meta.Version <= h.version {
		return nil // seen
	}
	if ev.Meta.Version != h.version+1 {
		return fmt.Errorf("order %s has version %d after %d", ev.OrderId, ev.Meta.Version, h.version)
	}
	h.version = ev.Meta.Version
	err := b.Set(eventKey(ev.OrderId, ev.Meta.Version), rec.Value, nil)
	return errors.Join(err, h.follow(b, &ev))
}

// follow keeps the indexes true to an order's newest event.
func (h *head) follow(b *pebble.Batch, ev *eventv1.OrderEvent) error {
	var err error
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		h.customer, h.left = c.OrderPlaced.CustomerId, units(c.OrderPlaced.Lines)
	case *eventv1.OrderEvent_OrderImported:
		h.customer = c.OrderImported.CustomerId
	case *eventv1.OrderEvent_CreditNoteImported:
		h.customer = c.CreditNoteImported.CustomerId
	case *eventv1.OrderEvent_LinesShipped:
		h.ship(c.LinesShipped.Lines)
	case *eventv1.OrderEvent_ShipmentReconciled:
		h.ship(c.ShipmentReconciled.Lines)
	}
	if ev.Meta.Version == 1 {
		h.placedAt = ev.Meta.OccurredAtMicros
		err = errors.Join(
			b.Set(indexKey(keyCustomer, h.customer, h.placedAt, ev.OrderId), nil, nil),
			b.Set(indexKey(keyRecent, "", h.placedAt, ev.OrderId), nil, nil))
	}
	if status := statusAfter(ev); status != "" {
		h.status = status
	}
	return err
}

// write stores the head and moves the order in the index by status.
func (h *head) write(b *pebble.Batch, id string) error {
	err := b.Set(key(keyHead, id), h.encode(), nil)
	if h.status == h.indexed {
		return err
	}
	if h.indexed != "" {
		err = errors.Join(err, b.Delete(indexKey(keyStatus, h.indexed, h.placedAt, id), nil))
	}
	return errors.Join(err, b.Set(indexKey(keyStatus, h.status, h.placedAt, id), nil, nil))
}

func (h *head) ship(lines []*eventv1.LineQuantity) {
	for _, l := range lines {
		h.left -= l.Quantity
	}
	if h.left <= 0 {
		h.status = statusCompleted
	}
}

func units(lines []*eventv1.OrderLine) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}

// Order returns the answer for one order, folded from its events, and its version.
func (s *Store) Order(id string) (jsonBody []byte, version uint64, ok bool, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: key(keyEvent, id+"\x00"), UpperBound: key(keyEvent, id+"\x01")})
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
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upperBound(prefix)})
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
			if h, err := s.head(id); err != nil || h.status != status {
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

func (s *Store) head(id string) (*head, error) {
	h := &head{}
	v, closer, err := s.db.Get(key(keyHead, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", id, err)
	}
	if len(v) >= 24 {
		h.placedAt = int64(binary.BigEndian.Uint64(v))
		h.left = int64(binary.BigEndian.Uint64(v[8:]))
		h.version = binary.BigEndian.Uint64(v[16:])
		h.status, h.customer, _ = strings.Cut(string(v[24:]), "\x00")
		h.indexed = h.status
	}
	return h, closer.Close()
}

func (h *head) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(h.placedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(h.left))
	b = binary.BigEndian.AppendUint64(b, h.version)
	return append(append(append(b, h.status...), 0), h.customer...)
}

func (s *Store) loadOffset(partition int32) (int64, error) {
	v, closer, err := s.db.Get(offsetKey(partition))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the order view's offsets: %w", err)
	}
	if len(v) != 8 {
		return 0, errors.Join(fmt.Errorf("the order view's offset of partition %d has %d bytes; delete its folder", partition, len(v)), closer.Close())
	}
	return int64(binary.BigEndian.Uint64(v)), closer.Close()
}

func key(kind byte, id string) []byte { return append([]byte{kind}, id...) }

func offsetKey(partition int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{keyOffset}, uint32(partition))
}

func eventKey(id string, version uint64) []byte {
	return binary.BigEndian.AppendUint64(append(key(keyEvent, id), 0), version)
}

func indexPrefix(kind byte, value string) []byte {
	if kind == keyRecent {
		return []byte{kind}
	}
	return append(key(kind, value), 0)
}

func indexKey(kind byte, value string, at int64, id string) []byte {
	b := binary.BigEndian.AppendUint64(indexPrefix(kind, value), uint64(math.MaxInt64-at))
	return append(b, id...)
}

func upperBound(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	end[len(end)-1]++
	return end
}

// quietLogger drops Pebble's information; its errors come back from its calls.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)              {}
func (quietLogger) Errorf(string, ...any)             {}
func (quietLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
