package availability

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// StoreConfig is what a store needs.
type StoreConfig struct {
	Client     *eventlog.Client
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Store is the view as a reader has it: every row in memory with its answer ready, kept current from
// the availability topic. Run, Ready and Age are the runtime's. When the topic was deleted and made again it
// is read from its start; rows already here stay until newer ones come.
type Store struct {
	*projector.Runtime
	view *loaded
}

// NewStore returns an empty store; Run fills it.
func NewStore(cfg StoreConfig) (*Store, error) {
	v := &loaded{client: cfg.Client, layout: cfg.Layout, rows: map[string]stored{}, changed: map[string]*eventv1.AvailabilityRow{}, watermark: eventlog.NewWatermark()}
	runtime, err := projector.New(projector.Config{
		Name: "availability", Partitions: projector.Partitions(eventlog.TopicAvailability, cfg.Layout),
		View: v, Client: cfg.Client, Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	return &Store{runtime, v}, err
}

// Row returns the answer for a SKU, and its version. The bytes never change.
func (s *Store) Row(sku string) (jsonBody []byte, version uint64, ok bool) {
	s.view.mu.RLock()
	defer s.view.mu.RUnlock()
	row, ok := s.view.rows[sku]
	return row.body, row.version, ok && row.body != nil
}

// Stock returns the answer for a SKU with what is under way, and its version. It is made when it is asked for: an
// item may have thousands of orders that wait.
func (s *Store) Stock(sku string) (jsonBody []byte, version uint64, ok bool) {
	s.view.mu.RLock()
	row := s.view.rows[sku]
	s.view.mu.RUnlock()
	if row.body == nil {
		return nil, 0, false
	}
	return renderStock(row.body, row.open), row.version, true
}

// WaitFor waits until the view holds everything up to a position of inventory.events.
func (s *Store) WaitFor(ctx context.Context, p eventlog.Position) error {
	return s.view.watermark.Wait(ctx, p.Of(eventlog.TopicInventory))
}

// Reached is how far the view is in inventory.events.
func (s *Store) Reached() eventlog.Position { return s.view.watermark.Reached() }

// loaded is the store as the runtime drives it.
type loaded struct {
	client    *eventlog.Client
	layout    eventlog.Layout
	watermark *eventlog.Watermark
	progress  eventlog.Offsets                    // of inventory.events, since the last flush
	changed   map[string]*eventv1.AvailabilityRow // the newest of each SKU, since the last flush

	mu   sync.RWMutex
	rows map[string]stored
}

type stored struct {
	body    []byte
	version uint64
	offset  int64
	// open is the row of an item of which something is under way; it never changes.
	open *eventv1.AvailabilityRow
}

// Begin goes to the start of the topic: nothing is kept between runs.
func (l *loaded) Begin(ctx context.Context, _ eventlog.Offsets) (eventlog.Offsets, error) {
	l.progress = eventlog.Offsets{}
	clear(l.changed)
	return l.client.StartOffsets(ctx, projector.Partitions(eventlog.TopicAvailability, l.layout))
}

// Fold takes a row over, unless there is a newer one.
func (l *loaded) Fold(rec *eventlog.Record) error {
	row := &eventv1.AvailabilityRow{}
	switch err := decodeRow(rec, row); {
	case errors.Is(err, errOldRow):
		return nil
	case err != nil:
		return err
	}
	if row.Sku == "" {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: row.SourcePartition}
		l.progress[tp] = max(l.progress[tp], row.SourceOffset+1)
		return nil
	}
	if newest := l.changed[row.Sku]; newest == nil || newest.SourceOffset < row.SourceOffset {
		l.changed[row.Sku] = row
	}
	return nil
}

// Flush makes the answers of what changed, and moves the watermark to the progress that stands behind the rows.
func (l *loaded) Flush(context.Context, eventlog.Offsets) error {
	for _, row := range l.changed {
		l.put(row)
	}
	clear(l.changed)
	l.watermark.Advance(l.progress)
	clear(l.progress)
	return nil
}

func (l *loaded) put(row *eventv1.AvailabilityRow) {
	l.mu.RLock()
	old, ok := l.rows[row.Sku]
	l.mu.RUnlock()
	if ok && old.offset >= row.SourceOffset {
		return
	}
	next := stored{version: row.Version, offset: row.SourceOffset}
	if row.Registered {
		next.body = render(row)
		if hasOpenWork(row) {
			next.open = row
		}
	}
	l.mu.Lock()
	l.rows[row.Sku] = next
	l.mu.Unlock()
}
