package shard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
)

// checkpoint writes all that changed, and waits for it.
func (s *store) checkpoint() error {
	if err := s.settle(); err != nil {
		return err
	}
	b, err := s.prepare()
	if err != nil {
		return err
	}
	return errors.Join(s.apply(b), s.settle())
}

// prepare encodes all that changed since the last checkpoint. The state must be what the log holds, or will hold
// once the commit has succeeded after which apply is called. nil: the last checkpoint is still on its way.
func (s *store) prepare() (*pebble.Batch, error) {
	if idle, err := s.idle(); err != nil || !idle {
		return nil, err
	}
	if err := s.known.take(); err != nil {
		return nil, err
	}
	s.age()
	p := saving{store: s, b: s.batch}
	for _, it := range s.dirtyItems {
		p.item(it)
	}
	for _, id := range slices.Sorted(maps.Keys(s.dirtyHoldings)) {
		p.holdings(s.dirtyHoldings[id])
	}
	for _, id := range slices.Sorted(maps.Keys(s.dirtyOrders)) {
		p.order(s.dirtyOrders[id])
	}
	for k, c := range s.dirtyCommands {
		p.command(k, c)
	}
	p.touched()
	if p.err != nil {
		p.b.Reset()
		return nil, s.failed(p.err)
	}
	s.resetDirty()
	return p.b, nil
}

// apply adds how far the log has been applied, and writes the batch beside the caller. Without a sync: what a
// power cut takes, the log gives back.
func (s *store) apply(b *pebble.Batch) error {
	p := saving{store: s, b: b}
	for tp, c := range s.cursors {
		p.cursor(tp, c)
	}
	if p.err != nil {
		return s.failed(p.err)
	}
	s.saving = true
	go func() {
		err := b.Commit(pebble.NoSync)
		if err != nil {
			err = s.failed(err)
		}
		b.Reset()
		s.saved <- err
	}()
	return nil
}

// idle reports whether no checkpoint is being written, without waiting for it.
func (s *store) idle() (bool, error) {
	if !s.saving {
		return true, nil
	}
	select {
	case err := <-s.saved:
		s.saving = false
		return err == nil, err
	default:
		return false, nil
	}
}

// settle waits for a checkpoint that is being written.
func (s *store) settle() error {
	if !s.saving {
		return nil
	}
	s.saving = false
	return <-s.saved
}

func (s *store) failed(err error) error { return fmt.Errorf("write the checkpoint %s: %w", s.dir, err) }

// saving encodes changes into a Pebble batch; its first error stays.
type saving struct {
	*store
	b   *pebble.Batch
	err error
}

// value sets key to what encode made, in the store's buffer.
func (p *saving) value(key, value []byte, err error) {
	p.valueBuf = value[:0]
	if err == nil {
		err = p.b.Set(key, value, nil)
	}
	if p.err == nil {
		p.err = err
	}
}

func (p *saving) item(it *inventory.Item) {
	v, err := codec.EncodeItem(p.valueBuf, *it)
	p.value(p.key(keyItem, it.SKU, "", false), v, err)
}

func (p *saving) holdings(h *holdings) {
	v, err := h.encode(p.valueBuf, &p.frameBuf)
	p.value(p.key(keyHoldings, h.orderID, "", false), v, err)
	p.index(keyOpenStock, h.orderID, h.open(), p.valueBuf)
}

func (p *saving) order(e *entry) {
	id := e.o.ID
	if !e.o.Settled && p.answeredHere(e) {
		e.o.Settled = true // folded from the log
	}
	p.known.add(id)
	v, err := e.encode(p.valueBuf, &p.frameBuf)
	p.value(p.key(keyOrder, id, "", false), v, err)
	was, is := e.indexed, indexOf(&e.o)
	if is.deadlineMicros != was.deadlineMicros {
		p.index(keyDeadline, id, is.deadlineMicros != 0, binary.BigEndian.AppendUint64(p.valueBuf, uint64(is.deadlineMicros)))
	}
	if is.unsettled != was.unsettled {
		p.index(keyUnsettled, id, is.unsettled, p.valueBuf)
	}
	e.indexed = is
}

// index adds an order to an index, or takes it out.
func (p *saving) index(kind byte, orderID string, in bool, value []byte) {
	if in {
		p.value(p.key(kind, orderID, "", false), value, nil)
		return
	}
	if err := p.b.Delete(p.key(kind, orderID, "", false), nil); p.err == nil {
		p.err = err
	}
}

// touched keeps what reconciliation has to look at until it has.
func (p *saving) touched() {
	if p.forgetTouched {
		if err := p.b.DeleteRange([]byte{keyTouched}, []byte{keyTouched + 1}, nil); p.err == nil {
			p.err = err
		}
	}
	for id := range p.newlyTouched {
		p.value(p.key(keyTouched, id, "", false), p.valueBuf, nil)
	}
}

func (p *saving) command(k pairKey, c *commandRecord) {
	v := append(p.valueBuf, c.fingerprint[:]...)
	p.value(p.key(keyCommand, k.a, k.b, true), binary.BigEndian.AppendUint64(v, c.version), nil)
}

func (p *saving) cursor(tp eventlog.TopicPartition, c *cursor) {
	v := binary.BigEndian.AppendUint64(p.valueBuf, uint64(c.next))
	v = binary.BigEndian.AppendUint64(v, uint64(c.last))
	p.value(cursorKey(tp), append(v, c.lastID[:]...), nil)
}
