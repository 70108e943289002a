package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// agree compares what each order wants of stock, at the end of the log, with what stock holds for it.
func (c *checker) agree() {
	for id, o := range c.orders {
		if o.status == "placed" {
			c.report.OpenOrders++ // its outcome is still to come
			continue
		}
		for sku, ordered := range o.ordered {
			r := &reservation{}
			if it := c.items[sku]; it != nil && it.reservations[id] != nil && it.reservations[id].placed == o.placed {
				r = it.reservations[id]
			}
			want := o.wants(ordered, o.shipped[sku])
			got := reservation{reserved: r.reserved, committed: r.committed, fulfilled: r.fulfilled, restocked: r.restocked}
			c.check(Agreement, got == want, "order %s (%s) of %s: stock holds %+v, the order wants %+v", id, o.status, sku, got, want)
		}
	}
	for sku, it := range c.items {
		for id, r := range it.reservations {
			o := c.orders[id]
			c.check(Agreement, o != nil && o.ordered[sku] > 0 || r.reserved+r.committed == 0, "SKU %s holds %d for order %s, which does not want it", sku, r.reserved+r.committed, id)
		}
	}
}

func (o *order) wants(ordered, shipped int64) reservation {
	switch {
	case o.kind == "credit_note":
		return reservation{restocked: ordered}
	case o.status == "reserved":
		return reservation{reserved: ordered}
	case o.status == "confirmed" || o.status == "completed":
		return reservation{committed: ordered - shipped, fulfilled: shipped}
	}
	return reservation{fulfilled: shipped}
}

// view holds the availability topic to the fold.
func (c *checker) view(ctx context.Context, client *eventlog.Client) error {
	tps := make([]eventlog.TopicPartition, c.layout.PartitionCount)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: eventlog.TopicAvailability, Partition: int32(i)}
	}
	from, err := client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	to, err := client.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	rows := map[string]*eventv1.AvailabilityRow{}
	err = client.Read(ctx, from, to, func(rec *eventlog.Record) error {
		row := &eventv1.AvailabilityRow{}
		if err := row.UnmarshalVT(rec.Value); err != nil {
			c.check(View, false, "%s: %v", at(rec), err)
			return nil
		}
		if row.Sku == "" {
			return nil // says how far the rows are
		}
		if old := rows[row.Sku]; old == nil || old.SourceOffset < row.SourceOffset {
			rows[row.Sku] = row
		}
		return nil
	})
	if err != nil {
		return err
	}
	for sku, it := range c.items {
		c.row(sku, it, rows[sku])
		delete(rows, sku)
	}
	for sku := range rows {
		c.check(View, false, "the view has SKU %s, the log does not", sku)
	}
	return nil
}

func (c *checker) row(sku string, it *item, row *eventv1.AvailabilityRow) {
	if row == nil {
		c.check(View, false, "the view lacks SKU %s", sku)
		return
	}
	if row.SourceOffset != it.lastOffset || row.Version != it.version {
		c.check(View, false, "SKU %s: the view stands at version %d (offset %d), the log at %d (offset %d)", sku, row.Version, row.SourceOffset, it.version, it.lastOffset)
		return
	}
	total := &eventv1.Level{}
	same := len(row.Locations) == len(it.levels)
	for _, l := range row.Locations {
		same = same && it.levels[l.Location] != nil && sameLevel(it.levels[l.Location], l.Level)
	}
	for _, l := range it.levels {
		addLevel(total, l)
	}
	same = same && sameLevel(total, row.Total) && row.Registered == it.registered && row.Description == it.description &&
		row.BackorderLimit == it.backorderLimit && row.SourcePartition == it.partition
	c.check(View, same, "SKU %s: the view has %v, the log makes %v", sku, row, total)
}

// ack is a line of an acks file.
type ack struct {
	Key     string `json:"key"`
	OrderID string `json:"order_id"`
	Status  int    `json:"status"`
	Outcome string `json:"outcome"`
}

// acks holds the log to what clients were told.
func (c *checker) acks(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for n := 1; lines.Scan(); n++ {
		var a ack
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return fmt.Errorf("acks file, line %d: %w", n, err)
		}
		c.ack(&a)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the acks file: %w", err)
	}
	return nil
}

func (c *checker) ack(a *ack) {
	id, inLog := c.keys[a.Key]
	o := c.orders[id]
	switch {
	case a.Status == 201 || a.Status == 202:
		c.check(Acknowledged, inLog, "key %q was answered %d, and is not in the log", a.Key, a.Status)
		c.check(OneKey, !inLog || id == a.OrderID, "key %q was answered with order %s, the log has %s", a.Key, a.OrderID, id)
		if a.Status == 201 && inLog {
			c.check(Acknowledged, o.outcome == "reserved", "key %q was answered 201, the log says %q", a.Key, o.outcome)
		}
	case a.Status == 409:
		c.check(Refused, inLog && o.outcome == "rejected", "key %q was answered 409 %s, the log says otherwise", a.Key, a.Outcome)
	case a.Status >= 400 && a.Status < 500:
		c.check(Refused, !inLog, "key %q was refused with %d, and is in the log", a.Key, a.Status)
	}
}
