package orderview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/projector"
)

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
	db, err := localstore.Open(filepath.Join(cfg.Dir, fmt.Sprintf("f%d", storeFormat)))
	if err != nil {
		return nil, fmt.Errorf("the order view: %w", err)
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
