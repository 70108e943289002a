package shard

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
)

// checkpoint writes all that changed, and waits for it.
func (s *store) checkpoint() error {
	if err := s.settle(); err != nil {
		return err
	}
	c, err := s.prepare()
	if err != nil {
		return err
	}
	s.apply(c)
	return s.settle()
}

// encode keeps what orders and their holdings have become since it was last called, for the checkpoint to come. Most of
// them change in one batch and never again: encoded batch by batch they cost about the same as all at once, and nobody
// waits while thousands are. The state must be what the log holds, or will hold once the batch is committed.
func (s *store) encode() error {
	for _, h := range s.changedHoldings {
		s.encodeHoldings(h)
	}
	for _, e := range s.changedOrders {
		s.encodeOrder(e)
	}
	clear(s.changedHoldings)
	clear(s.changedOrders)
	s.changedHoldings, s.changedOrders = s.changedHoldings[:0], s.changedOrders[:0]
	return s.encodeErr
}

// encodeSome does the same while there is room: where the checkpoint before takes its time, what changes again and again
// would pile up.
func (s *store) encodeSome() error {
	if len(s.changes.arena) > changesRetained {
		return nil
	}
	return s.encode()
}

// prepare encodes all that changed since the last checkpoint. The state must be what the log holds, or will hold
// once the commit has succeeded after which apply is called. nil: the last checkpoint is still on its way.
func (s *store) prepare() (*changes, error) {
	if err := s.encode(); err != nil {
		return nil, err
	}
	if idle, err := s.idle(); err != nil || !idle {
		return nil, err
	}
	if err := s.known.take(); err != nil {
		return nil, err
	}
	s.age()
	for _, it := range s.dirtyItems {
		arena, err := codec.EncodeItem(s.changes.arena, *it)
		s.encoded(changeKey{kind: keyItem, a: it.SKU}, arena, err)
	}
	for k, c := range s.dirtyCommands {
		arena := append(s.changes.arena, c.fingerprint[:]...)
		s.changes.take(changeKey{keyCommand, k.a, k.b}, binary.BigEndian.AppendUint64(arena, c.version))
	}
	s.changes.forgetTouched = s.forgetTouched
	for id := range s.newlyTouched {
		s.changes.take(changeKey{kind: keyTouched, a: id}, s.changes.arena)
	}
	if s.encodeErr != nil {
		return nil, s.encodeErr
	}
	s.resetDirty()
	prepared := s.changes
	s.changes, s.spare = s.spare, nil
	return prepared, nil
}

// apply adds how far the log has been applied, and writes the changes beside the caller. Without a sync: what a
// power cut takes, the log gives back.
func (s *store) apply(c *changes) {
	for tp, at := range s.cursors {
		arena := binary.BigEndian.AppendUint64(c.arena, uint64(at.next))
		arena = binary.BigEndian.AppendUint64(arena, uint64(at.last))
		c.take(cursorKey(tp), append(arena, at.lastID[:]...))
	}
	s.saving = true
	go func() {
		err := c.fill(s.batch)
		if err == nil {
			err = s.batch.Commit(pebble.NoSync)
		}
		if err != nil {
			err = s.failed(err)
		}
		s.batch.Reset()
		c.reset()
		s.saved <- saved{c, err}
	}()
}

// saved is the outcome of a checkpoint, and its memory for another.
type saved struct {
	changes *changes
	err     error
}

// idle reports whether no checkpoint is being written, without waiting for it.
func (s *store) idle() (bool, error) {
	if !s.saving {
		return true, nil
	}
	select {
	case done := <-s.saved:
		return done.err == nil, s.landed(done)
	default:
		return false, nil
	}
}

// settle waits for a checkpoint that is being written.
func (s *store) settle() error {
	if !s.saving {
		return nil
	}
	return s.landed(<-s.saved)
}

func (s *store) landed(done saved) error {
	s.saving, s.spare = false, done.changes
	return done.err
}

func (s *store) failed(err error) error { return fmt.Errorf("write the checkpoint %s: %w", s.dir, err) }

// encoded takes what was appended to the arena as a key's value; the first error stays.
func (s *store) encoded(k changeKey, arena []byte, err error) {
	if err == nil {
		s.changes.take(k, arena)
	} else if s.encodeErr == nil {
		s.encodeErr = s.failed(err)
	}
}

func (s *store) encodeHoldings(h *holdings) {
	h.changed = false
	s.known.add(h.orderID)
	arena, err := h.encode(s.changes.arena, &s.frameBuf)
	s.encoded(changeKey{kind: keyHoldings, a: h.orderID}, arena, err)
	s.index(keyOpenStock, h.orderID, h.open())
}

func (s *store) encodeOrder(e *entry) {
	e.held.changed = false
	id := e.o.ID
	if !e.o.Settled && s.answeredHere(e) {
		e.o.Settled = true // folded from the log
	}
	s.known.add(id)
	arena, err := e.encode(s.changes.arena, &s.frameBuf)
	s.encoded(changeKey{kind: keyOrder, a: id}, arena, err)
	was, is := e.indexed, indexOf(&e.o)
	if is.deadlineMicros != was.deadlineMicros {
		s.index(keyDeadline, id, is.deadlineMicros != 0, uint64(is.deadlineMicros))
	}
	if is.unsettled != was.unsettled {
		s.index(keyUnsettled, id, is.unsettled)
	}
	e.indexed = is
}

// index adds an order to an index, with a number or without, or takes it out.
func (s *store) index(kind byte, orderID string, in bool, value ...uint64) {
	k := changeKey{kind: kind, a: orderID}
	if !in {
		s.changes.delete(k)
		return
	}
	arena := s.changes.arena
	for _, v := range value {
		arena = binary.BigEndian.AppendUint64(arena, v)
	}
	s.changes.take(k, arena)
}
