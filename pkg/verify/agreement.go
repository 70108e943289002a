package verify

// checkAgreement compares, at the end of the log, what each order wants of stock with what stock has set aside for it,
// shipped to it and got back from it (I16).
func (c *checker) checkAgreement() {
	unsettled := 0
	for id, a := range c.accounts.recent {
		o := a.order
		if o == nil {
			continue
		}
		if o.status == "placed" || o.amending != nil {
			c.report.OpenOrders++
			continue
		}
		if !c.checkOrderAgainstStock(id, o) {
			unsettled++
		}
	}
	for id, a := range c.accounts.recent {
		if !c.checkReservations(id, a) {
			c.report.UnplacedOrders++
		}
	}
	c.report.UnsettledOrders = unsettled
	if c.report.Moving {
		c.byID[Agreement].Note = "not checked: the log was written while it was read"
	} else if c.o.Settled {
		c.check(Agreement, c.report.OpenOrders+unsettled+c.report.UnplacedOrders == 0,
			"%d orders have no outcome, %d wait for stock to follow, stock holds units for %d that were not placed so",
			c.report.OpenOrders, unsettled, c.report.UnplacedOrders)
	}
}

// checkOrderAgainstStock checks that stock has what the order wants. It returns false where stock of another shard has
// not followed the order yet.
func (c *checker) checkOrderAgainstStock(id string, o *order) (settled bool) {
	settled = true
	for i := range o.lines {
		l := &o.lines[i]
		want, got, backordered := o.wantedQuantities(l), quantities{}, int64(0)
		if r := c.reservationOf(l.sku, id); r != nil && r.placed == o.placed {
			got, backordered = r.quantities, r.backordered
			c.check(Agreement, sameRule(r.rule, o.rule),
				"order %s of %s: stock was asked by the rule %v, the order has %v", id, l.sku, r.rule, o.rule)
		}
		if got != want && c.awaitsOtherShard(o, l.sku) {
			settled = false
			continue
		}
		if c.report.Moving {
			continue
		}
		c.check(Agreement, got == want, "order %s (%s, placed at %d@%d) of %s: stock holds %+v, the order wants %+v",
			id, o.status, o.partition, o.offset, l.sku, got, want)
		// Another shard may have filled a backorder, and its message may still be under way, unless nothing is.
		active := o.status == "reserved" || o.status == "confirmed"
		if active && (c.o.Settled || c.sameShard(o, l.sku)) {
			c.check(Agreement, backordered == l.backordered,
				"order %s of %s: stock says that %d are backordered, the order %d", id, l.sku, backordered, l.backordered)
		}
	}
	return settled
}

// awaitsOtherShard reports whether the SKU's stock is in another shard, which need not have followed the order yet.
func (c *checker) awaitsOtherShard(o *order, sku string) bool {
	return !o.settled && !c.sameShard(o, sku)
}

// sameShard reports whether an order and a SKU are written by one shard.
func (c *checker) sameShard(o *order, sku string) bool {
	shards := c.layout.ShardCount
	return o.partition%shards == partitionOf(sku, c.layout.PartitionCount)%shards
}

// checkReservations checks that what is set aside for an order is wanted by the order. It returns false where something
// is set aside for an attempt to place the order that is not in the log: stock of another shard was asked before, and
// the attempt is still to be written, or never was, and what it has is about to be given back.
func (c *checker) checkReservations(id string, a *account) (placed bool) {
	placed = true
	for _, r := range a.reservations {
		written := a.order != nil && a.order.placed == r.placed
		if !written && r.reserved > 0 && r.committed == 0 && c.mayBeUnwritten(id, r.sku) {
			placed = false
			continue
		}
		c.checkReservation(id, a.order, r)
	}
	return placed
}

// mayBeUnwritten reports whether the stock of a SKU may have been asked for an order before that was written: it is in
// another shard than the order, or was in a generation before.
func (c *checker) mayBeUnwritten(orderID, sku string) bool {
	l := c.layout
	return l.ShardOf(partitionOf(orderID, l.PartitionCount)) != l.ShardOf(partitionOf(sku, l.PartitionCount)) ||
		l.Generation > 1
}

// checkReservation checks that what is set aside for an order is wanted by the order.
func (c *checker) checkReservation(orderID string, o *order, r *reservation) {
	setAside := r.reserved + r.committed
	if c.report.Moving || setAside == 0 {
		return
	}
	wants := o != nil && o.placed == r.placed &&
		// A line may have been declined, and stock not told.
		(o.line(r.sku) != nil || !c.o.Settled && c.awaitsOtherShard(o, r.sku))
	c.check(Agreement, wants, "SKU %s (%d@%d) holds %d for order %s, which does not want it",
		r.sku, partitionOf(r.sku, c.layout.PartitionCount), r.offset, setAside, orderID)
}

// statusWithoutHold is an order's status, or that of an order on hold before it was put on hold.
func (o *order) statusWithoutHold() string {
	if o.status == "on_hold" {
		return o.statusBeforeHold
	}
	return o.status
}

// wantedQuantities is what an order wants of a line's SKU.
func (o *order) wantedQuantities(l *line) quantities {
	status := o.statusWithoutHold()
	switch {
	case o.kind == kindCreditNote && o.status == "completed":
		return quantities{restocked: l.ordered}
	case status == "reserved":
		return quantities{reserved: l.ordered - l.shipped, fulfilled: l.left()}
	case status == "confirmed", o.status == "completed":
		return quantities{
			committed: l.ordered - l.shipped, fulfilled: l.left(),
			restocked: l.restocked(), damaged: l.damaged + l.undeliveredDamaged,
		}
	}
	return quantities{
		fulfilled: l.left(), restocked: l.restocked(), damaged: l.damaged + l.undeliveredDamaged,
	}
}

// left is what has ever left, also what did not arrive, and shipments that were taken back: stock forgets none.
func (l *line) left() int64 { return l.shipped + l.undelivered + l.reversed }

// restocked is what came back and can be sold again: of returns, and of shipments that did not arrive or were taken
// back.
func (l *line) restocked() int64 {
	return l.returned - l.damaged + l.undelivered - l.undeliveredDamaged - l.lost + l.reversed
}
