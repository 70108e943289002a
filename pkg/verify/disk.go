package verify

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/localstore"
)

// The first byte of a key on the auditor's disk.
const (
	keyAccount = 'a' // order ID → account
	keyDue     = 'd' // tick, kind and name → nothing: what is to be compared once its tick is long enough ago
	keyItem    = 'i' // SKU → item
	keyEffect  = 'k' // hash of topic, aggregate and idempotency key → version
	keyMark    = 'm' // → marks
	keyPlaced  = 'o' // hash of an idempotency key → ID of the order that it placed
)

// maxWeight is how many small records of a table may be recent before they become the older ones. So a table has at
// most twice as many in memory, and those that changed since the last save.
const maxWeight = 16_000

// disk is where the auditor keeps its records. The first error of a read is kept, because folds have no errors: the
// auditor asks for it before it keeps anything of what was folded.
type disk struct {
	db        *localstore.DB
	maxWeight int // of a table
	batch     *pebble.Batch
	key       []byte // reused
	err       error
}

func (d *disk) keyOf(prefix byte, name string) []byte {
	d.key = append(append(d.key[:0], prefix), name...)
	return d.key
}

// value calls fn with the value of a key, if there is one.
func (d *disk) value(prefix byte, name string, fn func([]byte)) (found bool) {
	v, closer, err := d.db.Get(d.keyOf(prefix, name))
	if errors.Is(err, pebble.ErrNotFound) {
		return false
	}
	if err == nil {
		fn(v)
		err = closer.Close()
	}
	d.keep(d.db.Explain(err))
	return err == nil
}

// read reads a record.
func (d *disk) read(prefix byte, name string, code func(*coder)) (found bool) {
	return d.value(prefix, name, func(v []byte) {
		c := coder{b: v, reading: true}
		if code(&c); c.err == nil && len(c.b) > 0 {
			c.fail()
		}
		if c.err != nil {
			d.keep(d.db.Damaged(c.err))
		}
	})
}

// write adds a record to the batch.
func (d *disk) write(prefix byte, name string, code func(*coder)) {
	var c coder
	code(&c)
	d.keep(c.err)
	d.keep(d.batch.Set(d.keyOf(prefix, name), c.b, nil))
}

func (d *disk) keep(err error) {
	if d.err == nil {
		d.err = err
	}
}

// begin forgets what was not committed, and the error.
func (d *disk) begin() {
	if d.batch == nil {
		d.batch = d.db.NewBatch()
	}
	d.batch.Reset()
	d.err = d.db.Err()
}

// commit commits the batch. It does not sync: what a power cut takes is read from the log again.
func (d *disk) commit() error {
	if d.keep(d.db.Err()); d.err != nil {
		return d.err
	}
	if err := d.batch.Commit(pebble.NoSync); err != nil {
		return d.db.Explain(err)
	}
	d.batch.Reset()
	return nil
}

// empty forgets everything.
func (d *disk) empty() error {
	return d.db.Explain(d.db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync))
}

func (d *disk) close() error {
	if d.batch != nil {
		_ = d.batch.Close() // its writes are lost on purpose
	}
	return d.db.Close()
}

// Kinds of what is due.
const (
	dueOrder = 'o'
	dueSKU   = 's'
)

// dueName is the name of what is due, behind keyDue. Earlier ticks come first.
func dueName(tick uint64, kind byte, name string) string {
	return string(append(append(binary.BigEndian.AppendUint64(nil, tick), kind), name...))
}

// due calls fn with what is due since before a tick, earliest first, until it returns false.
func (d *disk) due(before uint64, fn func(tick uint64, kind byte, name string) (more bool)) error {
	it, err := d.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{keyDue}, UpperBound: binary.BigEndian.AppendUint64([]byte{keyDue}, before),
	})
	if err != nil {
		return d.db.Explain(err)
	}
	for it.First(); it.Valid(); it.Next() {
		key := it.Key()
		if len(key) < 10 {
			return errors.Join(d.db.Damaged(errRecord), it.Close())
		}
		if !fn(binary.BigEndian.Uint64(key[1:9]), key[9], string(key[10:])) {
			break
		}
	}
	return d.db.Explain(it.Close())
}

func (d *disk) writeDue(tick uint64, kind byte, name string) {
	d.keep(d.batch.Set(d.keyOf(keyDue, dueName(tick, kind, name)), nil, nil))
}

func (d *disk) deleteDue(tick uint64, kind byte, name string) {
	d.keep(d.batch.Delete(d.keyOf(keyDue, dueName(tick, kind, name)), nil))
}
