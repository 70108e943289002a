package live

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Limits of a page of the feed.
const (
	// MaxPageEvents is how many events a page has.
	MaxPageEvents = 5_000
	// MaxPageBytes is how much their values take in the log; one event may be larger. As JSON it is two to three times as
	// much.
	MaxPageBytes = 1 << 20
	// MaxPageTime is how long older events are read for a page. One whose filter has found nothing by then is empty, and
	// its position has moved.
	MaxPageTime = 5 * time.Second
)

// FeedConfig is what a feed needs.
type FeedConfig struct {
	Tail *Tail
	// Client reads what the tail has no more.
	Client *eventlog.Client
	// Age is that of the oldest of the views that fill the tail, and Started is nil once all of them have been at the end
	// of the log.
	Age        func() time.Duration
	Started    func() error
	Registerer prometheus.Registerer // nil: no metrics
}

// Feed answers which events there are behind a position: the newest from the tail, older ones from Kafka.
type Feed struct {
	*Tail
	age     func() time.Duration
	started func() error
	readers *readers
	// pageTime is MaxPageTime, but for tests.
	pageTime time.Duration
	events   *prometheus.CounterVec
}

// NewFeed returns a feed.
func NewFeed(cfg FeedConfig) (*Feed, error) {
	f := &Feed{Tail: cfg.Tail, age: cfg.Age, started: cfg.Started, readers: newReaders(cfg.Client), pageTime: MaxPageTime}
	f.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_feed_events_total",
		Help: "Events that the change feed answered with, by where they were read: memory, or log for older ones.",
	}, []string{"source"})
	if cfg.Registerer == nil {
		return f, nil
	}
	return f, cfg.Registerer.Register(f.events)
}

// Age is how long ago the feed was last known to be at the end of the log.
func (f *Feed) Age() time.Duration { return f.age() }

// Started is nil once the feed has been at the end of the log. Until then it takes old events for new ones.
func (f *Feed) Started() error { return f.started() }

// Passed reports whether behind a position there is nothing before another one that a filter may select.
func (f *Feed) Passed(at, to eventlog.Position, filter *Filter) bool {
	return f.vector(at).reaches(f.vector(to), filter.chosen(f.space))
}

// Close ends the readers.
func (f *Feed) Close() { f.readers.close() }

// Page is a part of the feed.
type Page struct {
	Events []eventlog.Record
	// Next is the position behind the page, and behind events that the filter does not have.
	Next eventlog.Position
	// More: there are events behind the page already.
	More bool
}

// page gathers a page.
type page struct {
	space
	filter *Filter
	limit  int
	bytes  int
	at     vector
	events []eventlog.Record
}

// take adds an event that is selected, and reports whether there is room for more.
func (p *page) take(rec *eventlog.Record) (more bool) {
	i, _ := p.index(rec.TopicPartition)
	p.at[i] = rec.Offset + 1
	if !p.filter.selects(rec) {
		return true
	}
	p.events = append(p.events, *rec)
	p.bytes += len(rec.Value)
	return len(p.events) < p.limit && p.bytes < MaxPageBytes
}

// WaitFor waits until the feed has everything up to a position, or returns the context's error. It never has a
// partition that there is not.
func (f *Feed) WaitFor(ctx context.Context, p eventlog.Position) error {
	want := f.vector(p)
	if !f.position(want).Equal(p) {
		<-ctx.Done()
		return ctx.Err()
	}
	all := (&Filter{}).chosen(f.space)
	for {
		v := f.look(cursor{})
		if v.reached.reaches(want, all) {
			return nil
		}
		if err := await(ctx, v.changed); err != nil {
			return err
		}
	}
}

func await(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Page returns up to limit events of a filter behind a position, in the order of the log for each order and each item.
// Where there are none it waits for some, until waiting ends; the page is empty then.
func (f *Feed) Page(
	ctx, waiting context.Context, after eventlog.Position, filter *Filter, limit int,
) (*Page, error) {
	p := &page{space: f.space, filter: filter, limit: min(limit, MaxPageEvents), at: f.vector(after)}
	chosen := filter.chosen(f.space)
	behind := cursor{}
	for ctx.Err() == nil {
		v := f.look(behind)
		done := true
		if v.reached.reaches(p.at, chosen) { // otherwise a view has begun again, and is not there yet
			var err error
			if done, err = f.fill(ctx, p, &v, chosen); err != nil {
				return nil, err
			}
			behind = v.next
		}
		if len(p.events) > 0 || !done || waiting.Err() != nil {
			return &Page{Events: p.events, Next: f.position(p.at).Merge(after), More: !done}, nil
		}
		_ = await(waiting, v.changed) // the loop looks at both contexts
	}
	return nil, ctx.Err()
}

// fill adds events to a page. done: there are no more at the moment of the view.
func (f *Feed) fill(ctx context.Context, p *page, v *view, chosen []int) (done bool, err error) {
	if p.at.reaches(v.start, chosen) {
		done = f.fillFromTail(p, v, chosen)
		f.events.WithLabelValues("memory").Add(float64(len(p.events)))
		return done, nil
	}
	done, err = f.fillFromLog(ctx, p, v, chosen)
	f.events.WithLabelValues("log").Add(float64(len(p.events)))
	return done, err
}

func (f *Feed) fillFromTail(p *page, v *view, chosen []int) (done bool) {
	wanted := make([]bool, f.size())
	for _, i := range chosen {
		wanted[i] = true
	}
	for n := range v.records {
		rec := &v.records[n]
		if i, _ := f.index(rec.TopicPartition); !wanted[i] || rec.Offset < p.at[i] {
			continue
		}
		if !p.take(rec) {
			return n == len(v.records)-1
		}
	}
	for _, i := range chosen {
		p.at[i] = max(p.at[i], v.reached[i])
	}
	return true
}

func (f *Feed) fillFromLog(ctx context.Context, p *page, v *view, chosen []int) (done bool, err error) {
	l, err := f.readers.open(ctx, f.space, p.at, chosen)
	if err != nil {
		return false, err
	}
	reading, cancel := context.WithTimeout(ctx, f.pageTime)
	defer cancel()
	done, err = l.read(reading, v.reached, func(rec *eventlog.Record) bool {
		return p.take(rec) && reading.Err() == nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil // the brokers are slow: the reader goes on there, for the next page
	}
	if err != nil {
		f.readers.end(l)
		return false, err
	}
	for _, i := range chosen {
		p.at[i] = max(p.at[i], l.at[i])
	}
	if done {
		f.readers.end(l)
	} else {
		f.readers.park(l)
	}
	return done, nil
}
