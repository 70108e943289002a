package shard

import (
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// tornWithin is how much of the log's end, in the time of the log, names orders that reconciliation looks at. It is far
// more than the one transaction that may be torn.
const tornWithin = time.Second

// logEnd has the orders that the events of the log's last moments name.
type logEnd struct {
	// newest is the time of the newest record, in microseconds. Events of a reconciliation do not count: what they
	// repair may be torn as well.
	newest  int64
	touched []touchedOrder
}

type touchedOrder struct {
	id string
	at int64 // newest when the event was read, so that a clock that goes back does not make it old
}

// read takes a record into account.
func (e *logEnd) read(rec *eventlog.Record, m *codec.Meta) {
	if m.Cause != eventv1.Cause_CAUSE_RECONCILIATION {
		e.newest = max(e.newest, rec.TimestampMicros)
	}
	old := 0
	for old < len(e.touched) && e.touched[old].at < e.newest-tornWithin.Microseconds() {
		old++
	}
	e.touched = e.touched[old:]
}

// touch adds an order that the record names that was read last.
func (e *logEnd) touch(orderID string) {
	e.touched = append(e.touched, touchedOrder{orderID, e.newest})
}

func (e *logEnd) orders() map[string]struct{} {
	ids := make(map[string]struct{}, len(e.touched))
	for _, t := range e.touched {
		ids[t.id] = struct{}{}
	}
	return ids
}
