package retail_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/orderid"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// platform replaces the API and the log behind it. It keeps stock, refuses to oversell, remembers keys, and records
// events.
type platform struct {
	t       *testing.T
	stock   map[string]int64
	keys    map[string]bool
	records []eventlog.Record
	// cut is called with each request's number. It can break the request off after a number of commands.
	cut      func(request int) (after int, cut bool)
	requests int
	// late are records that come into the log after its end was read once.
	late []eventlog.Record
	// documents counts imported orders.
	documents int
}

func newPlatform(t *testing.T) *platform {
	return &platform{t: t, stock: map[string]int64{}, keys: map[string]bool{}}
}

func (p *platform) Send(_ context.Context, commands []retail.Command) ([]client.Outcome, error) {
	p.requests++
	var results []client.Outcome
	for i, c := range commands {
		if p.cut != nil {
			if after, cut := p.cut(p.requests); cut && i == after {
				p.run(c) // carried out, but without an answer
				return results, fmt.Errorf("request %d broke off", p.requests)
			}
		}
		results = append(results, p.run(c))
	}
	return results, nil
}

func (p *platform) run(c retail.Command) client.Outcome {
	if p.keys[c.Key] {
		return client.Outcome{Status: http.StatusOK}
	}
	var body struct {
		Country    string
		OccurredAt time.Time `json:"occurred_at"`
		Reference  string
		Lines      []struct {
			SKU       string
			Quantity  int64
			UnitPrice string `json:"unit_price"`
		}
		Quantity, Delta int64
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		p.t.Fatalf("%s: %v", c.Key, err)
	}
	meta := &eventv1.Meta{IdempotencyKey: c.Key, OccurredAtMicros: body.OccurredAt.UnixMicro()}
	id := orderid.ByKey(orderid.DefaultTenant, c.Key)
	var lines []*eventv1.OrderLine
	var subtotal int64
	taken := map[string]int64{}
	for _, l := range body.Lines {
		price, err := money.Parse(l.UnitPrice)
		if err != nil {
			p.t.Fatal(err)
		}
		lines = append(lines, &eventv1.OrderLine{Sku: l.SKU, Quantity: l.Quantity, UnitPriceMicros: price})
		subtotal += l.Quantity * price
		taken[l.SKU] += l.Quantity
	}
	switch c.Type {
	case command.RegisterItem:
	case command.ReceiveStock:
		p.stock[c.SKU] += body.Quantity
	case command.AdjustStock:
		p.stock[c.SKU] += body.Delta
		p.inventory(&eventv1.InventoryEvent{Meta: meta, Sku: c.SKU, Change: &eventv1.InventoryEvent_StockAdjusted{
			StockAdjusted: &eventv1.StockAdjusted{Delta: body.Delta, Reference: body.Reference},
		}})
	case command.ImportOrder:
		for sku, n := range taken {
			if p.stock[sku] < n {
				return client.Outcome{Status: http.StatusConflict, Code: "insufficient_stock", Detail: sku}
			}
		}
		p.imported(meta, id, &eventv1.OrderImported{Lines: lines, SubtotalMicros: subtotal, Country: body.Country})
		p.move(meta, id, taken, 1)
	case command.ImportCreditNote:
		p.order(&eventv1.OrderEvent{Meta: meta, OrderId: id, Change: &eventv1.OrderEvent_CreditNoteImported{
			CreditNoteImported: &eventv1.CreditNoteImported{Lines: lines, SubtotalMicros: subtotal, Country: body.Country},
		}})
		p.move(meta, id, taken, -1)
	default:
		p.t.Fatalf("unexpected command %s", c.Type)
	}
	for sku, n := range p.stock {
		if n < 0 {
			p.t.Fatalf("%s left %d of %s", c.Key, n, sku)
		}
	}
	p.keys[c.Key] = true
	return client.Outcome{Status: http.StatusCreated}
}

// imported writes the events of a document. Every third document asks stock of other shards, and every ninth is refused
// once before.
func (p *platform) imported(meta *eventv1.Meta, id string, d *eventv1.OrderImported) {
	p.documents++
	ask := func() {
		p.order(&eventv1.OrderEvent{Meta: meta, OrderId: id, Change: &eventv1.OrderEvent_ImportRequested{
			ImportRequested: &eventv1.ImportRequested{Document: &eventv1.ImportRequested_Order{Order: d}},
		}})
	}
	stock := &eventv1.Meta{OccurredAtMicros: meta.OccurredAtMicros} // its answers have no key
	if p.documents%9 == 0 {
		ask()
		p.order(&eventv1.OrderEvent{
			Meta: stock, OrderId: id,
			Change: &eventv1.OrderEvent_OrderRejected{OrderRejected: &eventv1.OrderRejected{}},
		})
	}
	if p.documents%3 == 0 {
		ask()
		meta = stock
	}
	p.order(&eventv1.OrderEvent{Meta: meta, OrderId: id, Change: &eventv1.OrderEvent_OrderImported{OrderImported: d}})
}

// move removes an order's goods from stock (sign 1), or adds those of a credit note (-1).
func (p *platform) move(document *eventv1.Meta, id string, quantities map[string]int64, sign int64) {
	step := &eventv1.ReservationStep{OrderId: id}
	for sku, n := range quantities {
		p.stock[sku] -= sign * n
		e := &eventv1.InventoryEvent{Meta: &eventv1.Meta{OccurredAtMicros: document.GetOccurredAtMicros()}, Sku: sku}
		if sign > 0 {
			e.Change = &eventv1.InventoryEvent_StockFulfilled{StockFulfilled: &eventv1.StockFulfilled{Step: step, Quantity: n}}
		} else {
			e.Change = &eventv1.InventoryEvent_StockRestocked{StockRestocked: &eventv1.StockRestocked{Step: step, Quantity: n}}
		}
		p.inventory(e)
	}
}

func (p *platform) order(e *eventv1.OrderEvent) {
	value, err := e.MarshalVT()
	p.append(eventlog.TopicOrders, value, err)
}

func (p *platform) inventory(e *eventv1.InventoryEvent) {
	value, err := e.MarshalVT()
	p.append(eventlog.TopicInventory, value, err)
}

func (p *platform) append(topic string, value []byte, err error) {
	if err != nil {
		p.t.Fatal(err)
	}
	p.records = append(p.records, eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: topic}, Offset: int64(len(p.records)), Value: value,
	})
}

func (p *platform) ReadLayout(context.Context) (eventlog.Layout, error) {
	return eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1}, nil
}

func (p *platform) EndOffsets(_ context.Context, tps []eventlog.TopicPartition) (eventlog.Offsets, error) {
	end := eventlog.Offsets{}
	for _, tp := range tps {
		end[tp] = int64(len(p.records))
	}
	for _, r := range p.late {
		p.append(r.Topic, r.Value, nil)
	}
	p.late = nil
	return end, nil
}

func (p *platform) Read(_ context.Context, from, to eventlog.Offsets, fn func(*eventlog.Record) error) error {
	for i := range p.records {
		r := &p.records[i]
		if r.Offset < from[r.TopicPartition] || r.Offset >= to[r.TopicPartition] {
			continue
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
