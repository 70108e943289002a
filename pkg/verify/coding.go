package verify

import (
	"encoding/binary"
	"errors"
)

// coder writes the auditor's records for its disk, or reads them. One method for each type is both directions, so that
// they cannot differ. Numbers are varints, texts and lists have their length before them.
type coder struct {
	b       []byte // what was written, or what is left to read
	reading bool
	err     error // of reading
}

// errRecord says that a record on disk is not as it was written.
var errRecord = errors.New("a record is not as it was written")

func (c *coder) fail() {
	c.err, c.b = errRecord, nil
}

func (c *coder) uint64(v *uint64) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, *v)
		return
	}
	n := 0
	if *v, n = binary.Uvarint(c.b); n <= 0 {
		*v = 0
		c.fail()
		return
	}
	c.b = c.b[n:]
}

func (c *coder) int64(v *int64) {
	if !c.reading {
		c.b = binary.AppendVarint(c.b, *v)
		return
	}
	n := 0
	if *v, n = binary.Varint(c.b); n <= 0 {
		*v = 0
		c.fail()
		return
	}
	c.b = c.b[n:]
}

func (c *coder) int64s(vs ...*int64) {
	for _, v := range vs {
		c.int64(v)
	}
}

func (c *coder) int32(v *int32) {
	wide := int64(*v)
	c.int64(&wide)
	*v = int32(wide)
}

func (c *coder) flag(v *bool) {
	n := uint64(0)
	if *v {
		n = 1
	}
	c.uint64(&n)
	*v = n == 1
}

// length is that of what follows. A length that the rest cannot have is a failure.
func (c *coder) length(n int) int {
	v := uint64(n)
	c.uint64(&v)
	if c.reading && v > uint64(len(c.b)) {
		c.fail()
		return 0
	}
	return int(v)
}

func (c *coder) bytes(v *[]byte) {
	n := c.length(len(*v))
	if !c.reading {
		c.b = append(c.b, *v...)
		return
	}
	*v, c.b = c.b[:n], c.b[n:]
}

func (c *coder) text(v *string) {
	b := []byte(*v)
	if c.bytes(&b); c.reading {
		*v = string(b)
	}
}

func (c *coder) id(v *id) {
	b := v[:]
	c.bytes(&b)
	copy(v[:], b)
}

// message is a Protobuf message; nil stays nil.
func message[M any, P interface {
	*M
	MarshalVT() ([]byte, error)
	UnmarshalVT([]byte) error
}](c *coder, m *P) {
	present := *m != nil
	if c.flag(&present); !present {
		*m = nil
		return
	}
	var b []byte
	if !c.reading {
		b, c.err = (*m).MarshalVT()
	}
	if c.bytes(&b); c.reading {
		*m = new(M)
		if err := (*m).UnmarshalVT(b); err != nil {
			c.fail()
		}
	}
}

func list[T any](c *coder, l *[]T, one func(*T)) {
	n := c.length(len(*l))
	if c.reading {
		*l = nil
		if n > 0 {
			*l = make([]T, n)
		}
	}
	for i := range *l {
		one(&(*l)[i])
	}
}

// dict is a map. An empty one is read as nil where it was nil.
func dict[K comparable, V any](c *coder, m *map[K]V, one func(*K, *V)) {
	present := *m != nil
	if c.flag(&present); !present {
		*m = nil
		return
	}
	n := c.length(len(*m))
	if !c.reading {
		for k, v := range *m {
			one(&k, &v)
		}
		return
	}
	*m = make(map[K]V, n)
	for range n {
		var k K
		var v V
		one(&k, &v)
		(*m)[k] = v
	}
}

func (a *account) code(c *coder) {
	known := a.order != nil
	if c.flag(&known); known {
		if c.reading {
			a.order = &order{}
		}
		a.order.code(c)
	}
	list(c, &a.reservations, func(r **reservation) {
		if c.reading {
			*r = &reservation{}
		}
		(*r).code(c)
	})
	c.uint64(&a.due)
	c.uint64(&a.waitsSince)
	c.flag(&a.overdue)
}

