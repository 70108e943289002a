package retail

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
)

// unread is the month or country of a rejected row that has none that can be read.
const unread = "?"

// dateLayouts are the layout of the data set and those of older copies.
var dateLayouts = []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "1/2/2006 15:04"}

type documentID struct {
	invoice string
	kind    Kind
}

// grouper groups rows into documents. The rows of an invoice need not be together.
type grouper struct {
	out       Book
	documents map[documentID]*Document
	// accepted has every invoice number, and whether the invoice has an accepted row.
	accepted map[string]bool
	items    map[string]int
	// strings has one copy of each text, because the reader reuses its buffers and most texts repeat.
	strings map[string]string
	dates   map[string]time.Time
}

func newGrouper() *grouper {
	return &grouper{
		documents: map[documentID]*Document{},
		accepted:  map[string]bool{},
		items:     map[string]int{},
		strings:   map[string]string{},
		dates:     map[string]time.Time{},
	}
}

// intern returns the one copy of a text.
func (g *grouper) intern(s string) string {
	if copied, ok := g.strings[s]; ok {
		return copied
	}
	s = strings.Clone(s)
	g.strings[s] = s
	return s
}

// parsed is a row's fields in their types.
type parsed struct {
	quantity, priceMicros, amountMicros int64
	time                                time.Time
	country, month                      string
}

// rejectUnread rejects a row that is no CSV record of the right width. It counts as a row, without any figures.
func (g *grouper) rejectUnread(line, row int, record []string, reason string) {
	g.out.Read.Rows++
	g.out.Rejected = append(g.out.Rejected, Rejection{
		Line: line, Row: row, Record: slices.Clone(record), Reason: reason, Month: unread, Country: unread,
	})
}

// add adds a row to its document, or to the rejected rows.
func (g *grouper) add(line, row int, fields *[columnCount]string) {
	p, err := g.parse(fields)
	invoice := g.intern(fields[columnInvoice])
	if _, seen := g.accepted[invoice]; !seen {
		g.accepted[invoice] = false
	}
	g.out.Read = g.out.Read.Plus(Figures{Rows: 1, Quantity: p.quantity, Micros: p.amountMicros})
	var kind Kind
	if err == nil {
		kind, err = classify(invoice, &p)
	}
	var d *Document
	if err == nil {
		d, err = g.document(documentID{invoice, kind}, fields, &p)
	}
	if err != nil {
		g.out.Rejected = append(g.out.Rejected, Rejection{
			Line: line, Row: row, Record: slices.Clone(fields[:]), Reason: err.Error(),
			Month: p.month, Country: p.country, Quantity: p.quantity, AmountMicros: p.amountMicros,
		})
		return
	}
	g.accepted[invoice] = true
	l := Line{
		Row: row, SKU: g.intern(fields[columnSKU]), Quantity: p.quantity,
		UnitPriceMicros: p.priceMicros, AmountMicros: p.amountMicros,
	}
	if kind == KindAdjustment {
		l.Reason = adjustmentReason(fields[columnDescription])
	}
	d.Lines = append(d.Lines, l)
	g.item(&l, fields[columnDescription])
}

// parse reads the fields that it can. Of several faults it returns the first. Figures of a faulty row are counted too,
// if they can be read.
func (g *grouper) parse(fields *[columnCount]string) (parsed, error) {
	p := parsed{month: unread, country: unread}
	var errs []error
	at, ok := g.date(fields[columnDate])
	if ok {
		p.time, p.month = at, g.intern(at.Format(monthLayout))
	} else {
		errs = append(errs, fmt.Errorf("InvoiceDate %q is no date like 2010-12-01 08:26:00", fields[columnDate]))
	}
	if c := strings.TrimSpace(fields[columnCountry]); c != "" && !limits.Longer(c, limits.MaxCountryLength) {
		p.country = g.intern(text(c))
	} else {
		errs = append(errs, fmt.Errorf("column Country: %q is empty or too long", c))
	}
	quantity, errQuantity := strconv.ParseInt(fields[columnQuantity], 10, 64)
	price, errPrice := money.Parse(fields[columnPrice])
	switch amount, err := money.Multiply(price, quantity); {
	case errQuantity != nil:
		errs = append(errs, fmt.Errorf("column Quantity: %q is no whole number", fields[columnQuantity]))
	case quantity > limits.MaxQuantity || quantity < -limits.MaxQuantity:
		errs = append(errs, fmt.Errorf("column Quantity: %d is beyond %d", quantity, limits.MaxQuantity))
	case errPrice != nil:
		p.quantity = quantity
		errs = append(errs, fmt.Errorf("UnitPrice: %w", errPrice))
	case err != nil:
		p.quantity = quantity
		errs = append(errs, fmt.Errorf("Quantity times UnitPrice: %w", err))
	default:
		p.quantity, p.priceMicros, p.amountMicros = quantity, price, amount
	}
	if err := checkSKU(fields[columnSKU]); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return p, errs[0]
	}
	return p, nil
}

func (g *grouper) date(s string) (time.Time, bool) {
	if at, ok := g.dates[s]; ok {
		return at, true
	}
	for _, layout := range dateLayouts {
		if at, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
			g.dates[strings.Clone(s)] = at
			return at, true
		}
	}
	return time.Time{}, false
}

