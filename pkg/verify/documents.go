package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// pastDocument is an order or a credit note that is imported, or requested to be.
type pastDocument interface {
	GetLines() []*eventv1.OrderLine
	GetCurrency() string
	GetSubtotalMicros() int64
	GetTotalMicros() int64
}

func (o *order) pastDocument() bool { return o.kind == kindImported || o.kind == kindCreditNote }

// refusedDocument reports whether the order is a past document that stock could not cover. It had no effect, and may
// come again under the same key.
func (o *order) refusedDocument() bool { return o.pastDocument() && o.status == "rejected" }

// foldDocument folds a past document. One that was requested must be imported as it was requested; one that was refused
// may come again with other lines.
func (c *checker) foldDocument(
	rec *eventlog.Record, o *order, ev *eventv1.OrderEvent, kind, status string, d pastDocument,
) {
	c.checkDocumentMoney(rec, d.GetLines(), d.GetCurrency(), d.GetSubtotalMicros(), d.GetTotalMicros())
	if o.kind == "" {
		c.beginOrder(rec, o, ev, kind, status, d.GetLines(), d.GetTotalMicros())
		return
	}
	requested := o.lines
	c.setLines(o, d.GetLines())
	if o.status == "placed" {
		sameLines := slices.EqualFunc(requested, o.lines, func(a, b line) bool {
			return a.sku == b.sku && a.ordered == b.ordered
		})
		c.check(Transitions, o.kind == kind && o.total == d.GetTotalMicros() && sameLines,
			"%s: document %s is imported otherwise than it was asked for", at(rec), ev.OrderId)
	}
	o.kind, o.status, o.total = kind, status, d.GetTotalMicros()
}
