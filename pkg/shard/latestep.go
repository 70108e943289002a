package shard

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// hasAny reports whether stock has anything reserved or committed, as it answers.
func hasAny(resp *peerv1.ReservationResponse) bool {
	return slices.ContainsFunc(resp.Held, func(h *peerv1.Held) bool { return h.Reserved+h.Committed > 0 })
}

// takeBack handles an answer that the order's saga s (nil: none) does not wait for. It may show that stock has more of
// a SKU than the order wants, and that nobody tells it otherwise: the SKU was not registered when stock first saw the
// step, so it remembered nothing (INV-64). When a repeat of the step came, the item was registered, and stock reserved
// for an order that had been rejected by then. The order's newest step is sent for these SKUs. Should that be lost, the
// sweep of their shard finds them.
func (d *decider) takeBack(e *checkpoint.Entry, s *saga, resp *peerv1.ReservationResponse) {
	target := int32(resp.TargetShard)
	var tooMuch []order.Wanted
	wanted := e.Order.Wanted()
	for _, h := range heldFromWire(resp.Held) {
		if h.Reserved+h.Committed == 0 || s.asks(target, h.SKU) {
			continue
		}
		if s != nil && resp.Version == s.version {
			if s.answers[h.SKU].RefusedAll() {
				s.answers[h.SKU] = h // the order's next step asks for it then
			}
			continue
		}
		k := slices.IndexFunc(wanted, func(w order.Wanted) bool { return w.SKU == h.SKU })
		if k >= 0 && wanted[k].Reserved+wanted[k].Committed < h.Reserved+h.Committed &&
			resp.Version < e.Order.ReservationVersion {
			tooMuch = append(tooMuch, wanted[k])
		}
	}
	if len(tooMuch) == 0 {
		return
	}
	req := stepToWire(&e.Order, d.shard, target, d.batch.now)
	for _, w := range tooMuch {
		req.Wanted = append(req.Wanted, wantedToWire(w))
	}
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) { d.node.sendStep(req) })
}

// asks reports whether the saga waits for an answer about a SKU of a shard.
func (s *saga) asks(target int32, sku string) bool {
	return s != nil && s.waiting[target] != nil &&
		slices.ContainsFunc(s.waiting[target].Wanted, func(w *peerv1.Wanted) bool { return w.Sku == sku })
}
