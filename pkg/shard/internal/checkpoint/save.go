package checkpoint

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
)

// Save writes all that changed, and waits for it.
func (s *Store) Save() error {
	if err := s.awaitSave(); err != nil {
		return err
	}
	c, err := s.Prepare()
	if err != nil {
		return err
	}
	s.Write(c)
	return s.awaitSave()
}

// encode encodes the orders and reservations that changed since its last call, for the next checkpoint. Most of them
// change in one batch and never again: encoded batch by batch they cost about the same as all at once, and nobody waits
// while thousands are encoded. The state must be what the log has, or will have once the batch has committed.
func (s *Store) encode() error {
	for _, r := range s.reservationsToEncode {
		s.encodeReservations(r)
	}
	for _, e := range s.ordersToEncode {
		s.encodeOrder(e)
	}
	clear(s.reservationsToEncode)
	clear(s.ordersToEncode)
	s.reservationsToEncode, s.ordersToEncode = s.reservationsToEncode[:0], s.ordersToEncode[:0]
	return s.encodeErr
}

// EncodeBatch encodes what a batch has changed, for the next checkpoint, while there is room: where the checkpoint
// before takes long to write, entries that change again and again would pile up. Call it where a batch ends.
func (s *Store) EncodeBatch() error {
	if s.Full() {
		return nil
	}
	return s.encode()
}

// Prepare encodes all that changed since the last checkpoint. The state must be what the log has, or will have once the
// commit has succeeded after which Write is called. nil: the last checkpoint is still being written.
func (s *Store) Prepare() (*Changes, error) {
	switch idle, err := s.Idle(); {
	case err != nil:
		return nil, err
	case !idle:
		return nil, s.EncodeBatch()
	}
	if err := s.encode(); err != nil {
		return nil, err
	}
	if err := s.filter.mergeScanned(); err != nil {
		return nil, err
	}
	s.Age()
	for _, it := range s.dirtyItems {
		arena, err := codec.EncodeItem(s.changes.arena, it.Item)
		s.items.grown(s.lengthens(&it.encoded, arena))
		s.encoded(key{kind: keyItem, a: it.SKU}, arena, err)
	}
	for k, c := range s.dirtyCommands {
		arena := append(s.changes.arena, c.Fingerprint[:]...)
		s.changes.put(key{keyCommand, k.sku, k.idempotencyKey}, binary.BigEndian.AppendUint64(arena, c.Version))
	}
	for partition, n := range s.begun { // not in Write: the next batch may count on meanwhile
		s.changes.put(begunKey(partition), binary.BigEndian.AppendUint64(s.changes.arena, n))
	}
	s.changes.forgetTouched = s.forgetTouched
	for id := range s.touched {
		s.changes.put(key{kind: keyTouched, a: id}, s.changes.arena)
	}
	if s.encodeErr != nil {
		return nil, s.encodeErr
	}
	s.savingOrders, s.savingReservations = s.dirtyOrders, s.dirtyReservations
	s.resetDirty()
	prepared := s.changes
	s.changes, s.spare = s.spare, nil
	return prepared, nil
}

// Write adds the cursors to what Prepare returned, and writes all of it in the background. It does not sync: what a
// power cut takes, the log gives back.
func (s *Store) Write(c *Changes) {
	for tp, at := range s.cursors {
		arena := binary.BigEndian.AppendUint64(c.arena, uint64(at.Next))
		arena = binary.BigEndian.AppendUint64(arena, uint64(at.Last))
		c.put(cursorKey(tp), append(arena, at.LastID[:]...))
	}
	s.saving = true
	go func() {
		err := c.writeTo(s.batch)
		if err == nil {
			err = s.batch.Commit(pebble.NoSync)
		}
		if err != nil {
			err = s.failed(err)
		}
		s.batch.Reset()
		c.reset(s.changesBytes)
		s.saved <- saved{c, err}
	}()
}

// saved is the outcome of a checkpoint, and its memory for another.
type saved struct {
	changes *Changes
	err     error
}

