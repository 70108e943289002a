package verify

// account is all that the log says of one order ID: the order, and what stock has set aside for it.
type account struct {
	order        *order         // nil: only stock has named it
	reservations []*reservation // one for each SKU
	// due is the auditor's tick at which the account changed last. waitsSince is the tick at which it was found to wait
	// for stock; 0: it does not wait. overdue: it has waited for too long.
	due, waitsSince uint64
	overdue         bool
}

// reservation is what is set aside of a SKU; nil for nothing.
func (a *account) reservation(sku string) *reservation {
	for _, r := range a.reservations {
		if r.sku == sku {
			return r
		}
	}
	return nil
}

// weight is how many small records an account is.
func (a *account) weight() int {
	if a.order == nil {
		return 1 + len(a.reservations)
	}
	return 1 + len(a.reservations) + len(a.order.lines)
}

// weight is how many small records an item is.
func (it *item) weight() int {
	return 1 + len(it.locations) + len(it.waiting) + len(it.transfers) + len(it.expected)
}

// record is what a table has.
type record[V any] interface {
	*V
	code(*coder)
	weight() int
}

// table has records of one kind by their key. In a verification of a whole log all of them are in memory. The auditor's
// are on disk; in memory are those that changed since they were last saved, and some that were used of late.
type table[V any, R record[V]] struct {
	recent map[string]R
	// older are those that were used before recent was begun.
	older   map[string]R
	changed map[string]struct{}
	weighs  int   // those in recent, one that is saved again counts again
	disk    *disk // nil: all are in memory
	prefix  byte  // of the keys on disk
}

func newTable[V any, R record[V]](disk *disk, prefix byte) table[V, R] {
	return table[V, R]{recent: map[string]R{}, changed: map[string]struct{}{}, disk: disk, prefix: prefix}
}

// get is the record of a key; nil where there is none.
func (t *table[V, R]) get(key string) R {
	if r, ok := t.recent[key]; ok || t.disk == nil {
		return r
	}
	r := t.older[key]
	if r == nil {
		v := R(new(V))
		if !t.disk.read(t.prefix, key, v.code) {
			return nil
		}
		r = v
	}
	t.recent[key] = r
	t.weighs += r.weight()
	return r
}

// change is the record of a key, which is about to change; make makes one where there is none.
func (t *table[V, R]) change(key string, make func() R) R {
	r := t.get(key)
	if r == nil {
		r = make()
		t.recent[key] = r
	}
	if t.disk != nil {
		t.changed[key] = struct{}{}
	}
	return r
}

// save adds what has changed to the batch of the disk, after mark.
func (t *table[V, R]) save(mark func(key string, r R)) {
	for key := range t.changed {
		r := t.recent[key]
		mark(key, r)
		t.disk.write(t.prefix, key, r.code)
		t.weighs += r.weight()
	}
	clear(t.changed)
	if t.weighs > t.disk.maxWeight {
		t.older, t.recent, t.weighs = t.recent, map[string]R{}, 0
	}
}

// accountOf is the account of an order ID, which is about to change. It is a new one where the log has not named the ID
// before.
func (c *checker) accountOf(id string) *account {
	return c.accounts.change(id, func() *account { return &account{} })
}

// orderOf is an order; nil where the log has no event of it.
func (c *checker) orderOf(id string) *order {
	if a := c.accounts.get(id); a != nil {
		return a.order
	}
	return nil
}

func (c *checker) reservationOf(sku, orderID string) *reservation {
	if a := c.accounts.get(orderID); a != nil {
		return a.reservation(sku)
	}
	return nil
}

// itemOf is the item of a SKU, which is about to change. It is a new one where the log has not named the SKU before.
func (c *checker) itemOf(sku string, partition int32) *item {
	return c.items.change(sku, func() *item {
		return &item{
			sku: sku, transfers: map[string]*transfer{}, expected: map[delivery]int64{}, partition: partition,
			lastOffset: -1, rowOffset: -1,
		}
	})
}

func (c *checker) countOrders() (n int) {
	for _, a := range c.accounts.recent {
		if a.order != nil {
			n++
		}
	}
	return n
}
