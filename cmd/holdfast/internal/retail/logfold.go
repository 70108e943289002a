package retail

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/orderid"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Logged is what the log contains of a book's documents.
type Logged struct {
	// Documents are the figures of orders.events, and for adjustments those of inventory.events.
	Documents Tally
	// Moved has, as Quantity, the units that inventory.events moved for these documents, with the sign as in the file.
	Moved Tally
	// Others counts imported documents and adjustments that are not in the book.
	Others int64
	// Events is the number of events in the two topics. Added counts those after the given offsets.
	Events, Added int64
	// Position is right behind the last events. The transaction markers behind them are not included, because views
	// count events only.
	Position eventlog.Position
}

// LogReader reads the log. *eventlog.Client implements it.
type LogReader interface {
	ReadLayout(ctx context.Context) (eventlog.Layout, error)
	EndOffsets(ctx context.Context, tps []eventlog.TopicPartition) (eventlog.Offsets, error)
	Read(ctx context.Context, from, to eventlog.Offsets, fn func(*eventlog.Record) error) error
}

// LogEnd is the end of the two event topics, open transactions included. A broker answers that a transaction is
// committed a moment before readers see it, and everything that was answered to an import must be counted.
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

// foldedTopics are read in this order, because events of stock name their order and only the order has the country.
var foldedTopics = []string{eventlog.TopicOrders, eventlog.TopicInventory}

const (
	// stockPatience bounds the wait until stock has moved the units of the orders that were imported last. Stock of
	// another shard moves a moment after the order is answered. Units that have not moved by then count as missing.
	stockPatience = 10 * time.Second
	stockPause    = 50 * time.Millisecond
)

// FoldLog reads both event topics from the start and adds up what they contain of the book. Events behind the offsets
// in since are counted as added; nil: all of them.
func FoldLog(ctx context.Context, log LogReader, b *Book, since eventlog.Offsets) (Logged, error) {
	f := newFold(b)
	f.since = since
	var from eventlog.Offsets
	var began time.Time // when the wait for stock began, after the first read
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
		if !f.pending() || time.Since(began) > stockPatience {
			f.out.Position = eventlog.PositionOf(f.behind)
			return f.out, nil
		}
		if err := backoff.Sleep(ctx, stockPause); err != nil {
			return Logged{}, fmt.Errorf("fold the log: %w", err)
		}
		from = end
	}
}

// pending reports whether stock has still to answer or to move units for a document of the book.
func (f *fold) pending() bool {
	for _, key := range f.requested {
		if f.keys[key] {
			return true
		}
	}
	return len(f.unmoved) > 0
}

// read adds up the events between two positions, topic by topic.
func (f *fold) read(ctx context.Context, log LogReader, from, end eventlog.Offsets) error {
	for _, topic := range foldedTopics {
		to := make(eventlog.Offsets)
		for tp, offset := range end {
			if tp.Topic == topic {
				to[tp] = offset
			}
		}
		if err := log.Read(ctx, from, to, f.record); err != nil {
			return err
		}
	}
	return nil
}

// place is what figures are counted under.
type place struct{ month, country string }

// fold adds up events one by one. It keeps only those with keys of the book.
type fold struct {
	out   Logged
	since eventlog.Offsets
	// behind is the offset after the last event of each partition.
	behind eventlog.Offsets
	keys   map[string]bool
	// orders are the imported orders, with the month and country that they are counted under.
	orders map[string]place
	// unmoved are the units of an imported order that stock has not moved yet, with the sign as in the file.
	unmoved map[string]int64
	// requested are the keys of documents that wait for an answer from stock, by order.
	requested map[string]string
	// adjusted are the invoices of adjustments that were counted as a document.
	adjusted map[string]bool
}

