package codec

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func fillLevel(dst *eventv1.Level, l *inventory.Level) {
	dst.OnHand, dst.Available, dst.Reserved, dst.Committed = l.OnHand, l.Available, l.Reserved, l.Committed
	dst.SafetyStock, dst.Damaged, dst.QualityControl, dst.Incoming = l.SafetyStock, l.Damaged, l.QualityControl, l.Incoming
}

func readLevel(l *eventv1.Level) inventory.Level {
	return inventory.Level{
		OnHand: l.OnHand, Available: l.Available, Reserved: l.Reserved, Committed: l.Committed,
		SafetyStock: l.SafetyStock, Damaged: l.Damaged, QualityControl: l.QualityControl, Incoming: l.Incoming,
	}
}

// locationScratch is the memory of a list of locations, reused for the next one.
type locationScratch struct {
	values []locationValue
	out    []*eventv1.LocationLevel
}

type locationValue struct {
	location eventv1.LocationLevel
	level    eventv1.Level
}

// fill returns the locations as messages. They are valid until the next fill.
func (s *locationScratch) fill(locations []inventory.LocationLevel) []*eventv1.LocationLevel {
	if len(locations) == 0 {
		return nil
	}
	if cap(s.values) < len(locations) {
		s.values = make([]locationValue, len(locations))
	}
	s.out = s.out[:0]
	for i := range locations {
		v := &s.values[:len(locations)][i]
		fillLevel(&v.level, &locations[i].Level)
		v.location.Location, v.location.Level = locations[i].Location, &v.level
		s.out = append(s.out, &v.location)
	}
	return s.out
}

func fromLocations(locations []*eventv1.LocationLevel) ([]inventory.LocationLevel, error) {
	if len(locations) == 0 {
		return nil, nil
	}
	out := make([]inventory.LocationLevel, len(locations))
	for i, l := range locations {
		if l.Level == nil {
			return nil, incomplete("location", "without its level")
		}
		out[i] = inventory.LocationLevel{Location: l.Location, Level: readLevel(l.Level)}
	}
	return out, nil
}
