package retail

import (
	"context"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// mirrorPatience is how long FoldMirror waits for a mirror that makes no progress.
const mirrorPatience = 2 * time.Minute

// Mirrored is what ClickHouse contains of a book's documents, like Logged for the log.
type Mirrored struct {
	Documents, Moved Tally
}

// FoldMirror waits until the mirror has the position, as long as it makes progress, and adds up what it contains of the
// book.
func FoldMirror(
	ctx context.Context, mirror *analytics.Reports, b *Book, position eventlog.Position,
) (*Mirrored, error) {
	if _, err := mirror.AwaitMoving(ctx, position, mirrorPatience); err != nil {
		return nil, err
	}
	f := newFold(b)
	m := &Mirrored{Documents: NewTally(), Moved: NewTally()}
	orders := make(map[string]bool, len(b.Documents))
	for _, d := range b.Documents {
		if d.Kind != KindAdjustment {
			for _, id := range d.ids() {
				orders[id] = true
			}
		}
	}
	countries := map[string]string{}
	err := mirror.ImportedDocuments(ctx, func(d analytics.DocumentFigures) {
		if orders[d.ID] {
			countries[d.ID] = d.Country
			figures := Figures{Documents: 1, Rows: d.Rows, Quantity: d.Quantity, Micros: d.Micros}
			m.Documents.Add(d.Month, d.Country, figures)
		}
	})
	if err != nil {
		return nil, err
	}
	err = mirror.MovedForOrders(ctx, func(d analytics.DocumentFigures) {
		if country, ok := countries[d.ID]; ok {
			m.Moved.Add(d.Month, country, Figures{Quantity: d.Quantity})
		}
	})
	if err != nil {
		return nil, err
	}
	return m, mirror.Adjustments(ctx, func(d analytics.DocumentFigures) {
		key, country, ok := cutReference(d.ID)
		if !ok || !f.keys[key] {
			return
		}
		figures := Figures{Rows: 1, Quantity: d.Quantity}
		if invoice := key[:strings.LastIndexByte(key, '/')]; !f.adjusted[invoice] {
			f.adjusted[invoice], figures.Documents = true, 1
		}
		m.Documents.Add(d.Month, country, figures)
		m.Moved.Add(d.Month, country, Figures{Quantity: figures.Quantity})
	})
}
