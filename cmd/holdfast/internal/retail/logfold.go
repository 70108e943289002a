package retail

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Logged is what the log holds of a book's documents.
type Logged struct {
	// Documents are the figures of orders.events, and for adjustments of inventory.events.
	Documents Tally
	// Moved has, as Quantity, what inventory.events moved for these documents, signed as in the file.
	Moved Tally
	// Others counts imported documents and adjustments that are not in the book.
	Others int64
	// Events is how many events the two topics hold; Added how many of them came after the given offsets.
	Events, Added int64
	// Position is right behind the last events, not behind the transaction markers that follow them: views count events.
	Position eventlog.Position
}

// LogReader reads the log; *eventlog.Client is one.
type LogReader interface {
	ReadLayout(ctx context.Context) (eventlog.Layout, error)
	EndOffsets(ctx context.Context, tps []eventlog.TopicPartition) (eventlog.Offsets, error)
	Read(ctx context.Context, from, to eventlog.Offsets, fn func(*eventlog.Record) error) error
}

// LogEnd is where the two event topics end, open transactions included: a broker says that a transaction is committed a
// moment before readers see it, and what an import was told is in the log must be counted.
func LogEnd(ctx context.Context, log LogReader) (eventlog.Offsets, error) {
	layout, err := log.ReadLayout(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the log's end: %w", err)
	}
	var tps []eventlog.TopicPartition
	for _, topic := range foldedTopics {
		for p := range layout.PartitionCount {
			tps = append(tps, eventlog.TopicPartition{Topic: topic, Partition: p})
		}
	}
	end, err := log.EndOffsets(ctx, tps)
	if err != nil {
		return nil, fmt.Errorf("find the log's end: %w", err)
	}
	return end, nil
}

// foldedTopics have orders first: stock events name their order, and only the order knows the country.
var foldedTopics = []string{eventlog.TopicOrders, eventlog.TopicInventory}

const (
	// stockPatience is given to stock to answer and follow the orders that were imported last: on a shard of its own it does
	// so a moment after they are answered. What has not followed by then is missing.
	stockPatience = 10 * time.Second
	stockPause    = 50 * time.Millisecond
)

// FoldLog reads both event topics from the start and adds up what they hold of the book. What stands behind
// the offsets in since is counted as added; nil: all of it.
func FoldLog(ctx context.Context, log LogReader, b *Book, since eventlog.Offsets) (Logged, error) {
	f := newFold(b)
	f.since = since
	var from eventlog.Offsets
	var began time.Time // to wait, once all that there was has been read
	for {
		end, err := LogEnd(ctx, log)
		if err != nil {
			return Logged{}, err
		}
		if err := f.read(ctx, log, from, end); err != nil {
			return Logged{}, fmt.Errorf("fold the log: %w", err)
		}
		if began.IsZero() {
			began = time.Now()
		}
		if !f.unfinished() || time.Since(began) > stockPatience {
			f.out.Position = eventlog.PositionOf(f.behind)
			return f.out, nil
		}
		select {
		case <-ctx.Done():
			return Logged{}, fmt.Errorf("fold the log: %w", ctx.Err())
		case <-time.After(stockPause):
		}
		from = end
	}
}

// unfinished reports whether stock has not answered or followed a document of the book.
func (f *fold) unfinished() bool {
	for _, key := range f.asked {
		if f.keys[key] {
			return true
		}
	}
	return len(f.owed) > 0
}

// read adds up what stands between two positions, topic by topic.
func (f *fold) read(ctx context.Context, log LogReader, from, end eventlog.Offsets) error {
	for _, topic := range foldedTopics {
		part := make(eventlog.Offsets)
		for tp, offset := range end {
			if tp.Topic == topic {
				part[tp] = offset
			}
		}
		if err := log.Read(ctx, from, part, f.record); err != nil {
			return err
		}
	}
	return nil
}

type place struct{ month, country string }

// fold adds up events one by one. It keeps what belongs to the book's keys only.
type fold struct {
	out   Logged
	since eventlog.Offsets
	// behind is the offset after the last event of each partition.
	behind eventlog.Offsets
	keys   map[string]bool
	// orders are where an imported order's figures are counted.
	orders map[string]place
	// owed are the units of an imported order that stock has not moved yet, signed as in the file.
	owed map[string]int64
	// asked are the keys of documents that stock is asked for, by order.
	asked map[string]string
	// adjusted has the invoices of adjustments that were counted as a document.
	adjusted map[string]bool
}

func newFold(b *Book) *fold {
	f := &fold{
		out:    Logged{Documents: NewTally(), Moved: NewTally()},
		behind: eventlog.Offsets{},
		keys:   make(map[string]bool, len(b.Documents)),
		orders: make(map[string]place, len(b.Documents)), owed: map[string]int64{}, asked: map[string]string{}, adjusted: map[string]bool{},
	}
	for _, d := range b.Documents {
		if d.Kind != KindAdjustment {
			f.keys[d.Key()] = true
			continue
		}
		for i := range d.Lines {
			f.keys[d.LineKey(&d.Lines[i])] = true
		}
	}
	return f
}

