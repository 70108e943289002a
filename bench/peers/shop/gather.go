package shop

import (
	"context"
	"sync"
)

// Outcome is what became of an order of a batch.
type Outcome struct {
	Number int64
	Err    error
}

// Gatherer makes batches of orders that come at the same time. A worker that is free takes all orders that wait, at
// most maxBatch: it never waits for more, so that a single caller waits for nobody.
type Gatherer struct {
	queue    chan *waiting
	maxBatch int
	place    func(ctx context.Context, orders []*Order, outcomes []Outcome)
	workers  sync.WaitGroup
}

type waiting struct {
	order   *Order
	outcome Outcome
	done    chan struct{}
}

// queueLength is how many orders may wait; those behind them wait for a place.
const queueLength = 8_192

// NewGatherer starts workers. place fills in the outcome of each order.
func NewGatherer(
	workers, maxBatch int, place func(ctx context.Context, orders []*Order, outcomes []Outcome),
) *Gatherer {
	g := &Gatherer{queue: make(chan *waiting, queueLength), maxBatch: maxBatch, place: place}
	for range workers {
		g.workers.Go(g.work)
	}
	return g
}

// Place places an order in a batch, and returns when that is done.
func (g *Gatherer) Place(ctx context.Context, o *Order) (int64, error) {
	w := &waiting{order: o, done: make(chan struct{})}
	select {
	case g.queue <- w:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	<-w.done
	return w.outcome.Number, w.outcome.Err
}

// Close ends the workers. No order may come any more.
func (g *Gatherer) Close() {
	close(g.queue)
	g.workers.Wait()
}

func (g *Gatherer) work() {
	batch := make([]*waiting, 0, g.maxBatch)
	orders := make([]*Order, 0, g.maxBatch)
	outcomes := make([]Outcome, g.maxBatch)
	for first := range g.queue {
		batch = g.rest(append(batch[:0], first))
		orders = orders[:0]
		for _, w := range batch {
			orders = append(orders, w.order)
		}
		clear(outcomes[:len(batch)])
		g.place(context.Background(), orders, outcomes[:len(batch)])
		for i, w := range batch {
			w.outcome = outcomes[i]
			close(w.done)
		}
	}
}

// rest adds what waits to a batch.
func (g *Gatherer) rest(batch []*waiting) []*waiting {
	for len(batch) < g.maxBatch {
		select {
		case w, more := <-g.queue:
			if !more {
				return batch
			}
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}