// checkSKU checks a stock code. It becomes part of idempotency keys, which are printable ASCII.
func checkSKU(sku string) error {
	if fault := input.SKUFault(sku); fault != "" {
		return fmt.Errorf("StockCode %q %s", sku, fault)
	}
	for i := range len(sku) {
		if sku[i] > '~' {
			return fmt.Errorf("StockCode %q has characters beyond ASCII", sku)
		}
	}
	return nil
}

// classify decides which kind of document a row belongs to. The error is why it belongs to none.
func classify(invoice string, p *parsed) (Kind, error) {
	number, credit := strings.CutPrefix(invoice, "C")
	switch {
	case strings.HasPrefix(invoice, "A"):
		return 0, errors.New("an A invoice adjusts bad debt; it is neither an order nor stock")
	case !allDigits(number):
		return 0, fmt.Errorf("InvoiceNo %q is neither a number nor C and a number", invoice)
	case p.priceMicros < 0:
		return 0, errors.New("UnitPrice is negative")
	case p.quantity == 0:
		return 0, errors.New("Quantity is 0")
	case credit && p.quantity > 0:
		return 0, errors.New("a credit note's Quantity must be negative")
	case credit:
		return KindCreditNote, nil
	case p.quantity > 0:
		return KindOrder, nil
	case p.priceMicros != 0:
		return 0, errors.New("negative Quantity at a price outside a credit note")
	}
	return KindAdjustment, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// document finds or creates the row's document. Its rows must have the same customer and country.
func (g *grouper) document(id documentID, fields *[columnCount]string, p *parsed) (*Document, error) {
	customer := strings.TrimSuffix(strings.TrimSpace(fields[columnCustomer]), ".0")
	if customer == "" {
		customer = GuestCustomer
	}
	if limits.Longer(customer, limits.MaxCustomerIDLength) {
		return nil, fmt.Errorf("CustomerID is longer than %d characters", limits.MaxCustomerIDLength)
	}
	d := g.documents[id]
	switch {
	case d == nil:
		d = &Document{
			Kind: id.kind, InvoiceNo: id.invoice, CustomerID: g.intern(text(customer)), Country: p.country,
			Time: p.time,
		}
		g.documents[id] = d
		g.out.Documents = append(g.out.Documents, d)
	case d.Country != p.country:
		return nil, fmt.Errorf("Country differs from %q on the invoice's first row", d.Country)
	case d.CustomerID != customer:
		return nil, fmt.Errorf("CustomerID differs from %q on the invoice's first row", d.CustomerID)
	case id.kind != KindAdjustment && len(d.Lines) >= limits.MaxLines:
		return nil, fmt.Errorf("the invoice has more than %d lines", limits.MaxLines)
	}
	return d, nil
}

// item records the stock code. Its description comes from rows with a price. Other rows have a remark in its place,
// such as "mailout".
func (g *grouper) item(l *Line, description string) {
	description = strings.TrimSpace(text(description))
	if l.UnitPriceMicros == 0 || limits.Longer(description, limits.MaxDescriptionLength) {
		description = ""
	}
	i, seen := g.items[l.SKU]
	if !seen {
		g.items[l.SKU] = len(g.out.Items)
		g.out.Items = append(g.out.Items, Item{SKU: l.SKU, Description: strings.Clone(description)})
		return
	}
	if g.out.Items[i].Description == "" && description != "" {
		g.out.Items[i].Description = strings.Clone(description)
	}
}

// adjustmentReason is the API's reason for the remark on an adjustment.
func adjustmentReason(remark string) string {
	remark = strings.ToLower(remark)
	for _, r := range []struct{ word, reason string }{
		{"damage", "damaged"}, {"broken", "damaged"}, {"wet", "damaged"}, {"smashed", "damaged"}, {"mould", "damaged"},
		{"rusty", "damaged"}, {"crush", "damaged"}, {"thrown away", "damaged"}, {"faulty", "damaged"},
		{"lost", "shrinkage"}, {"missing", "shrinkage"}, {"stolen", "shrinkage"},
		{"check", "cycle_count"}, {"count", "cycle_count"}, {"sample", "promotion"},
		{"adjust", "correction"}, {"wrong", "correction"}, {"incorrect", "correction"}, {"mix", "correction"},
	} {
		if strings.Contains(remark, r.word) {
			return r.reason
		}
	}
	return "other"
}

// book returns the book: documents in order of time, and documents without accepted rows counted as rejected.
func (g *grouper) book() *Book {
	b := &g.out
	slices.SortStableFunc(b.Documents, func(x, y *Document) int { return x.Time.Compare(y.Time) })
	counted := map[string]bool{}
	for i := range b.Rejected {
		r := &b.Rejected[i]
		if r.Month == unread && r.Country == unread && len(r.Record) != columnCount {
			continue // it has no invoice number
		}
		invoice := r.Record[columnInvoice]
		if accepted, seen := g.accepted[invoice]; seen && !accepted && !counted[invoice] {
			r.Document, counted[invoice] = true, true
		}
	}
	b.Read.Documents = int64(len(b.Documents) + len(counted))
	return b
}