func newFold(b *Book) *fold {
	f := &fold{
		out:       Logged{Documents: NewTally(), Moved: NewTally()},
		behind:    eventlog.Offsets{},
		keys:      make(map[string]bool, len(b.Documents)),
		orders:    make(map[string]place, len(b.Documents)),
		unmoved:   map[string]int64{},
		requested: map[string]string{},
		adjusted:  map[string]bool{},
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

// inBook reports whether an event belongs to this book. It counts events of other imports.
func (f *fold) inBook(key string) bool {
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
	case *eventv1.OrderEvent_ImportRequestedV2:
		f.requested[e.GetOrderId()] = e.GetMeta().GetIdempotencyKey()
	case *eventv1.OrderEvent_OrderRejected:
		delete(f.requested, e.GetOrderId())
	case *eventv1.OrderEvent_OrderImportedV2:
		o := c.OrderImportedV2
		return f.document(e, 1, o)
	case *eventv1.OrderEvent_CreditNoteImportedV2:
		o := c.CreditNoteImportedV2
		return f.document(e, -1, o)
	}
	return nil
}

// document counts an imported order or credit note. sign is -1 for a credit note, whose quantities are negative in the
// file.
func (f *fold) document(e *eventv1.OrderEvent, sign int64, d schema.Document) error {
	lines, subtotal, country := d.GetLines(), d.GetSubtotalMicros(), d.GetCountry()
	key := e.GetMeta().GetIdempotencyKey()
	if key == "" {
		key = f.requested[e.GetOrderId()]
	}
	delete(f.requested, e.GetOrderId())
	if !f.inBook(key) {
		return nil
	}
	kind := orderid.ImportedOrder
	if sign < 0 {
		kind = orderid.CreditNote
	}
	if ids := documentIDs(kind, d.GetReference(), key); !slices.Contains(ids, e.GetOrderId()) {
		return fmt.Errorf("key %s stands for one of the orders %s, not for %s", key, ids, e.GetOrderId())
	}
	figures := Figures{Documents: 1, Rows: int64(len(lines))}
	for _, l := range lines {
		figures.Quantity += sign * l.GetQuantity()
		figures.Micros += sign * l.GetQuantity() * l.GetUnitPriceMicros()
	}
	if figures.Micros != sign*subtotal {
		return fmt.Errorf("order %s: its lines add up to %d micros, its subtotal is %d",
			e.GetOrderId(), sign*figures.Micros, subtotal)
	}
	at := place{monthOf(e.GetMeta()), country}
	f.orders[e.GetOrderId()] = at
	f.out.Documents.Add(at.month, at.country, figures)
	f.addUnmoved(e.GetOrderId(), figures.Quantity)
	return nil
}

// documentIDs are the IDs that a document can have: that of its reference, or as those of former releases that of its
// key.
func documentIDs(kind, reference, key string) []string {
	return []string{
		orderid.ByReference(orderid.DefaultTenant, kind, reference), orderid.ByKey(orderid.DefaultTenant, key),
	}
}

// ids are the IDs that the document can have.
func (d *Document) ids() []string {
	kind := orderid.ImportedOrder
	if d.Kind == KindCreditNote {
		kind = orderid.CreditNote
	}
	return documentIDs(kind, d.InvoiceNo, d.Key())
}

func (f *fold) addUnmoved(order string, quantity int64) {
	if f.unmoved[order] += quantity; f.unmoved[order] == 0 {
		delete(f.unmoved, order)
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

func (f *fold) move(e *eventv1.InventoryEvent, reservation *eventv1.ReservationStep, quantity int64) {
	if at, ok := f.orders[reservation.GetOrderId()]; ok {
		f.out.Moved.Add(monthOf(e.GetMeta()), at.country, Figures{Quantity: quantity})
		f.addUnmoved(reservation.GetOrderId(), -quantity)
	}
}

func (f *fold) adjustment(e *eventv1.InventoryEvent, a *eventv1.StockAdjusted) error {
	key, country, ok := cutReference(a.GetReference())
	if !f.inBook(e.GetMeta().GetIdempotencyKey()) {
		return nil
	}
	if !ok || key != e.GetMeta().GetIdempotencyKey() {
		return fmt.Errorf("the adjustment's reference %q does not belong to its key %s",
			a.GetReference(), e.GetMeta().GetIdempotencyKey())
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

// cutReference splits a LineReference into the key, which is the prefix, invoice and row, and the country.
func cutReference(reference string) (key, country string, ok bool) {
	after, ok := strings.CutPrefix(reference, KeyPrefix)
	if !ok {
		return "", "", false
	}
	invoice, after, ok := strings.Cut(after, "/")
	if !ok {
		return "", "", false
	}
	row, country, ok := strings.Cut(after, "/")
	if _, err := strconv.Atoi(row); err != nil {
		return "", "", false
	}
	return KeyPrefix + invoice + "/" + row, country, ok
}

func monthOf(meta *eventv1.Meta) string {
	return time.UnixMicro(meta.GetOccurredAtMicros()).UTC().Format(monthLayout)
}
