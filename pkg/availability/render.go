package availability

import (
	"time"

	"github.com/holdfast/holdfast/pkg/appendjson"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// render writes a row as GET /v1/availability/{sku} answers it. The member available is what can be sold: a location
// with less than nothing does not lower what the others can sell. What such locations lack is the member backordered.
func render(row *eventv1.AvailabilityRow) []byte {
	var available, backordered int64
	for _, l := range row.Locations {
		a := l.GetLevel().GetAvailable()
		available += max(0, a)
		backordered += max(0, -a)
	}
	b := append(make([]byte, 0, 512), `{"sku":`...)
	b = appendjson.String(b, row.Sku)
	b = appendText(b, "description", row.Description)
	b = appendjson.Uint(b, "version", row.VisibleVersion)
	b = appendLevel(b, row.Total, available, backordered)
	b = appendjson.Int(b, "backorder_limit", row.BackorderLimit)
	b = appendTime(b, "occurred_at", row.OccurredAtMicros)
	b = append(b, `,"locations":`...)
	b = appendjson.Array(b, row.Locations, func(b []byte, l *eventv1.LocationLevel) []byte {
		b = appendjson.String(append(b, `{"location":`...), l.Location)
		a := l.GetLevel().GetAvailable()
		return append(appendLevel(b, l.Level, max(0, a), max(0, -a)), '}')
	})
	return append(b, '}')
}

// renderMetadata writes the member metadata, which is not there for an item without any.
func renderMetadata(entries []*eventv1.MetadataEntry) (b []byte) {
	for i, e := range entries {
		if i == 0 {
			b = append(b, `,"metadata":{`...)
		} else {
			b = append(b, ',')
		}
		b = appendjson.String(append(appendjson.String(b, e.Key), ':'), e.Value)
	}
	if len(entries) > 0 {
		b = append(b, '}')
	}
	return b
}

// renderStock writes a row as GET /v1/stock/{sku} answers it: the availability as render has it, the metadata as
// renderMetadata has it, and the open work.
func renderStock(availability []byte, metadata string, row *eventv1.AvailabilityRow) []byte {
	const perEntry = 200
	entries := len(row.GetTransfers()) + len(row.GetDeliveries()) + len(row.GetBackorders())
	b := make([]byte, 0, len(availability)+len(metadata)+64+perEntry*entries)
	b = append(append(b, availability[:len(availability)-1]...), metadata...)
	b = append(b, `,"transfers":`...)
	b = appendjson.Array(b, row.GetTransfers(), func(b []byte, t *eventv1.OpenTransfer) []byte {
		b = appendjson.String(append(b, `{"transfer_id":`...), t.TransferId)
		b = appendText(b, "from_location", locationName(row, t.FromLocation))
		b = appendText(b, "to_location", locationName(row, t.ToLocation))
		b = appendText(b, "reference", t.Reference)
		b = appendjson.Int(b, "shipped", t.Shipped)
		b = appendjson.Int(b, "remaining", t.Remaining)
		return append(appendTime(b, "shipped_at", t.ShippedAtMicros), '}')
	})
	b = append(b, `,"expected":`...)
	b = appendjson.Array(b, row.GetDeliveries(), func(b []byte, d *eventv1.OpenDelivery) []byte {
		b = appendjson.String(append(b, `{"location":`...), locationName(row, d.Location))
		b = appendText(b, "reference", d.Reference)
		return append(appendjson.Int(b, "quantity", d.Quantity), '}')
	})
	b = append(b, `,"backorders":`...)
	b = appendjson.Array(b, row.GetBackorders(), func(b []byte, w *eventv1.WaitingOrder) []byte {
		b = appendjson.String(append(b, `{"order_id":`...), OrderID(w))
		b = appendText(b, "location", locationName(row, w.Location))
		b = appendjson.Int(b, "quantity", w.Quantity)
		return append(appendTime(b, "since", w.SinceMicros), '}')
	})
	return append(b, '}')
}

// appendLevel appends the members of a level with other figures for what is available and what is lacking.
func appendLevel(b []byte, l *eventv1.Level, available, backordered int64) []byte {
	return appendjson.Level{
		Available: available, Backordered: backordered, OnHand: l.GetOnHand(),
		Reserved: l.GetReserved(), Committed: l.GetCommitted(),
		SafetyStock: l.GetSafetyStock(), Damaged: l.GetDamaged(), QualityControl: l.GetQualityControl(),
		Incoming: l.GetIncoming(),
	}.Append(b)
}

// appendText appends a member that is there even where its text is empty.
func appendText(b []byte, name, text string) []byte {
	return appendjson.String(appendName(b, name), text)
}

func appendTime(b []byte, name string, micros int64) []byte {
	b = append(appendName(b, name), '"')
	return append(time.UnixMicro(micros).UTC().AppendFormat(b, time.RFC3339Nano), '"')
}

func appendName(b []byte, name string) []byte {
	return append(append(append(b, `,"`...), name...), `":`...)
}
