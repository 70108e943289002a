package verify

// agree compares what each order wants of stock, at the end of the log, with what stock holds for it.
func (c *checker) agree() {
	unsettled := 0
	for name, o := range c.orders {
		if o.status == "placed" || o.amending != nil {
			c.report.OpenOrders++ // its outcome is still to come
			continue
		}
		waits := false
		for i := range o.lines {
			l := &o.lines[i]
			want, got, waitsFor := o.wanted(l), held{}, int64(0)
			if r := c.reservationOf(l.sku, name); r != nil && r.placed == o.placed {
				got, waitsFor = r.held, r.backordered
				c.check(Agreement, sameRule(r.rule, o.rule), "order %s of %s: stock was asked by the rule %v, the order has %v", name, l.sku, r.rule, o.rule)
			}
			if got != want && c.elsewhere(o, l.sku) {
				waits = true // stock in another shard has not followed yet
				continue
			}
			if c.report.Moving {
				continue
			}
			c.check(Agreement, got == want, "order %s (%s, placed at %d@%d) of %s: stock holds %+v, the order wants %+v",
				name, o.status, o.partition, o.offset, l.sku, got, want)
			// News of a filled backorder may still be on their way from another shard, unless nothing is.
			if open := o.status == "reserved" || o.status == "confirmed"; open && (c.o.Settled || c.sameShard(o, l.sku)) {
				c.check(Agreement, waitsFor == l.backordered, "order %s of %s: stock says that %d are backordered, the order %d", name, l.sku, waitsFor, l.backordered)
			}
		}
		if waits {
			unsettled++
		}
	}
	for sku, it := range c.items {
		for name, r := range it.reservations {
			c.wantedBy(sku, it, name, r)
		}
	}
	c.report.UnsettledOrders = unsettled
	if c.report.Moving {
		c.byID[Agreement].Note = "not checked: the log was written while it was read"
	} else if c.o.Settled {
		c.check(Agreement, c.report.OpenOrders+unsettled == 0, "%d orders have no outcome, %d wait for stock to follow", c.report.OpenOrders, unsettled)
	}
}

func (c *checker) reservationOf(sku, order string) *reservation {
	if it := c.items[sku]; it != nil {
		return it.reservations[order]
	}
	return nil
}

// elsewhere reports whether the order still waits for the SKU's stock, in another shard, to follow.
func (c *checker) elsewhere(o *order, sku string) bool {
	return !o.settled && !c.sameShard(o, sku)
}

// sameShard reports whether an order and a SKU are written by one shard.
func (c *checker) sameShard(o *order, sku string) bool {
	shards := c.layout.ShardCount
	return o.partition%shards == partitionOf(sku, c.layout.PartitionCount)%shards
}

// wantedBy holds what is reserved to an order that wants it.
func (c *checker) wantedBy(sku string, it *item, name string, r *reservation) {
	if c.report.Moving || r.reserved+r.committed == 0 {
		return
	}
	o := c.orders[name]
	wants := o != nil && o.line(sku) != nil && o.placed == r.placed
	c.check(Agreement, wants, "SKU %s (%d@%d) holds %d for order %s, which does not want it", sku, it.partition, r.offset, r.reserved+r.committed, name)
}

// phase is an order's status, or the one before it was put on hold.
func (o *order) phase() string {
	if o.status == "on_hold" {
		return o.heldFrom
	}
	return o.status
}

// wanted is what an order wants of a line's SKU.
func (o *order) wanted(l *line) held {
	switch {
	case o.kind == kindCreditNote && o.status == "completed":
		return held{restocked: l.ordered}
	case o.phase() == "reserved":
		return held{reserved: l.ordered - l.shipped, fulfilled: l.shipped}
	case o.phase() == "confirmed", o.status == "completed":
		return held{committed: l.ordered - l.shipped, fulfilled: l.shipped, restocked: l.returned - l.damaged, damaged: l.damaged}
	}
	return held{fulfilled: l.shipped}
}
