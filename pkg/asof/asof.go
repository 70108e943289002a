// Package asof has moments of the past, which views answer for.
package asof

import "github.com/holdfast/holdfast/pkg/eventlog"

// Moment is a moment of the past. It is a time or a position; the zero Moment is now.
//
// A time is read by one of two clocks. By the recorded clock, an answer has what the log had by then: what was known.
// By the occurred clock, it has what had happened by then in the shop, also what was recorded later. For example, goods
// that arrived on Monday and were booked on Tuesday are in stock on Monday evening by the occurred clock alone.
type Moment struct {
	// Micros is the time, in microseconds since the Unix epoch; what is of that time belongs to it.
	Micros   int64
	Occurred bool // by the occurred clock
	// Position is the place in the log up to which events count.
	Position eventlog.Position
}

// IsNow reports whether the moment is now: everything counts.
func (m *Moment) IsNow() bool { return m.Micros == 0 && m.Position.IsZero() }

// ByPosition reports whether the moment is a place in the log.
func (m *Moment) ByPosition() bool { return !m.Position.IsZero() }

// Event is what a moment asks of an event.
type Event struct {
	eventlog.TopicPartition
	Offset int64
	// RecordedMicros is when the event was recorded, but not before the events of its aggregate that came earlier: the
	// clock of another owner may be behind by a little.
	RecordedMicros, OccurredMicros int64
}

// Has reports whether an event counts at the moment.
func (m *Moment) Has(e *Event) bool {
	switch {
	case m.IsNow():
		return true
	case m.ByPosition():
		return e.Offset < m.Position.End(e.TopicPartition)
	case m.Occurred:
		return e.OccurredMicros <= m.Micros
	}
	return e.RecordedMicros <= m.Micros
}
