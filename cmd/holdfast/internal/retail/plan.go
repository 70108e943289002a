package retail

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/money"
)

// Command is one line of POST /v1/commands.
type Command struct {
	Key, Type, SKU string
	Body           []byte
	// Rows is the number of the file's rows that it stands for; 0: the import adds it itself.
	Rows int
}

// openings are the stock that each SKU needs before the first sale.
//
// Documents are applied day by day. Within a day, several shards may apply them in any order. The opening stock is the
// most by which a SKU's sales ever exceed its returns, with each day's sales counted before its returns. So it is
// enough for every order within a day, and the least that is.
func (b *Book) openings() map[string]int64 {
	type running struct {
		day            time.Time
		ahead, out, in int64 // sales less returns of the days before; sales and returns of this day
		need           int64
	}
	skus := make(map[string]*running, len(b.Items))
	for _, d := range b.Documents {
		day := dayOf(d)
		for i := range d.Lines {
			l := &d.Lines[i]
			r := skus[l.SKU]
			if r == nil {
				r = &running{day: day}
				skus[l.SKU] = r
			}
			if !r.day.Equal(day) {
				r.ahead += r.out - r.in
				r.day, r.out, r.in = day, 0, 0
			}
			switch d.Kind {
			case KindOrder:
				r.out += l.Quantity
			case KindAdjustment:
				r.out -= l.Quantity
			case KindCreditNote:
				r.in -= l.Quantity
			}
			r.need = max(r.need, r.ahead+r.out)
		}
	}
	needs := make(map[string]int64, len(skus))
	for sku, r := range skus {
		needs[sku] = r.need
	}
	return needs
}

func dayOf(d *Document) time.Time { return d.Time.Truncate(24 * time.Hour) }

// Opening is the stock that an import receives before the first sale.
type Opening struct {
	SKUs, Units int64
}

// Opening adds up the opening stock.
func (b *Book) Opening() Opening {
	var o Opening
	for _, units := range b.openings() {
		if units > 0 {
			o.SKUs++
			o.Units += units
		}
	}
	return o
}

// phases yields the commands in batches. Each must be completed before the next: first the items and their opening
// stock, then the documents of one day after another.
func (b *Book) phases(yield func([]Command) error) error {
	opening, err := b.openingCommands()
	if err != nil {
		return err
	}
	if err := yield(opening); err != nil {
		return err
	}
	var commands []Command
	for i, d := range b.Documents {
		more, err := d.commands()
		if err != nil {
			return err
		}
		commands = append(commands, more...)
		if i+1 == len(b.Documents) || !dayOf(b.Documents[i+1]).Equal(dayOf(d)) {
			if err := yield(commands); err != nil {
				return err
			}
			commands = commands[:0]
		}
	}
	return nil
}

type registerBody struct {
	Description string `json:"description"`
}

type receiptBody struct {
	Location   string `json:"location"`
	Quantity   int64  `json:"quantity"`
	Reference  string `json:"reference"`
	OccurredAt string `json:"occurred_at"`
}

func (b *Book) openingCommands() ([]Command, error) {
	if len(b.Documents) == 0 {
		return nil, nil
	}
	before := b.Documents[0].Time.Truncate(24 * time.Hour).Add(-time.Second).Format(time.RFC3339)
	needs := b.openings()
	commands := make([]Command, 0, 2*len(b.Items))
	for _, item := range b.Items {
		description := item.Description
		if description == "" {
			description = item.SKU
		}
		register, err := encode(KeyPrefix+"item/"+item.SKU, command.RegisterItem, item.SKU, registerBody{description})
		if err != nil {
			return nil, err
		}
		commands = append(commands, register)
		if needs[item.SKU] == 0 {
			continue
		}
		key := KeyPrefix + "opening/" + item.SKU
		receive, err := encode(key, command.ReceiveStock, item.SKU, receiptBody{
			Location: input.DefaultLocation, Quantity: needs[item.SKU], Reference: "opening stock", OccurredAt: before,
		})
		if err != nil {
			return nil, err
		}
		commands = append(commands, receive)
	}
	return commands, nil
}

type documentBody struct {
	Reference  string     `json:"reference"`
	CustomerID string     `json:"customer_id"`
	Currency   string     `json:"currency"`
	Country    string     `json:"country"`
	OccurredAt string     `json:"occurred_at"`
	Lines      []lineBody `json:"lines"`
}

type lineBody struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice string `json:"unit_price"`
}

type adjustmentBody struct {
	Location   string `json:"location"`
	Delta      int64  `json:"delta"`
	Reason     string `json:"reason"`
	Reference  string `json:"reference"`
	OccurredAt string `json:"occurred_at"`
}

// commands are the document's command, or those of an adjustment, which has one for each line.
func (d *Document) commands() ([]Command, error) {
	at := d.Time.Format(time.RFC3339)
	if d.Kind == KindAdjustment {
		commands := make([]Command, 0, len(d.Lines))
		for i := range d.Lines {
			l := &d.Lines[i]
			c, err := encode(d.LineKey(l), command.AdjustStock, l.SKU, adjustmentBody{
				Location: input.DefaultLocation, Delta: l.Quantity, Reason: l.Reason,
				Reference: d.LineReference(l), OccurredAt: at,
			})
			if err != nil {
				return nil, err
			}
			c.Rows = 1
			commands = append(commands, c)
		}
		return commands, nil
	}
	body := documentBody{
		Reference: d.InvoiceNo, CustomerID: d.CustomerID, Currency: Currency, Country: d.Country, OccurredAt: at,
		Lines: make([]lineBody, len(d.Lines)),
	}
	typ, sign := command.ImportOrder, int64(1)
	if d.Kind == KindCreditNote {
		typ, sign = command.ImportCreditNote, -1
	}
	for i, l := range d.Lines {
		body.Lines[i] = lineBody{l.SKU, sign * l.Quantity, money.Format(l.UnitPriceMicros)}
	}
	c, err := encode(d.Key(), typ, "", body)
	c.Rows = len(d.Lines)
	return []Command{c}, err
}

func encode(key, typ, sku string, body any) (Command, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return Command{}, fmt.Errorf("encode %s %s: %w", typ, key, err)
	}
	return Command{Key: key, Type: typ, SKU: sku, Body: b}, nil
}
