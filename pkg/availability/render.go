package availability

import (
	"encoding/json"
	"strconv"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// render writes a row as GET /v1/availability/{sku} answers it. available is what can be sold: a
// location that is short does not take from the others, and what is missing there stands in
// backordered.
func render(row *eventv1.AvailabilityRow) []byte {
	total := row.Total
	if total == nil {
		total = &eventv1.Level{}
	}
	var available, backordered int64
	for _, l := range row.Locations {
		a := l.GetLevel().GetAvailable()
		available += max(0, a)
		backordered += max(0, -a)
	}
	b := append(make([]byte, 0, 512), `{"sku":`...)
	b = appendString(b, row.Sku)
	b = append(b, `,"description":`...)
	b = appendString(b, row.Description)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, row.Version, 10)
	b = appendLevel(b, total, available)
	b = appendInt(b, `,"backorder_limit":`, row.BackorderLimit)
	b = appendInt(b, `,"backordered":`, backordered)
	b = appendTime(b, `,"occurred_at":"`, row.OccurredAtMicros)
	b = append(b, `,"locations":[`...)
	for i, l := range row.Locations {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"location":`...)
		b = appendString(b, l.Location)
		b = appendLevel(b, l.Level, max(0, l.GetLevel().GetAvailable()))
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func appendLevel(b []byte, l *eventv1.Level, available int64) []byte {
	b = appendInt(b, `,"available":`, available)
	b = appendInt(b, `,"on_hand":`, l.GetOnHand())
	b = appendInt(b, `,"reserved":`, l.GetReserved())
	b = appendInt(b, `,"committed":`, l.GetCommitted())
	b = appendInt(b, `,"safety_stock":`, l.GetSafetyStock())
	b = appendInt(b, `,"damaged":`, l.GetDamaged())
	b = appendInt(b, `,"quality_control":`, l.GetQualityControl())
	return appendInt(b, `,"incoming":`, l.GetIncoming())
}

func appendInt(b []byte, name string, v int64) []byte {
	return strconv.AppendInt(append(b, name...), v, 10)
}

func appendString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // no string fails to encode
	}
	return append(b, quoted...)
}
