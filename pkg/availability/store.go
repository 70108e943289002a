package availability

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Store is the view as a reader has it: every row in memory with its answer ready, kept current from
// the availability topic.
type Store struct {
	client *eventlog.Client
	layout eventlog.Layout
	log    *slog.Logger

	mu   sync.RWMutex
	rows map[string]stored

	watermark *eventlog.Watermark
	atEnd     atomic.Int64 // unix micros when the topic's end was last reached
	loaded    atomic.Bool
}

type stored struct {
	body    []byte
	version uint64
	offset  int64
}

// NewStore returns an empty store; Run fills it.
func NewStore(client *eventlog.Client, layout eventlog.Layout, log *slog.Logger) *Store {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Store{client: client, layout: layout, log: log, rows: map[string]stored{}, watermark: eventlog.NewWatermark()}
}

// Row returns the answer for a SKU, and its version. The bytes never change.
func (s *Store) Row(sku string) (jsonBody []byte, version uint64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, ok := s.rows[sku]
	return row.body, row.version, ok && row.body != nil
}

// WaitFor waits until the view holds everything up to a position of inventory.events.
func (s *Store) WaitFor(ctx context.Context, p eventlog.Position) error {
	return s.watermark.Wait(ctx, p.Of(eventlog.TopicInventory))
}

// Reached is how far the view is in inventory.events.
func (s *Store) Reached() eventlog.Position { return s.watermark.Reached() }

// Age is how long ago the view last stood at the end of its topic.
func (s *Store) Age() time.Duration { return time.Since(time.UnixMicro(s.atEnd.Load())) }

// Ready is nil once the topic has been read to where it ended at the start.
func (s *Store) Ready() error {
	if !s.loaded.Load() {
		return errors.New("the availability view is loading")
	}
	return nil
}

// Run follows the availability topic until ctx is done. When the topic was deleted and made again, it
// is read from its start; rows already here stay until newer ones come.
func (s *Store) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.run(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the availability view reads its topic again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(restartAfter):
			}
		}
	}
	return nil
}

func (s *Store) run(ctx context.Context) error {
	tps := make([]eventlog.TopicPartition, s.layout.PartitionCount)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: eventlog.TopicAvailability, Partition: int32(i)}
	}
	from, err := s.client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	end, err := s.client.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	f, err := s.client.Follow(from)
	if err != nil {
		return err
	}
	defer f.Close()
	if from.Covers(end) {
		s.atTheEnd()
	}
	reached := from.Clone()
	for {
		poll, cancel := context.WithTimeout(ctx, idleCheck)
		recs, now, err := f.Poll(poll)
		cancel()
		switch {
		case err == nil:
			s.apply(recs)
			reached = now
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		default: // nothing came: is there nothing?
			if end, err = s.client.EndOffsets(ctx, tps); err != nil {
				return err
			}
		}
		if err == nil && s.loaded.Load() || reached.Covers(end) {
			s.atTheEnd()
		}
	}
}

// idleCheck is after how long without rows the topic is asked for its end, so that Age tells an idle log
// from a lost one.
const idleCheck = time.Second

func (s *Store) atTheEnd() {
	s.atEnd.Store(time.Now().UnixMicro())
	s.loaded.Store(true)
}

// apply takes rows over, newest first by source offset, then moves the watermark to the progress that
// stands behind them.
func (s *Store) apply(recs []eventlog.Record) {
	progress := eventlog.Offsets{}
	var row eventv1.AvailabilityRow
	for i := range recs {
		row.Reset()
		if err := row.UnmarshalVT(recs[i].Value); err != nil {
			s.log.Error("a record of the availability topic is not a row; it is left out", "partition", recs[i].Partition, "offset", recs[i].Offset, "error", err)
			continue
		}
		if row.Sku == "" {
			tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: row.SourcePartition}
			progress[tp] = max(progress[tp], row.SourceOffset+1)
			continue
		}
		s.put(&row)
	}
	if len(progress) > 0 {
		s.watermark.Advance(progress)
	}
}

func (s *Store) put(row *eventv1.AvailabilityRow) {
	s.mu.RLock()
	old, ok := s.rows[row.Sku]
	s.mu.RUnlock()
	if ok && old.offset >= row.SourceOffset {
		return
	}
	next := stored{version: row.Version, offset: row.SourceOffset}
	if row.Registered {
		next.body = render(row)
	}
	s.mu.Lock()
	s.rows[row.Sku] = next
	s.mu.Unlock()
}
