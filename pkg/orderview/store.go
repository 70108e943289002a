package orderview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
)

// memTableBytes bounds the tail of the log that a restart folds again.
const memTableBytes = 16 << 20

// Config is what a store needs.
type Config struct {
	// Dir is the store's folder.
	Dir        string
	Client     *eventlog.Client
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Store holds the view. It is a cache of the log: delete its folder and it comes back equal. Run, Ready and
// Age are the runtime's.
type Store struct {
	*projector.Runtime
	view *writer
}

// Open opens the store; Run brings it up to date.
func Open(cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the order view: %w", err)
	}
	// No write-ahead log: what a crash takes of the newest memtable, the log of events gives back.
	db, err := pebble.Open(cfg.Dir, &pebble.Options{
		MemTableSize: memTableBytes, DisableWAL: true, L0CompactionThreshold: 8, LBaseMaxBytes: 512 << 20, Logger: quietLogger{},
	})
	if err != nil {
		return nil, fmt.Errorf("open the order view %s: %w", cfg.Dir, err)
	}
	w := &writer{client: cfg.Client, log: cfg.Logger, db: db, next: eventlog.Offsets{}, watermark: eventlog.NewWatermark()}
	partitions := projector.Partitions(eventlog.TopicOrders, cfg.Layout)
	for _, tp := range partitions {
		if w.next[tp], err = w.loadOffset(tp.Partition); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	w.watermark.Advance(w.next)
	runtime, err := projector.New(projector.Config{
		Name: "orders", Partitions: partitions, View: w, Client: cfg.Client, Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	w.caughtUp = func() bool { return runtime.Ready() == nil }
	return &Store{runtime, w}, nil
}

// Close closes the store; Run must have returned.
func (s *Store) Close() error { return s.view.close() }

// WaitFor waits until the view holds everything up to a position of orders.events.
func (s *Store) WaitFor(ctx context.Context, p eventlog.Position) error {
	return s.view.watermark.Wait(ctx, p.Of(eventlog.TopicOrders))
}

// Reached is how far the view is in orders.events.
func (s *Store) Reached() eventlog.Position { return s.view.watermark.Reached() }

// quietLogger drops Pebble's information; its errors come back from its calls.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)              {}
func (quietLogger) Errorf(string, ...any)             {}
func (quietLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
