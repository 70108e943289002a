package availability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	"github.com/holdfast/holdfast/pkg/tracing"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// ProjectorConfig is what a projector needs.
type ProjectorConfig struct {
	// Client reads.
	Client *eventlog.Client
	// Log opens the client that writes, a new one for each attempt. A client remembers the ID of a topic, so that after
	// the topic was deleted and made again it would fail for ever.
	Log        eventlog.Config
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Tracer     *tracing.Tracer // nil: nobody traces
}

// Projector folds inventory.events into rows of inventory.availability. That topic is also its only state: a projector
// that starts restores itself from there. Several may run at the same time. Each folds every event, leaves out rows
// that another has written, and repairs rows that a late one has replaced by older ones. Ready, Age and Run come from
// the runtime.
type Projector struct {
	*projector.Runtime
	view *projectorView
}

// NewProjector returns a projector that has not started.
func NewProjector(cfg ProjectorConfig) (*Projector, error) {
	cfg.Log.Registerer = nil // each attempt opens another client, and metrics are registered once
	v := &projectorView{
		log: cfg.Log, layout: cfg.Layout,
		rowsWritten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_availability_rows_total",
			Help: "Availability rows written.",
		}),
		rowsRepaired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_availability_rows_mended_total",
			Help: "Rows written again because an older one stood behind them in the topic.",
		}),
	}
	runtime, err := projector.New(projector.Config{
		Name: "availability_projector", Partitions: projector.Partitions(eventlog.TopicInventory, cfg.Layout),
		View: v, Background: v.followTopic, Client: cfg.Client, Logger: cfg.Logger, Registerer: cfg.Registerer,
		Tracer: cfg.Tracer,
	})
	if err != nil {
		return nil, err
	}
	if cfg.Registerer != nil {
		for _, c := range []prometheus.Collector{v.rowsWritten, v.rowsRepaired} {
			if err := cfg.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register the projector's metrics: %w", err)
			}
		}
	}
	return &Projector{runtime, v}, nil
}

// Run projects until ctx is done.
func (p *Projector) Run(ctx context.Context) error {
	defer p.view.close()
	return p.Runtime.Run(ctx)
}

// projectorView is the projector as the runtime drives it: inventory events to rows in the availability topic.
type projectorView struct {
	log                       eventlog.Config
	layout                    eventlog.Layout
	rowsWritten, rowsRepaired prometheus.Counter

	client       *eventlog.Client // writes; opened by each attempt
	progress     map[int32]int64  // as the topic has it, by source partition
	restoredUpTo eventlog.Offsets // the end of the availability topic when the fold was restored from it

	mu      sync.Mutex // followTopic runs at the same time, and uses what follows
	fold    *fold
	changed map[string]*eventv1.AvailabilityRow // since the last flush
	traced  map[string]string                   // the span that the newest event of a changed row names, if it names one
	topic   *topicState
}

// Begin restores the fold from the availability topic, which is created where it was deleted.
func (v *projectorView) Begin(ctx context.Context, end eventlog.Offsets) (eventlog.Offsets, error) {
	v.close()
	var err error
	if v.client, err = eventlog.Open(v.log); err != nil {
		return nil, err
	}
	if _, err := v.client.EnsurePlatform(ctx, v.layout); err != nil {
		return nil, err
	}
	v.fold, v.topic = newFold(), newTopicState()
	v.changed, v.progress = map[string]*eventv1.AvailabilityRow{}, map[int32]int64{}
	v.traced = map[string]string{}
	if err := v.restore(ctx); err != nil {
		return nil, err
	}
	from := eventlog.Offsets{}
	for partition := range v.layout.PartitionCount {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: partition}
		from[tp] = v.fold.next[partition]
		v.progress[partition] = from[tp]
	}
	if err := v.checkEnd(ctx, from, end); err != nil {
		return nil, err
	}
	for sku := range v.topic.stale {
		v.changed[sku] = v.fold.rows[sku]
	}
	return from, v.Flush(ctx, from)
}

