package stockledger

import (
	"slices"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// An event says the levels as they are after it, in the order in which events are recorded. By the occurred clock
// another set of events counts. Its levels are those of a row by the recorded clock, and the changes of the events by
// which the two sets differ: levels are sums of changes, whatever their order.

// shiftKind is the kind of key that tells of an event which occurred at another time than it was recorded; 0: none.
func shiftKind(recorded, occurred int64) byte {
	switch {
	case occurred > recorded:
		return keyEarly
	case recorded-occurred > lateMicros:
		return keyLate
	}
	return 0
}

// shiftOf is what an event changes, as a row whose levels are changes.
func shiftOf(before *item, ev *eventv1.InventoryEvent) *eventv1.AvailabilityRow {
	shift := &eventv1.AvailabilityRow{OccurredAtMicros: ev.Meta.OccurredAtMicros}
	for _, l := range ev.Locations {
		shift.Locations = append(shift.Locations, &eventv1.LocationLevel{
			Location: l.Location, Level: changed(levelAt(before.row, l.Location), l.Level),
		})
	}
	return shift
}

// levelAt is the level of a location in a row; nil: it has none.
func levelAt(row *eventv1.AvailabilityRow, location string) *eventv1.Level {
	i := slices.IndexFunc(row.Locations, func(l *eventv1.LocationLevel) bool { return l.Location == location })
	if i < 0 {
		return nil
	}
	return row.Locations[i].Level
}

// quantities are the fields of a level, in the order of the schema.
func quantities(l *eventv1.Level) [8]int64 {
	return [8]int64{l.GetOnHand(), l.GetAvailable(), l.GetReserved(), l.GetCommitted(), l.GetSafetyStock(), l.GetDamaged(),
		l.GetQualityControl(), l.GetIncoming()}
}

func levelOf(q [8]int64) *eventv1.Level {
	return &eventv1.Level{OnHand: q[0], Available: q[1], Reserved: q[2], Committed: q[3], SafetyStock: q[4],
		Damaged: q[5], QualityControl: q[6], Incoming: q[7]}
}

// changed is a level less the one before.
func changed(before, after *eventv1.Level) *eventv1.Level {
	b, a := quantities(before), quantities(after)
	for i := range a {
		a[i] -= b[i]
	}
	return levelOf(a)
}

// shiftRow adds a shift to a row, or takes it off with sign -1.
func shiftRow(row, shift *eventv1.AvailabilityRow, sign int64) {
	total := quantities(row.Total)
	for _, l := range shift.Locations {
		i := slices.IndexFunc(row.Locations, func(r *eventv1.LocationLevel) bool { return r.Location == l.Location })
		if i < 0 {
			i = len(row.Locations)
			row.Locations = append(row.Locations, &eventv1.LocationLevel{Location: l.Location})
		}
		level, change := quantities(row.Locations[i].Level), quantities(l.Level)
		for k := range change {
			level[k] += sign * change[k]
			total[k] += sign * change[k]
		}
		row.Locations[i].Level = levelOf(level)
	}
	row.Total = levelOf(total)
	if sign > 0 {
		row.OccurredAtMicros = max(row.OccurredAtMicros, shift.OccurredAtMicros)
	}
}
