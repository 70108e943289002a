package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// mirrorWait bounds the wait until ClickHouse holds what was read of the log.
const mirrorWait = 2 * time.Minute

// sums are figures under names that ClickHouse is asked for in the same words.
type sums map[string][4]int64

func (s sums) add(name string, figures ...int64) {
	sum := s[name]
	for i, f := range figures {
		sum[i] += f
	}
	s[name] = sum
}

// mirrorFold adds up what the mirror should hold, from the log alone.
type mirrorFold struct {
	// events are counted, with the sum of their versions and digests, by topic, partition and type.
	events sums
	// lines are counted, with units, money and prices, by type, month, country and currency.
	lines sums
}

func newMirrorFold() *mirrorFold {
	return &mirrorFold{events: sums{}, lines: sums{}}
}

func (f *mirrorFold) record(rec *eventlog.Record) {
	digest := int64(xxhash.Sum64(rec.Value))
	if rec.Topic == eventlog.TopicInventory {
		var ev eventv1.InventoryEvent
		if schema.ReadInventory(rec.Value, &ev) == nil && ev.Meta != nil {
			name, _ := schema.Name(&ev)
			f.events.add(fmt.Sprintf("%s/%d %s", rec.Topic, rec.Partition, name), 1, int64(ev.Meta.Version), digest)
		}
		return
	}
	var ev eventv1.OrderEvent
	if schema.ReadOrder(rec.Value, &ev) != nil || ev.Meta == nil {
		return // counted elsewhere
	}
	name, _ := schema.Name(&ev)
	f.events.add(fmt.Sprintf("%s/%d %s", rec.Topic, rec.Partition, name), 1, int64(ev.Meta.Version), digest)
	sign := int64(1)
	var lines []*eventv1.OrderLine
	var country, currency string
	switch {
	case ev.GetOrderPlaced() != nil:
		p := ev.GetOrderPlaced()
		lines, country, currency = p.Lines, p.Country, p.Currency
	case ev.GetOrderImported() != nil:
		p := ev.GetOrderImported()
		lines, country, currency = p.Lines, p.Country, p.Currency
	case ev.GetCreditNoteImported() != nil:
		p := ev.GetCreditNoteImported()
		sign, lines, country, currency = -1, p.Lines, p.Country, p.Currency
	case ev.GetLinesCancelled() != nil:
		sign, lines = -1, ev.GetLinesCancelled().Lines
	case ev.GetReturnReceivedV2() != nil:
		sign = -1
		for _, l := range ev.GetReturnReceivedV2().Lines {
			lines = append(lines, &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros})
		}
	case ev.GetOrderAmended() != nil:
		lines = differences(ev.GetOrderAmended().Lines)
	}
	month := time.UnixMicro(ev.Meta.OccurredAtMicros).UTC().Format("2006-01")
	for _, l := range lines {
		f.lines.add(strings.Join([]string{name, month, country, currency}, " "), 1, sign*l.Quantity, sign*l.Quantity*l.UnitPriceMicros, l.UnitPriceMicros)
	}
}

// differences are what an amendment adds to lines and takes off them: at the old price, and at the new one.
func differences(amended []*eventv1.AmendedLine) []*eventv1.OrderLine {
	var out []*eventv1.OrderLine
	for _, l := range amended {
		more := l.Quantity - l.FormerQuantity
		if l.FormerQuantity > 0 && l.UnitPriceMicros != l.FormerUnitPriceMicros {
			out = append(out, &eventv1.OrderLine{Sku: l.Sku, Quantity: -l.FormerQuantity, UnitPriceMicros: l.FormerUnitPriceMicros})
			more = l.Quantity
		}
		if more != 0 {
			out = append(out, &eventv1.OrderLine{Sku: l.Sku, Quantity: more, UnitPriceMicros: l.UnitPriceMicros})
		}
	}
	return out
}

// before bounds a query to what was read: the mirror may be ahead by now.
func (c *checker) before() string {
	var bounds []string
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		ends := make([]string, c.layout.PartitionCount)
		for p := range ends {
			ends[p] = fmt.Sprint(c.ends[eventlog.TopicPartition{Topic: topic, Partition: int32(p)}])
		}
		bounds = append(bounds, fmt.Sprintf("(topic = '%s' AND offset < [%s][partition + 1])", topic, strings.Join(ends, ",")))
	}
	return "(" + strings.Join(bounds, " OR ") + ")"
}

