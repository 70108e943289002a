package orderview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/projector"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Config is what a store needs.
type Config struct {
	// Dir is the store's folder.
	Dir        string
	Client     *eventlog.Client
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Tracer     *tracing.Tracer // nil: nobody traces
	// Listener is told which events the view has; nil: nobody is.
	Listener projector.Listener
}

// Store is the view as readers see it: a Pebble database with the events of every order and the indexes. It is a cache
// of the log: when its folder is deleted, it is built again and comes out equal. Run, Ready, Age, WaitFor and
// Reached come from the runtime; positions are those of orders.events.
type Store struct {
	*projector.Runtime
	view        *storeView
	maxExamined int // MaxExamined, but for tests
}

// gather is how long events gather before they are written, unless a reader waits for them. An order that was placed
// and reserved meanwhile is written once.
const gather = 50 * time.Millisecond

// Open opens the store; Run brings it up to date.
func Open(cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	dir := filepath.Join(cfg.Dir, fmt.Sprintf("f%d", storeFormat))
	db, err := localstore.OpenOrBuild(dir, localstore.MaxMemTableBytes, func(err error) {
		cfg.Logger.Warn("the order view is damaged; building it again from the log", "error", err)
	})
	if err != nil {
		return nil, fmt.Errorf("the order view: %w", err)
	}
	partitions := projector.Partitions(eventlog.TopicOrders, cfg.Layout)
	offsets, err := localstore.ReadOffsets(db, partitions)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the order view: %w", err), db.Close())
	}
	v := &storeView{
		client: cfg.Client, partitions: cfg.Layout.PartitionCount, log: cfg.Logger, db: db, offsets: offsets,
	}
	runtime, err := projector.New(projector.Config{
		Name: "orders", Partitions: partitions,
		View: v, Pause: gather, Client: cfg.Client, Logger: cfg.Logger, Registerer: cfg.Registerer,
		Tracer: cfg.Tracer, Listener: cfg.Listener,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	runtime.Advance(offsets.Next)
	v.caughtUp = func() bool { return runtime.Ready() == nil }
	return &Store{runtime, v, MaxExamined}, nil
}

// Run keeps the view current until ctx is done. It ends with an error when the files of the store are damaged or its
// disk fails; the store must be opened again then, and one that is damaged is built again.
func (s *Store) Run(ctx context.Context) error {
	return s.view.db.While(ctx, "the order view", s.Runtime.Run)
}

// Close closes the store; Run must have returned.
func (s *Store) Close() error { return s.view.close() }
