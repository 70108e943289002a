package shard

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// sweepAtOnce orders are asked about in one batch, or fewer: an order may have thousands of reservations, and
// sweepAtOnceReservations are enough.
const (
	sweepAtOnce             = 200
	sweepAtOnceReservations = 2_000
)

// sweep is the slow periodic comparison of this shard's reservations with the orders of other shards.
type sweep struct {
	orders []string // still to ask about
	began  time.Time
	// wait is until the next sweep begins. It doubles up to sweepEvery.
	wait time.Duration
}

// startSweep lists the orders that have open reservations here and are another shard's, or whose reservations are not
// those of the order in the log: each will be asked about. What is asked right after an acquire may be lost, since the
// other shards move too. So the first sweeps follow each other quickly.
func (d *decider) startSweep() error {
	s := &d.sweep
	s.began, s.wait = time.Now(), min(max(2*s.wait, firstSweepAfter), sweepEvery)
	s.orders = s.orders[:0]
	return d.store.EachOpenReservation(func(orderID string) { s.orders = append(s.orders, orderID) })
}

// sweepSome asks the shards of some orders about the reservations that this shard has for them.
func (d *decider) sweepSome() {
	s := &d.sweep
	if len(s.orders) == 0 && time.UnixMicro(d.batch.now).Sub(s.began) >= s.wait {
		if err := d.startSweep(); err != nil {
			d.log.Warn("list the open reservations", "error", err)
		}
	}
	asked := 0
	for range min(len(s.orders), sweepAtOnce) {
		if asked >= sweepAtOnceReservations {
			return
		}
		id := s.orders[0]
		s.orders = s.orders[1:]
		reservations, err := d.store.Reservations(id)
		if err != nil {
			continue
		}
		for _, res := range reservations.List {
			if res.Open() {
				d.queryOnCommit(res)
				asked++
			}
		}
	}
}

// queryOnCommit tells a reservation to its order's shard, once the current batch has committed.
func (d *decider) queryOnCommit(res *checkpoint.Reservation) {
	q := &peerv1.OrderQuery{
		SourceShard: uint32(d.shard), TargetShard: uint32(d.shardOf(res.OrderID)),
		OrderId: res.OrderID, Sku: res.SKU, PlacedEventId: slices.Clone(res.PlacedEventID[:]),
		Version: res.Version, Held: heldToWire([]order.StockAnswer{res.Answer()})[0],
	}
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) { d.node.sendQuery(q) })
}

// decideQuery compares what stock of another shard has reserved with what the order wants. Where they differ, the step
// is sent again.
func (d *decider) decideQuery(q *peerv1.OrderQuery, reply func(*peerv1.OrderQueryResponse)) error {
	if s := d.sagas.byOrder[q.OrderId]; s != nil && s.unwritten != nil {
		return nil // it will be written
	}
	e, err := d.resumeOrder(q.OrderId)
	if err != nil {
		return err
	}
	d.batch.fenced = true
	if string(q.PlacedEventId) != string(e.Order.PlacedEventID[:]) { // no order, or of another attempt to place it
		d.batch.onCommit = append(d.batch.onCommit, func(*batch) {
			reply(&peerv1.OrderQueryResponse{
				SourceShard: q.SourceShard, TargetShard: q.TargetShard, OrderId: q.OrderId, Unknown: true,
				Wanted: &peerv1.ReservationRequest{PlacedEventId: q.PlacedEventId},
			})
		})
		return nil
	}
	if q.Held == nil {
		return nil
	}
	if err := d.decideBackorderNotice(e, q, reply); err != nil {
		return err
	}
	if d.sagas.byOrder[q.OrderId] != nil {
		return nil
	}
	if q.Version > e.Order.ReservationVersion {
		return d.overtake(e, q.Version)
	}
	return d.compareReservation(e, q)
}

func (d *decider) compareReservation(e *checkpoint.Entry, q *peerv1.OrderQuery) error {
	w, ok := e.Order.WantedOf(q.Sku)
	fulfilled := w.Fulfilled == q.Held.Fulfilled
	if !ok || w.Reserved == q.Held.Reserved && w.Committed == q.Held.Committed && fulfilled {
		return nil
	}
	if q.Version == e.Order.ReservationVersion && fulfilled && !q.Held.Rejected {
		return d.overtake(e, q.Version) // stock has another step of that version, and would ignore a repeat of it
	}
	return d.resendStep(e, d.reconcileOrigin(e))
}

// decideQueryAnswer ends a fill notice, or releases what is reserved for an order that does not exist.
func (d *decider) decideQueryAnswer(resp *peerv1.OrderQueryResponse) error {
	if resp.BackorderKnown {
		return d.confirmBackorder(resp)
	}
	if !resp.Unknown || resp.Wanted == nil {
		return nil
	}
	reservations, err := d.store.Reservations(resp.OrderId)
	if err != nil {
		return err
	}
	for _, res := range reservations.List { // the order never hears what was filled for it
		if string(resp.Wanted.PlacedEventId) == string(res.PlacedEventID[:]) {
			d.notices.end(backorderKey{resp.OrderId, res.SKU})
		}
	}
	return d.releaseOrphan(reservations, resp.Wanted.PlacedEventId)
}
