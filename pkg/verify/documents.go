package verify

import (
	"github.com/cespare/xxhash/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// pastDocument is an order or a credit note that is imported, or requested to be.
type pastDocument interface {
	schema.Document
	MarshalVT() ([]byte, error)
}

// hashOfDocument is a hash of all that a past document says: its lines and what it costs, its customer, country,
// reference and metadata.
func hashOfDocument(d pastDocument) uint64 {
	b, err := d.MarshalVT()
	if err != nil { // it was read from bytes
		return 0
	}
	return xxhash.Sum64(b)
}

func (o *order) pastDocument() bool { return o.kind == kindImported || o.kind == kindCreditNote }

// refusedDocument reports whether the order is a past document that stock could not cover. It had no effect, and may
// come again under the same key.
func (o *order) refusedDocument() bool { return o.pastDocument() && o.status == "rejected" }

// checkDocumentPrices checks a document's amounts against its lines and charges (I10).
func (c *checker) checkDocumentPrices(rec *eventlog.Record, d pastDocument) {
	o := order{currency: d.GetCurrency()} // none of it changes later
	c.foldPrices(rec, &o, schema.AsPlaced(d))
}

// foldDocument folds a past document. One that was requested must be imported as it was requested; one that was refused
// may come again with other lines.
func (c *checker) foldDocument(
	rec *eventlog.Record, o *order, ev *eventv1.OrderEvent, kind, status string, d pastDocument,
) {
	c.checkDocumentPrices(rec, d)
	if o.kind == "" {
		c.checkReference(rec, ev, kind, d.GetReference())
		c.beginOrder(rec, o, ev, kind, status, d.GetLines(), d.GetTotalMicros())
		o.requested = hashOfDocument(d)
		return
	}
	if o.status == "placed" {
		c.check(Transitions, o.kind == kind && o.requested == hashOfDocument(d),
			"%s: document %s is imported otherwise than it was asked for", at(rec), ev.OrderId)
	}
	c.setLines(o, d.GetLines())
	o.kind, o.status, o.total, o.requested = kind, status, d.GetTotalMicros(), hashOfDocument(d)
}
