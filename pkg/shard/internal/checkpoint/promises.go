package checkpoint

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/holdfast/holdfast/pkg/inventory"
)

// The open reservations of a SKU are indexed in the order of their promises (inventory.Reservation.PromisedVersion), so
// that a shortfall finds those that were promised last without reading the others. Like every value of the checkpoint,
// the index has what was saved; what has changed since is in memory.

// promisedAt is when an open reservation was promised; 0: it is not open.
func promisedAt(res *inventory.Reservation) uint64 {
	if res.Open() {
		return res.PromisedVersion
	}
	return 0
}

func promiseKey(sku, orderID string, promised uint64) key {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(orderID)), ^promised)
	return key{kind: keyPromise, a: sku, b: string(append(b, orderID...))}
}

// indexPromises brings the index of an order's reservations up to date.
func (s *Store) indexPromises(r *Reservations) {
	for _, res := range r.List {
		is := promisedAt(&res.Reservation)
		if is == res.promised {
			continue
		}
		if res.promised != 0 {
			s.changes.delete(promiseKey(res.SKU, r.OrderID, res.promised))
		}
		if is != 0 {
			s.changes.put(promiseKey(res.SKU, r.OrderID, is), s.changes.arena)
		}
		res.promised = is
	}
}

// promise is an open reservation of a SKU that has changed of late.
type promise struct {
	orderID string
	res     *Reservation
}

// Promised are the open reservations of a SKU, the one that was promised last first. An error ends them, and is left in
// err.
func (s *Store) Promised(sku string, err *error) iter.Seq[inventory.Reservation] {
	return func(yield func(inventory.Reservation) bool) {
		recent, changed := s.recentPromises(sku)
		ended := false
		upTo := func(promised uint64) bool {
			for !ended && len(recent) > 0 && recent[0].res.PromisedVersion > promised {
				ended = !yield(recent[0].res.Reservation)
				recent = recent[1:]
			}
			return !ended
		}
		*err = s.scanPromises(sku, func(orderID string, promised uint64) error {
			if _, is := changed[orderID]; is {
				return nil
			}
			if !upTo(promised) {
				return errEnoughScanned
			}
			reservations, err := s.Reservations(orderID)
			if err != nil {
				return err
			}
			res := reservations.Find(sku)
			if res == nil || promisedAt(&res.Reservation) != promised {
				return s.db.Damaged(fmt.Errorf("order %s has no reservation of SKU %s from version %d", orderID, sku, promised))
			}
			if ended = !yield(res.Reservation); ended {
				return errEnoughScanned
			}
			return nil
		})
		if *err == nil {
			upTo(0)
		}
	}
}

// recentPromises are the open reservations of a SKU among the orders that have changed since the last checkpoint that
// was written, and all these orders.
func (s *Store) recentPromises(sku string) (recent []promise, changed map[string]struct{}) {
	changed = map[string]struct{}{}
	look := func(orderID string, r *Reservations) {
		if _, seen := changed[orderID]; seen {
			return
		}
		changed[orderID] = struct{}{}
		if res := r.Find(sku); res != nil && promisedAt(&res.Reservation) != 0 {
			recent = append(recent, promise{orderID, res})
		}
	}
	for _, orders := range []map[string]*Entry{s.dirtyOrders, s.savingOrders} {
		for id, e := range orders {
			look(id, &e.Reservations)
		}
	}
	for _, reservations := range []map[string]*Reservations{s.dirtyReservations, s.savingReservations} {
		for id, r := range reservations {
			look(id, r)
		}
	}
	slices.SortFunc(recent, func(a, b promise) int { return cmp.Compare(b.res.PromisedVersion, a.res.PromisedVersion) })
	return recent, changed
}

// scanPromises calls fn with the saved open reservations of a SKU.
func (s *Store) scanPromises(sku string, fn func(orderID string, promised uint64) error) error {
	prefix := key{kind: keyPromise, a: sku}.append(nil)
	return s.scan(keyPromise, string(prefix[1:]), func(k, _ []byte) error {
		if len(k) < len(prefix)-1+8 || string(k[:len(prefix)-1]) != string(prefix[1:]) {
			return errEnoughScanned
		}
		k = k[len(prefix)-1:]
		return fn(string(k[8:]), ^binary.BigEndian.Uint64(k))
	})
}
