package analytics

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

const (
	// salesMemory is about how many bytes the orders may take that the fold of sales remembers. Others are read again
	// from the mirror when an event needs them.
	salesMemory = 64 << 20
	// The bytes of an order and of one of its lines, about: names and strings included.
	salesOrderBytes, salesLineBytes = 400, 120
	// ordersPerLoad limits how many orders one query reads. Their IDs, of up to limits.MaxOrderIDBytes, are in its text,
	// of which ClickHouse takes 256 KiB (max_query_size).
	ordersPerLoad = 500
)

// salesFold makes the rows of sales from those of orders and order_lines, but for past documents. What a row says
// depends on earlier events of its order, which are in the same partition of the log. The fold remembers recent orders;
// those that it does not have it reads from the mirror. So a row is a function of the log, whoever makes it.
type salesFold struct {
	conn *clickhouse.Conn
	// durable waits until all rows of earlier batches are in the mirror.
	durable func(context.Context) error
	// recent and older have the orders that were used last. When recent is full, it becomes older.
	recent, older map[string]*orderSales
	recentBytes   int
}

func newSalesFold(conn *clickhouse.Conn, durable func(context.Context) error) *salesFold {
	return &salesFold{
		conn: conn, durable: durable, recent: map[string]*orderSales{}, older: map[string]*orderSales{},
	}
}

// foldSales adds the rows of sales that the batch does not have yet.
func (b *batch) foldSales(ctx context.Context, f *salesFold) error {
	changes := b.takeOrderChanges()
	if err := b.findOrders(ctx, f, changes); err != nil {
		return err
	}
	for i := range changes {
		c := &changes[i]
		if order := b.saleOrders[c.orderID]; order != nil {
			b.sales.add(c, order.change(c))
		} // else its order_placed is not in the log, and nobody knows what it sells
	}
	for id, order := range b.saleOrders {
		f.remember(id, order)
	}
	return nil
}

// findOrders puts the orders of the events into saleOrders, as they are before the events.
func (b *batch) findOrders(ctx context.Context, f *salesFold, changes []orderChange) error {
	if b.saleOrders == nil {
		b.saleOrders = map[string]*orderSales{}
	}
	var missing []string
	before := map[int32]int64{} // the first offset of the batch in each partition
	for i := range changes {
		c := &changes[i]
		if _, known := before[c.partition]; !known {
			before[c.partition] = c.offset
		}
		if _, known := b.saleOrders[c.orderID]; known {
			continue
		}
		order := f.recall(c.orderID)
		if order == nil && c.typ == "order_placed" {
			order = &orderSales{}
		}
		if order == nil {
			missing = append(missing, c.orderID)
		}
		b.saleOrders[c.orderID] = order
	}
	if len(missing) == 0 {
		return nil
	}
	if err := f.durable(ctx); err != nil {
		return err
	}
	for ids := range slices.Chunk(missing, ordersPerLoad) {
		if err := f.load(ctx, ids, before, b.saleOrders); err != nil {
			return fmt.Errorf("read earlier events of %d orders from the mirror: %w", len(ids), err)
		}
	}
	return nil
}

// recall returns an order that the fold remembers, or nil.
func (f *salesFold) recall(id string) *orderSales {
	if order := f.recent[id]; order != nil {
		return order
	}
	return f.older[id]
}

// remember keeps an order for later batches. It may forget others.
func (f *salesFold) remember(id string, order *orderSales) {
	if order == nil || f.recent[id] != nil {
		return
	}
	f.recentBytes += salesOrderBytes + salesLineBytes*len(order.lines)
	if f.recentBytes > salesMemory/2 {
		f.older, f.recent, f.recentBytes = f.recent, map[string]*orderSales{}, 0
	}
	f.recent[id] = order
}

// load reads orders from the mirror, as their events below the given offsets make them.
func (f *salesFold) load(
	ctx context.Context, ids []string, before map[int32]int64, orders map[string]*orderSales,
) error {
	changes, err := loadOrderChanges(ctx, f.conn, ids, before)
	for i := range changes {
		c := &changes[i]
		order := orders[c.orderID]
		if order == nil && c.typ == "order_placed" {
			order = &orderSales{}
			orders[c.orderID] = order
		}
		if order != nil {
			order.change(c)
		}
	}
	return err
}