// checkEnd returns an error where the topic has rows of events beyond the end of the log: the rows then come from
// another log. end may be too low, because it was asked for before the restore, and another projector may have gone on
// since. So the log is asked again before the error is returned.
func (v *projectorView) checkEnd(ctx context.Context, from, end eventlog.Offsets) error {
	if end.Reaches(from) {
		return nil
	}
	end, err := v.client.StableOffsets(ctx, projector.Partitions(eventlog.TopicInventory, v.layout))
	if err != nil {
		return err
	}
	for tp, next := range from {
		if next > end[tp] {
			return fmt.Errorf("%s knows %s partition %d up to offset %d, but it ends at %d: "+
				"if the log is the right one, delete the topic %s, it is built again",
				eventlog.TopicAvailability, tp.Topic, tp.Partition, next, end[tp], eventlog.TopicAvailability)
		}
	}
	return nil
}

func (v *projectorView) close() {
	if v.client != nil {
		v.client.Close()
		v.client = nil
	}
}

// restore reads the availability topic to its end.
func (v *projectorView) restore(ctx context.Context) error {
	tps := projector.Partitions(eventlog.TopicAvailability, v.layout)
	from, err := v.client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	if v.restoredUpTo, err = v.client.EndOffsets(ctx, tps); err != nil {
		return err
	}
	return v.client.Read(ctx, from, v.restoredUpTo, func(rec *eventlog.Record) error {
		row := &eventv1.AvailabilityRow{}
		switch err := decodeRow(rec, row); {
		case errors.Is(err, errOldRow):
			return nil
		case err != nil:
			return err
		}
		v.topic.add(row)
		v.fold.restore(row)
		return nil
	})
}

// Fold folds an event, and notes the row that it changed.
func (v *projectorView) Fold(rec *eventlog.Record) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	row, err := v.fold.apply(rec)
	if row == nil {
		return err
	}
	v.changed[row.Sku] = row
	if parent := rec.Header(tracing.HeaderName); parent != "" {
		v.traced[row.Sku] = parent
	} else {
		delete(v.traced, row.Sku)
	}
	return err
}

// Flush writes each row that changed once. Only when all of them are in the topic it writes the progress of each
// partition: progress without its rows would lose them. A batch that was written in part is folded again, because
// the progress is kept nowhere else.
func (v *projectorView) Flush(ctx context.Context, reached eventlog.Offsets) error {
	rows, err := v.drainChanged()
	if err != nil {
		return err
	}
	if err := v.produce(ctx, rows); err != nil {
		return err
	}
	v.rowsWritten.Add(float64(len(rows)))
	var progress []*eventlog.Record
	for tp, next := range reached {
		if next <= v.progress[tp.Partition] {
			continue
		}
		rec, err := encodeProgress(tp.Partition, next)
		if err != nil {
			return err
		}
		progress = append(progress, rec)
	}
	if err := v.produce(ctx, progress); err != nil {
		return err
	}
	for tp, next := range reached {
		v.progress[tp.Partition] = max(v.progress[tp.Partition], next)
	}
	return nil
}

// drainChanged encodes the rows that changed and are not in the topic already.
func (v *projectorView) drainChanged() ([]*eventlog.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	recs := make([]*eventlog.Record, 0, len(v.changed))
	for _, row := range v.changed {
		if v.topic.has(row) {
			continue
		}
		rec, err := encodeRow(row)
		if err != nil {
			return nil, err
		}
		if parent := v.traced[row.Sku]; parent != "" {
			rec.Headers = []eventlog.Header{{Key: tracing.HeaderName, Value: []byte(parent)}}
		}
		recs = append(recs, rec)
	}
	clear(v.changed)
	clear(v.traced)
	return recs, nil
}

func (v *projectorView) produce(ctx context.Context, recs []*eventlog.Record) error {
	if len(recs) == 0 {
		return nil
	}
	return v.client.Produce(ctx, recs)
}
