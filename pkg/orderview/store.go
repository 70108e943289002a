package orderview

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
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

// Store is the view as readers see it: a Pebble database with the events of every order and the indexes. It is a cache
// of the log: when its folder is deleted, it is built again and comes out equal. Run, Ready, Age, WaitFor and
// Reached come from the runtime; positions are those of orders.events.
type Store struct {
	*projector.Runtime
	view *storeView
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
	v := &storeView{
		client: cfg.Client,
		log:    cfg.Logger,
		db:     db,
		next:   eventlog.Offsets{},
	}
	partitions := projector.Partitions(eventlog.TopicOrders, cfg.Layout)
	for _, tp := range partitions {
		if v.next[tp], err = readOffset(db, tp.Partition); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	runtime, err := projector.New(projector.Config{
		Name: "orders", Partitions: partitions,
		View: v, Client: cfg.Client, Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	runtime.Advance(v.next)
	v.caughtUp = func() bool { return runtime.Ready() == nil }
	return &Store{runtime, v}, nil
}

// Close closes the store; Run must have returned.
func (s *Store) Close() error { return s.view.close() }

// readOffset reads at which offset of a partition the view goes on; 0: at the start.
func readOffset(db *pebble.DB, partition int32) (int64, error) {
	v, closer, err := db.Get(offsetKey(partition))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the order view's offsets: %w", err)
	}
	if len(v) != 8 {
		err := fmt.Errorf("the order view's offset of partition %d has %d bytes; delete its folder", partition, len(v))
		return 0, errors.Join(err, closer.Close())
	}
	return int64(binary.BigEndian.Uint64(v)), closer.Close()
}

func writeOffset(b *pebble.Batch, partition int32, next int64) error {
	return b.Set(offsetKey(partition), binary.BigEndian.AppendUint64(nil, uint64(next)), nil)
}