// refoldSales makes the rows of an order in sales again from what the mirror has of it, and deletes those of before:
// they were made without one of its events, and may be more.
func refoldSales(ctx context.Context, conn *clickhouse.Conn, orderID string, partition int32) error {
	changes, err := loadOrderChanges(ctx, conn, []string{orderID}, map[int32]int64{partition: math.MaxInt64})
	if err != nil || len(changes) == 0 || changes[0].typ != "order_placed" {
		return err
	}
	var r rows
	order := &orderSales{}
	for i := range changes {
		r.sales.add(&changes[i], order.change(&changes[i]))
	}
	// What a projector adds of later events meanwhile stays.
	former := fmt.Sprintf("DELETE FROM sales WHERE order_id IN (%s) AND %s", clickhouse.Literals(orderID),
		below(map[int32]int64{partition: changes[len(changes)-1].offset + 1}))
	if err := conn.Exec(ctx, former, nil, nil); err != nil {
		return err
	}
	for _, in := range r.inserts() {
		if err := conn.Insert(ctx, in.table, in.columns); err != nil {
			return err
		}
	}
	return nil
}

// takeOrderChanges returns the events since the last call that matter to sales, in the order of their rows.
func (b *batch) takeOrderChanges() []orderChange {
	var changes []orderChange
	orders, lines := &b.orders, &b.lines
	for ; b.foldedOrders < len(orders.offset); b.foldedOrders++ {
		i, first := b.foldedOrders, b.foldedLines
		for b.foldedLines < len(lines.offset) && lines.offset[b.foldedLines] == orders.offset[i] &&
			lines.partition[b.foldedLines] == orders.partition[i] {
			b.foldedLines++
		}
		if !slices.Contains(saleTypes, orders.typ[i]) {
			continue
		}
		c := orderChange{
			partition: orders.partition[i], offset: orders.offset[i], typ: orders.typ[i], orderID: orders.orderID[i],
			customerID: orders.customerID[i], country: orders.country[i], currency: orders.currency[i],
			occurredAt: orders.occurredAt[i], totalMicros: orders.totalMicros[i], returnedMicros: orders.returnedMicros[i],
			rounding: orders.rounding[i], taxesIncluded: orders.taxesIncluded[i],
		}
		if first < b.foldedLines {
			c.lines = make([]saleLine, 0, b.foldedLines-first)
		}
		for n := first; n < b.foldedLines; n++ {
			c.lines = append(c.lines, saleLine{
				lines.kind[n], lines.sku[n], lines.unitPriceMicros[n], lines.quantity[n], lines.amountMicros[n], lines.charge[n],
			})
		}
		changes = append(changes, c)
	}
	return changes
}

// loadOrderChanges reads the events of orders, in the order of the log.
func loadOrderChanges(
	ctx context.Context, conn *clickhouse.Conn, ids []string, before map[int32]int64,
) ([]orderChange, error) {
	where := fmt.Sprintf("order_id IN (%s) AND type IN (%s) AND %s",
		clickhouse.Literals(ids...), clickhouse.Literals(saleTypes...), below(before))
	var changes []orderChange
	type place struct {
		partition int32
		offset    int64
	}
	at := map[place]int{} // where an event is in changes
	err := conn.Each(ctx, `SELECT partition, offset, type, order_id, customer_id, country, currency, occurred_at,
			total_micros, returned_micros, rounding, toUInt32(taxes_included)
		FROM orders WHERE `+where+` ORDER BY partition, offset LIMIT 1 BY partition, offset`, nil, nil,
		func(rows clickhouse.Rows) error {
			var c orderChange
			err := rows.Scan(&c.partition, &c.offset, &c.typ, &c.orderID, &c.customerID, &c.country, &c.currency,
				&c.occurredAt, &c.totalMicros, &c.returnedMicros, &c.rounding, &c.taxesIncluded)
			at[place{c.partition, c.offset}] = len(changes)
			changes = append(changes, c)
			return err
		})
	if err != nil {
		return nil, err
	}
	err = conn.Each(ctx, `SELECT partition, offset, kind, sku, unit_price_micros, quantity,
			amount_micros, charge
		FROM order_lines WHERE `+where+` ORDER BY partition, offset, line LIMIT 1 BY partition, offset, line`, nil, nil,
		func(rows clickhouse.Rows) error {
			var p place
			var line saleLine
			err := rows.Scan(&p.partition, &p.offset, &line.kind, &line.sku, &line.unitPriceMicros, &line.quantity,
				&line.amountMicros, &line.charge)
			if i, ok := at[p]; ok {
				changes[i].lines = append(changes[i].lines, line)
			}
			return err
		})
	return changes, err
}

// below is a condition on partition and offset: those before the given offsets.
func below(before map[int32]int64) string {
	conditions := make([]string, 0, len(before))
	for partition, offset := range before {
		conditions = append(conditions, fmt.Sprintf("(partition = %d AND offset < %d)", partition, offset))
	}
	slices.Sort(conditions)
	return "(" + strings.Join(conditions, " OR ") + ")"
}
