package availability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// ProjectorConfig is what a projector needs.
type ProjectorConfig struct {
	// Client reads.
	Client *eventlog.Client
	// Log opens the client that writes, a new one for each attempt: a client holds on to the ID of a topic that
	// was deleted, and fails for ever on the one that was made in its place.
	Log        eventlog.Config
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Projector folds inventory.events into inventory.availability. Its own state is that topic. Several may
// run: each folds everything, leaves out rows that another has written, and puts right what a late one has
// covered with older rows. Ready, Age and Run are the runtime's.
type Projector struct {
	*projector.Runtime
	view *projection
}

// NewProjector returns a projector that has not started.
func NewProjector(cfg ProjectorConfig) (*Projector, error) {
	cfg.Log.Registerer = nil // the clients that write come and go
	v := &projection{
		log: cfg.Log, layout: cfg.Layout,
		rows:   prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_availability_rows_total", Help: "Availability rows written."}),
		mended: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_availability_rows_mended_total", Help: "Rows written again because an older one stood behind them in the topic."}),
	}
	runtime, err := projector.New(projector.Config{
		Name: "availability_projector", Partitions: projector.Partitions(eventlog.TopicInventory, cfg.Layout),
		View: v, Beside: v.readAlong, Client: cfg.Client, Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	if err != nil {
		return nil, err
	}
	if cfg.Registerer != nil {
		for _, c := range []prometheus.Collector{v.rows, v.mended} {
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

// projection is the projector as the runtime drives it.
type projection struct {
	log          eventlog.Config
	layout       eventlog.Layout
	rows, mended prometheus.Counter

	client   *eventlog.Client // of this attempt
	written  map[int32]int64  // the progress that stands in the topic, by source partition
	restored eventlog.Offsets // where the own topic ended when it was restored from

	mu      sync.Mutex // readAlong looks at what follows
	fold    *fold
	changed map[string]*eventv1.AvailabilityRow
	topic   *topicState
}

// Begin restores the fold from the availability topic, which it makes anew when it was deleted.
func (p *projection) Begin(ctx context.Context, end eventlog.Offsets) (eventlog.Offsets, error) {
	p.close()
	var err error
	if p.client, err = eventlog.Open(p.log); err != nil {
		return nil, err
	}
	if _, err := p.client.EnsurePlatform(ctx, p.layout); err != nil {
		return nil, err
	}
	p.fold, p.topic = newFold(), newTopicState()
	p.changed, p.written = map[string]*eventv1.AvailabilityRow{}, map[int32]int64{}
	if err := p.restore(ctx); err != nil {
		return nil, err
	}
	from := eventlog.Offsets{}
	for partition := range p.layout.PartitionCount {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: partition}
		from[tp] = p.fold.next[partition]
		p.written[partition] = from[tp]
	}
	if err := p.checkEnd(ctx, from, end); err != nil {
		return nil, err
	}
	for sku := range p.topic.stale {
		p.changed[sku] = p.fold.rows[sku]
	}
	return from, p.Flush(ctx, from)
}

// checkEnd refuses to begin behind the end of the log: it would be another log than the topic was made from. The end
// that was asked for before the restore may be too low, since another projector went on meanwhile.
func (p *projection) checkEnd(ctx context.Context, from, end eventlog.Offsets) error {
	if end.Covers(from) {
		return nil
	}
	end, err := p.client.StableOffsets(ctx, projector.Partitions(eventlog.TopicInventory, p.layout))
	if err != nil {
		return err
	}
	for tp, next := range from {
		if next > end[tp] {
			return fmt.Errorf("%s knows %s partition %d up to offset %d, but it ends at %d: if the log is the right one, delete the topic %s, it is built again",
				eventlog.TopicAvailability, tp.Topic, tp.Partition, next, end[tp], eventlog.TopicAvailability)
		}
	}
	return nil
}

func (p *projection) close() {
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
}

// restore reads the availability topic to its end.
func (p *projection) restore(ctx context.Context) error {
	tps := projector.Partitions(eventlog.TopicAvailability, p.layout)
	from, err := p.client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	if p.restored, err = p.client.EndOffsets(ctx, tps); err != nil {
		return err
	}
	return p.client.Read(ctx, from, p.restored, func(rec *eventlog.Record) error {
		row := &eventv1.AvailabilityRow{}
		switch err := decodeRow(rec, row); {
		case errors.Is(err, errOldRow):
			return nil
		case err != nil:
			return err
		}
		p.topic.see(row)
		p.fold.restore(row)
		return nil
	})
}

// Fold takes an event over.
func (p *projection) Fold(rec *eventlog.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	row, err := p.fold.apply(rec)
	if row != nil {
		p.changed[row.Sku] = row
	}
	return err
}

// Flush writes the rows that changed, one each, and when all of them are in the topic, how far each
// partition is: a row that failed while the progress behind it did not would be lost. Nothing is remembered
// elsewhere: a batch that was written in part is folded again.
func (p *projection) Flush(ctx context.Context, reached eventlog.Offsets) error {
	rows, err := p.takeRows()
	if err != nil {
		return err
	}
	if err := p.produce(ctx, rows); err != nil {
		return err
	}
	p.rows.Add(float64(len(rows)))
	var progress []*eventlog.Record
	for tp, next := range reached {
		if next <= p.written[tp.Partition] {
			continue
		}
		rec, err := record(progressKey, &eventv1.AvailabilityRow{SourcePartition: tp.Partition, SourceOffset: next - 1, Format: rowFormat})
		if err != nil {
			return err
		}
		progress = append(progress, rec)
	}
	if err := p.produce(ctx, progress); err != nil {
		return err
	}
	for tp, next := range reached {
		p.written[tp.Partition] = max(p.written[tp.Partition], next)
	}
	return nil
}

// takeRows encodes what changed and is not in the topic already.
func (p *projection) takeRows() ([]*eventlog.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	recs := make([]*eventlog.Record, 0, len(p.changed))
	for sku, row := range p.changed {
		if p.topic.holds(row) {
			continue
		}
		rec, err := record(sku, row)
		if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
	}
	clear(p.changed)
	return recs, nil
}

func (p *projection) produce(ctx context.Context, recs []*eventlog.Record) error {
	if len(recs) == 0 {
		return nil
	}
	return p.client.Produce(ctx, recs)
}

func record(key string, row *eventv1.AvailabilityRow) (*eventlog.Record, error) {
	v, err := row.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode the row of %q: %w", key, err)
	}
	return &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicAvailability, Partition: row.SourcePartition},
		Key:            []byte(key), Value: v, TimestampMicros: time.Now().UnixMicro(),
	}, nil
}