const (
	mirrorEvents = `SELECT concat(topic, '/', toString(partition), ' ', type), toInt64(count()), toInt64(sum(version)), reinterpretAsInt64(sum(digest)), toInt64(0)
FROM events FINAL WHERE %s GROUP BY topic, partition, type`
	mirrorLines = `SELECT concat(type, ' ', formatDateTime(occurred_at, '%%Y-%%m'), ' ', country, ' ', currency) AS name,
toInt64(count()), sum(quantity), sum(amount_micros), sum(unit_price_micros) FROM order_lines FINAL WHERE %s GROUP BY name`
	mirrorDeltas = `SELECT concat(sku, ' ', location), sum(on_hand_delta), sum(available_delta), sum(reserved_delta), sum(committed_delta)
FROM stock_ledger FINAL WHERE %s GROUP BY sku, location`
	mirrorLevels = `SELECT concat(sku, ' ', location), argMax(on_hand, version), argMax(available, version), argMax(reserved, version), argMax(committed, version)
FROM stock_ledger FINAL WHERE %s GROUP BY sku, location`
)

// mirror compares ClickHouse with the log (I9), and with itself filled anew (I8).
func (c *checker) mirror(ctx context.Context, client *eventlog.Client, address string) error {
	conn, err := clickhouse.Open(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.mirrorTotals(ctx, conn); err != nil {
		return err
	}
	return c.refill(ctx, client, conn)
}

func (c *checker) mirrorTotals(ctx context.Context, conn *clickhouse.Conn) error {
	wait, cancel := context.WithTimeout(ctx, mirrorWait)
	defer cancel()
	position := eventlog.PositionOf(c.ends)
	if covered, err := analytics.NewReports(conn).Await(wait, position); err != nil {
		return fmt.Errorf("the mirror is at %q and does not reach %s within %v; is analytics-projector running? %w", covered.Position, position, mirrorWait, err)
	}
	levels := sums{}
	for sku, it := range c.items {
		for _, l := range it.locations {
			levels[sku+" "+l.name] = [4]int64{l.level.OnHand, l.level.Available, l.level.Reserved, l.level.Committed}
		}
	}
	for _, one := range []struct {
		what, query string
		want        sums
	}{
		{"events", mirrorEvents, c.mirrored.events}, {"lines", mirrorLines, c.mirrored.lines},
		{"changes of stock", mirrorDeltas, levels}, {"levels of stock", mirrorLevels, levels},
	} {
		if err := c.compareSums(ctx, conn, one.what, one.query, one.want); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) compareSums(ctx context.Context, conn *clickhouse.Conn, what, query string, want sums) error {
	have := sums{}
	err := conn.Each(ctx, fmt.Sprintf(query, c.before()), nil, nil, func(rows clickhouse.Rows) error {
		var name string
		var figures [4]int64
		err := rows.Scan(&name, &figures[0], &figures[1], &figures[2], &figures[3])
		have[name] = figures
		return err
	})
	if err != nil {
		return err
	}
	names := maps.Clone(want)
	maps.Copy(names, have)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c.check(Mirror, have[name] == want[name], "%s of %s: ClickHouse has %v, the log %v", what, name, have[name], want[name])
	}
	return nil
}

// refill fills a database beside the mirror's from the start of the log, and compares the two.
func (c *checker) refill(ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn) error {
	beside, err := conn.Beside("verify")
	if err != nil {
		return err
	}
	defer beside.Close()
	if err := beside.DropDatabase(ctx); err != nil {
		return err
	}
	m, err := analytics.New(analytics.Config{Client: client, Layout: c.layout, Conn: beside, Alone: true})
	if err != nil {
		return err
	}
	filling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(filling) // alone, it tries until it is stopped
	}()
	_, err = analytics.NewReports(beside).Await(ctx, eventlog.PositionOf(c.ends))
	stop()
	<-done
	if err != nil {
		return fmt.Errorf("fill the mirror again: %w", err)
	}
	where := c.before()
	first, err := analytics.NewReports(conn).Checksums(ctx, where)
	if err != nil {
		return err
	}
	second, err := analytics.NewReports(beside).Checksums(ctx, where)
	if err != nil {
		return err
	}
	var notes []string
	for i, sum := range first {
		c.check(Replayed, sum == second[i], "%s: %d rows, hash %016x; filled again %d rows, hash %016x", sum.Table, sum.Rows, sum.Hash, second[i].Rows, second[i].Hash)
		notes = append(notes, fmt.Sprintf("%s %d rows %016x", sum.Table, sum.Rows, sum.Hash))
	}
	c.byID[Replayed].Note = strings.Join(notes, ", ")
	return beside.DropDatabase(ctx)
}