// Idle reports whether no checkpoint is being written, without waiting for it. Its error is that of the last one.
func (s *Store) Idle() (bool, error) {
	if err := s.db.Err(); err != nil {
		return false, err
	}
	if !s.saving {
		return true, nil
	}
	select {
	case done := <-s.saved:
		return done.err == nil, s.finishSave(done)
	default:
		return false, nil
	}
}

// Saving reports whether a checkpoint is being written, or nobody has asked Idle yet what became of it.
func (s *Store) Saving() bool { return s.saving }

// awaitSave waits for a checkpoint that is being written.
func (s *Store) awaitSave() error {
	if !s.saving {
		return s.db.Err()
	}
	select {
	case done := <-s.saved:
		return s.finishSave(done)
	case <-s.db.Failed(): // a write waits for as long as the disk takes nothing
		return s.db.Err()
	}
}

func (s *Store) finishSave(done saved) error {
	s.saving, s.spare = false, done.changes
	s.savingOrders, s.savingReservations = nil, nil
	return done.err
}

func (s *Store) failed(err error) error {
	return fmt.Errorf("write the checkpoint: %w", s.db.Explain(err))
}

// encoded gives a key the value that was appended to the arena. The first error is kept.
func (s *Store) encoded(k key, arena []byte, err error) {
	if err == nil {
		s.changes.put(k, arena)
	} else if s.encodeErr == nil {
		s.encodeErr = s.failed(err)
	}
}

// lengthens sets the length of an entry's encoded value, which was appended to the arena, and returns by how much it
// has grown.
func (s *Store) lengthens(length *int, arena []byte) int {
	before := *length
	*length = len(arena) - len(s.changes.arena)
	return *length - before
}

func (s *Store) encodeReservations(r *Reservations) {
	r.changed = false
	s.filter.add(r.OrderID)
	arena, err := r.encode(s.changes.arena, &s.scratch)
	s.reservations.grown(s.lengthens(&r.encoded, arena))
	s.encoded(key{kind: keyReservations, a: r.OrderID}, arena, err)
	s.index(keyOpenReservations, r.OrderID, r.Open())
	s.indexPromises(r)
}

func (s *Store) encodeOrder(e *Entry) {
	e.Reservations.changed = false
	id := e.Order.ID
	if !e.Order.Settled && s.answeredHere(e) {
		e.Order.Settled = true // the log does not say so: see answeredHere
	}
	s.filter.add(id)
	arena, err := e.encode(s.changes.arena, &s.scratch)
	s.orders.grown(s.lengthens(&e.encoded, arena))
	s.encoded(key{kind: keyOrder, a: id}, arena, err)
	was, is := e.indexed, indexOf(e)
	if is.deadlineMicros != was.deadlineMicros {
		s.index(keyDeadline, id, is.deadlineMicros != 0, uint64(is.deadlineMicros))
	}
	if is.unsettled != was.unsettled {
		s.index(keyUnsettled, id, is.unsettled)
	}
	if is.unknown != was.unknown {
		s.index(keyOpenReservations, id, is.unknown)
	}
	e.indexed = is
	s.indexPromises(&e.Reservations)
}

// answeredHere reports whether an order's newest step decided nothing and was answered by stock of this shard alone. No
// event says so, but the reservations do.
func (s *Store) answeredHere(e *Entry) bool {
	if e.Order.Version == 0 || e.Order.Undecided() {
		return false
	}
	wanted := e.Order.Wanted()
	for i := range wanted {
		if s.foreign(wanted[i].SKU) || !e.HasSeen(&wanted[i]) {
			return false
		}
		if res := e.Reservations.Find(wanted[i].SKU); res != nil && res.Rejected != nil && !wanted[i].Nothing() {
			return false // refused when the SKU was another shard's, and the order has not heard of it
		}
	}
	return true
}

// index adds an order to an index, with a number or without, or removes it.
func (s *Store) index(kind byte, orderID string, in bool, value ...uint64) {
	k := key{kind: kind, a: orderID}
	if !in {
		s.changes.delete(k)
		return
	}
	arena := s.changes.arena
	for _, v := range value {
		arena = binary.BigEndian.AppendUint64(arena, v)
	}
	s.changes.put(k, arena)
}
