package availability

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// ProjectorConfig is what a projector needs.
type ProjectorConfig struct {
	Client     *eventlog.Client
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Projector folds inventory.events into inventory.availability. Its own state is that topic. Several
// may run: each writes whole rows with their source offset, and readers take the newest.
type Projector struct {
	cfg    ProjectorConfig
	fold   *fold
	ready  atomic.Bool
	fault  atomic.Pointer[error]
	events prometheus.Counter
	rows   prometheus.Counter
	lag    prometheus.Gauge
}

// NewProjector returns a projector that has not started.
func NewProjector(cfg ProjectorConfig) (*Projector, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Projector{cfg: cfg,
		events: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_availability_events_total", Help: "Inventory events folded."}),
		rows:   prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_availability_rows_total", Help: "Availability rows written."}),
		lag:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_availability_lag_seconds", Help: "Age of the newest event of the last batch when its rows were durable."}),
	}
	if cfg.Registerer != nil {
		for _, c := range []prometheus.Collector{p.events, p.rows, p.lag} {
			if err := cfg.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register the projector's metrics: %w", err)
			}
		}
	}
	return p, nil
}

// Ready is nil once the projector has caught up with what stood in the log at its start.
func (p *Projector) Ready() error {
	if err := p.fault.Load(); err != nil {
		return *err
	}
	if !p.ready.Load() {
		return fmt.Errorf("the availability projector is catching up")
	}
	return nil
}

// Run projects until ctx is done. After an error that time may heal it starts again from the topic; an
// event that cannot be folded stops it for good, and Ready says where.
func (p *Projector) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := p.run(ctx)
		if ctx.Err() != nil {
			break
		}
		p.fault.Store(&err)
		p.cfg.Logger.Error("the availability projector stops and tries again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(restartAfter):
		}
	}
	return nil
}

const restartAfter = time.Second

func (p *Projector) run(ctx context.Context) error {
	p.fold = newFold()
	if err := p.restore(ctx); err != nil {
		return err
	}
	tps := make([]eventlog.TopicPartition, p.cfg.Layout.PartitionCount)
	from := eventlog.Offsets{}
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: int32(i)}
		from[tps[i]] = p.fold.next[int32(i)]
	}
	target, err := p.cfg.Client.StableOffsets(ctx, tps)
	if err != nil {
		return err
	}
	f, err := p.cfg.Client.Follow(from)
	if err != nil {
		return err
	}
	defer f.Close()
	if from.Covers(target) {
		p.caughtUp()
	}
	for {
		recs, reached, err := f.Poll(ctx)
		if err != nil {
			return err
		}
		if err := p.project(ctx, recs); err != nil {
			return err
		}
		if reached.Covers(target) {
			p.caughtUp()
		}
	}
}

func (p *Projector) caughtUp() {
	p.fault.Store(nil)
	p.ready.Store(true)
}

// restore reads the availability topic to its end.
func (p *Projector) restore(ctx context.Context) error {
	tps := make([]eventlog.TopicPartition, p.cfg.Layout.PartitionCount)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: eventlog.TopicAvailability, Partition: int32(i)}
	}
	from, err := p.cfg.Client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	to, err := p.cfg.Client.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	return p.cfg.Client.Read(ctx, from, to, p.fold.restore)
}

// project folds a batch and writes the rows that it changed, one each, then how far each partition is.
// Nothing is remembered elsewhere: a batch that was written in part is folded again.
func (p *Projector) project(ctx context.Context, recs []eventlog.Record) error {
	changed := map[string]*eventv1.AvailabilityRow{}
	progress := map[int32]int64{}
	newest := int64(0)
	for i := range recs {
		row, err := p.fold.apply(&recs[i])
		if err != nil {
			return err
		}
		if row != nil {
			changed[row.Sku] = row
		}
		progress[recs[i].Partition] = recs[i].Offset
		newest = max(newest, recs[i].TimestampMicros)
	}
	if len(progress) == 0 {
		return nil
	}
	out := make([]*eventlog.Record, 0, len(changed)+len(progress))
	for _, row := range changed {
		rec, err := record(row.Sku, row)
		if err != nil {
			return err
		}
		out = append(out, rec)
	}
	for partition, offset := range progress {
		rec, err := record(progressKey, &eventv1.AvailabilityRow{SourcePartition: partition, SourceOffset: offset})
		if err != nil {
			return err
		}
		out = append(out, rec)
	}
	if err := p.cfg.Client.Produce(ctx, out); err != nil {
		return err
	}
	p.events.Add(float64(len(recs)))
	p.rows.Add(float64(len(changed)))
	p.lag.Set(time.Since(time.UnixMicro(newest)).Seconds())
	return nil
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