func (f *fold) record(r *eventlog.Record) error {
	f.out.Events++
	f.behind[r.TopicPartition] = r.Offset + 1
	if r.Offset >= f.since[r.TopicPartition] {
		f.out.Added++
	}
	where := func(err error) error {
		return fmt.Errorf("%s partition %d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if r.Topic == eventlog.TopicOrders {
		var e eventv1.OrderEvent
		if err := schema.ReadOrder(r.Value, &e); err != nil {
			return where(err)
		}
		if err := f.order(&e); err != nil {
			return where(err)
		}
		return nil
	}
	var e eventv1.InventoryEvent
	if err := schema.ReadInventory(r.Value, &e); err != nil {
		return where(err)
	}
	if err := f.stock(&e); err != nil {
		return where(err)
	}
	return nil
}

// mine tells whether an event is of this book, and counts those of other imports.
func (f *fold) mine(key string) bool {
	if !strings.HasPrefix(key, KeyPrefix) {
		return false
	}
	if !f.keys[key] {
		f.out.Others++
		return false
	}
	return true
}

func (f *fold) order(e *eventv1.OrderEvent) error {
	switch c := e.GetChange().(type) {
	case *eventv1.OrderEvent_ImportRequested:
		f.asked[e.GetOrderId()] = e.GetMeta().GetIdempotencyKey()
	case *eventv1.OrderEvent_OrderRejected:
		delete(f.asked, e.GetOrderId())
	case *eventv1.OrderEvent_OrderImported:
		o := c.OrderImported
		return f.document(e, 1, o.GetLines(), o.GetSubtotalMicros(), o.GetCountry())
	case *eventv1.OrderEvent_CreditNoteImported:
		o := c.CreditNoteImported
		return f.document(e, -1, o.GetLines(), o.GetSubtotalMicros(), o.GetCountry())
	}
	return nil
}

func (f *fold) document(e *eventv1.OrderEvent, sign int64, lines []*eventv1.OrderLine, subtotal int64, country string) error {
	key := e.GetMeta().GetIdempotencyKey()
	if key == "" {
		key = f.asked[e.GetOrderId()]
	}
	delete(f.asked, e.GetOrderId())
	if !f.mine(key) {
		return nil
	}
	if want := command.OrderID(command.DefaultTenant, key); want != e.GetOrderId() {
		return fmt.Errorf("key %s stands for order %s, not %s", key, want, e.GetOrderId())
	}
	figures := Figures{Documents: 1, Rows: int64(len(lines))}
	for _, l := range lines {
		figures.Quantity += sign * l.GetQuantity()
		figures.Micros += sign * l.GetQuantity() * l.GetUnitPriceMicros()
	}
	if figures.Micros != sign*subtotal {
		return fmt.Errorf("order %s: its lines add up to %d micros, its subtotal is %d", e.GetOrderId(), sign*figures.Micros, subtotal)
	}
	at := place{monthOf(e.GetMeta()), country}
	f.orders[e.GetOrderId()] = at
	f.out.Documents.Add(at.month, at.country, figures)
	f.owe(e.GetOrderId(), figures.Quantity)
	return nil
}

func (f *fold) owe(order string, quantity int64) {
	if f.owed[order] += quantity; f.owed[order] == 0 {
		delete(f.owed, order)
	}
}

func (f *fold) stock(e *eventv1.InventoryEvent) error {
	switch c := e.GetChange().(type) {
	case *eventv1.InventoryEvent_StockFulfilled:
		f.move(e, c.StockFulfilled.GetStep(), c.StockFulfilled.GetQuantity())
	case *eventv1.InventoryEvent_StockRestocked:
		f.move(e, c.StockRestocked.GetStep(), -c.StockRestocked.GetQuantity())
	case *eventv1.InventoryEvent_StockAdjusted:
		return f.adjustment(e, c.StockAdjusted)
	}
	return nil
}

func (f *fold) move(e *eventv1.InventoryEvent, step *eventv1.ReservationStep, quantity int64) {
	if at, ok := f.orders[step.GetOrderId()]; ok {
		f.out.Moved.Add(monthOf(e.GetMeta()), at.country, Figures{Quantity: quantity})
		f.owe(step.GetOrderId(), -quantity)
	}
}

func (f *fold) adjustment(e *eventv1.InventoryEvent, a *eventv1.StockAdjusted) error {
	key, country, ok := cutReference(a.GetReference())
	if !f.mine(e.GetMeta().GetIdempotencyKey()) {
		return nil
	}
	if !ok || key != e.GetMeta().GetIdempotencyKey() {
		return fmt.Errorf("the adjustment's reference %q does not belong to its key %s", a.GetReference(), e.GetMeta().GetIdempotencyKey())
	}
	figures := Figures{Rows: 1, Quantity: a.GetDelta()}
	invoice := key[:strings.LastIndexByte(key, '/')]
	if !f.adjusted[invoice] {
		f.adjusted[invoice], figures.Documents = true, 1
	}
	month := monthOf(e.GetMeta())
	f.out.Documents.Add(month, country, figures)
	f.out.Moved.Add(month, country, Figures{Quantity: figures.Quantity})
	return nil
}

// cutReference takes LineReference apart: the prefix, invoice and row are the key, the rest is the country.
func cutReference(reference string) (key, country string, ok bool) {
	rest, ok := strings.CutPrefix(reference, KeyPrefix)
	if !ok {
		return "", "", false
	}
	invoice, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return "", "", false
	}
	row, country, ok := strings.Cut(rest, "/")
	if _, err := strconv.Atoi(row); err != nil {
		return "", "", false
	}
	return KeyPrefix + invoice + "/" + row, country, ok
}

func monthOf(meta *eventv1.Meta) string {
	return time.UnixMicro(meta.GetOccurredAtMicros()).UTC().Format(monthLayout)
}