func (o *order) code(c *coder) {
	c.uint64(&o.version)
	c.text(&o.status)
	c.text(&o.kind)
	c.id(&o.placed)
	list(c, &o.lines, func(l *line) {
		c.text(&l.sku)
		c.int64s(&l.ordered, &l.shipped, &l.backordered, &l.delivered, &l.returned, &l.damaged,
			&l.undelivered, &l.undeliveredDamaged, &l.lost, &l.reversed)
	})
	list(c, &o.numbered, func(l *numberedLine) {
		c.text(&l.sku)
		c.int64s(&l.price, &l.ordered, &l.shipped, &l.delivered, &l.returned, &l.backordered)
		c.int64s(&l.discount, &l.tax, &l.returnedDiscount, &l.returnedTax)
	})
	c.int64s(&o.subtotal, &o.total, &o.authorized, &o.captured, &o.voided, &o.refunded, &o.refundDue, &o.deadline,
		&o.goodwill, &o.earlyCaptured, &o.earlyVoided, &o.earlyRefunded)
	list(c, &o.providerEvents, func(p *providerEvent) {
		c.int32(&p.action)
		c.text(&p.id)
		c.text(&p.provider)
	})
	for i := range o.unidentified {
		c.int64(&o.unidentified[i])
	}
	c.flag(&o.onAccount)
	c.text(&o.outcome)
	dict(c, &o.fulfilments, func(id *string, f *fulfilment) {
		c.text(id)
		c.int64(&f.units)
		c.flag(&f.pending)
		c.flag(&f.failed)
		c.flag(&f.reversed)
		list(c, &f.undelivered, func(u *undelivered) {
			c.text(&u.sku)
			c.int32(&u.line)
			c.int64(&u.units)
			c.int64(&u.delivered)
		})
	})
	dict(c, &o.returns, func(id *string, units *int64) {
		c.text(id)
		c.int64(units)
	})
	c.costs(&o.costs)
	c.text(&o.currency)
	message(c, &o.rule)
	message(c, &o.amending)
	c.flag(&o.paymentDue)
	c.flag(&o.coverLost)
	c.uint64(&o.requested)
	c.text(&o.statusBeforeHold)
	c.uint64(&o.wantedVersion)
	c.flag(&o.settled)
	c.int32(&o.partition)
	c.int64(&o.offset)
}

func (c *coder) costs(l *costs) {
	c.flag(&l.taxesIncluded)
	c.flag(&l.byLine)
	c.int64s(&l.exact, &l.returned)
	list(c, &l.charges, func(left *chargeLeft) { c.int64s(&left.amount, &left.tax) })
	dict(c, &l.parts, func(number *int32, p *costPart) {
		c.int32(number)
		c.int64s(&p.exact, &p.returned)
	})
}

func (r *reservation) code(c *coder) {
	c.int64s(&r.reserved, &r.committed, &r.fulfilled, &r.restocked, &r.damaged, &r.reversed)
	c.text(&r.sku)
	c.id(&r.placed)
	c.uint64(&r.version)
	c.uint64(&r.itemVersion)
	c.int64(&r.offset)
	dict(c, &r.backorderedAt, func(location *string, units *int64) {
		c.text(location)
		c.int64(units)
	})
	c.int64(&r.backordered)
	message(c, &r.rule)
	dict(c, &r.byLocation, func(location *string, u *locationUnits) {
		c.text(location)
		c.int64s(&u.present, &u.shipped, &u.reversed)
	})
}

func (it *item) code(c *coder) {
	c.text(&it.sku)
	c.uint64(&it.version)
	c.uint64(&it.visibleVersion)
	c.flag(&it.registered)
	c.text(&it.description)
	list(c, &it.metadata, func(e *entry) {
		c.text(&e.key)
		c.text(&e.value)
	})
	c.int64(&it.backorderLimit)
	list(c, &it.locations, func(l **location) {
		if c.reading {
			*l = &location{}
		}
		(*l).code(c)
	})
	list(c, &it.waiting, func(w *waitingOrder) {
		c.text(&w.order)
		c.text(&w.location)
		c.int64(&w.units)
		c.flag(&w.single)
	})
	dict(c, &it.transfers, func(id *string, t **transfer) {
		if c.reading {
			*t = &transfer{}
		}
		c.text(id)
		c.text(&(*t).from)
		c.text(&(*t).to)
		c.int64(&(*t).left)
	})
	dict(c, &it.expected, func(d *delivery, units *int64) {
		c.text(&d.location)
		c.text(&d.reference)
		c.int64(units)
	})
	c.int32(&it.partition)
	c.int64(&it.lastOffset)
	c.int64(&it.occurredAt)
	message(c, &it.row)
	c.int64(&it.rowOffset)
	c.uint64(&it.due)
	c.flag(&it.ownsShortfalls)
}

func (l *location) code(c *coder) {
	c.text(&l.name)
	level := &l.level
	c.int64(&l.safetyTarget)
	c.int64s(&level.OnHand, &level.Available, &level.Reserved, &level.Committed, &level.SafetyStock, &level.Damaged,
		&level.QualityControl, &level.Incoming)
	c.flag(&l.touched)
	c.int64(&l.onHand)
	c.uint64(&l.onHandVersion)
}
