package availability

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	"github.com/holdfast/holdfast/pkg/tracing"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// StoreConfig is what a store needs.
type StoreConfig struct {
	Client     *eventlog.Client
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Tracer     *tracing.Tracer // nil: nobody traces
	// Listener is told of rows that have changed; nil: nobody is.
	Listener Listener
}

// Store is the view as readers see it: every row in memory with its answer ready, kept current from the availability
// topic. Run, Ready, Age, WaitFor and Reached come from the runtime; positions are those of inventory.events. A topic
// that was deleted and made again is read from its start; rows that are in memory stay until newer ones come.
type Store struct {
	*projector.Runtime
	view *storeView
}

// NewStore returns an empty store; Run fills it.
func NewStore(cfg StoreConfig) (*Store, error) {
	v := &storeView{
		client:  cfg.Client,
		layout:  cfg.Layout,
		changed: map[string]*eventv1.AvailabilityRow{},
		rows:    rows{bySKU: map[string]storedRow{}},
	}
	if cfg.Listener != nil {
		v.unfinished = newUnfinished(cfg.Listener)
	}
	runtime, err := projector.New(projector.Config{
		Name: "availability", Partitions: projector.Partitions(eventlog.TopicAvailability, cfg.Layout),
		Source: eventlog.TopicInventory, View: v,
		Client: cfg.Client, Logger: cfg.Logger, Registerer: cfg.Registerer,
		Tracer: cfg.Tracer,
	})
	if err != nil {
		return nil, err
	}
	v.advance = runtime.Advance
	return &Store{runtime, v}, nil
}

// rows is the storage of the view.
type rows struct {
	mu    sync.RWMutex
	bySKU map[string]storedRow
}

// storedRow is a row as it is kept for answers.
type storedRow struct {
	body    []byte // the answer; nil for an item that is not registered
	version uint64 // as clients are shown it
	offset  int64  // of the event that the row was made from
	// seen is the offset of the event that last changed what clients see. Of a row that was written before the store
	// began it may be a later one.
	seen int64
	// metadata is the member that Stock has of it; empty for none. Answers that shops ask for leave it out: there are
	// many of them, and metadata may be larger than all the rest.
	metadata string
	// open is the row of an item with open work, which Stock renders. It never changes.
	open *eventv1.AvailabilityRow
}

func (r *rows) get(sku string) storedRow {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.bySKU[sku]
}

// each calls fn for every row.
func (r *rows) each(fn func(sku string, row storedRow)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for sku, row := range r.bySKU {
		fn(sku, row)
	}
}

// put stores a row, unless the store has a newer one.
func (r *rows) put(row *eventv1.AvailabilityRow) {
	r.mu.RLock()
	old, ok := r.bySKU[row.Sku]
	r.mu.RUnlock()
	if ok && old.offset >= row.SourceOffset {
		return
	}
	next := storedRow{version: row.VisibleVersion, offset: row.SourceOffset, seen: row.SourceOffset}
	if ok && old.body != nil && old.version == row.VisibleVersion {
		next.seen = old.seen
	}
	if row.Registered {
		next.body, next.metadata = render(row), string(renderMetadata(row.Metadata))
		if hasOpenWork(row) {
			next.open = row
		}
	}
	r.mu.Lock()
	r.bySKU[row.Sku] = next
	r.mu.Unlock()
}
