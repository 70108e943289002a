package inventory

// Level is how much of an item there is, by state, in units. Always:
//
//	OnHand = Available + Reserved + Committed + SafetyStock + Damaged + QualityControl
//
// Incoming is not part of OnHand. Available is negative where stock is backordered, or where a count or an adjustment
// found less than what is reserved.
type Level struct {
	OnHand, Available, Reserved, Committed, SafetyStock, Damaged, QualityControl, Incoming int64
}

// plus adds two levels. Both must be bounded, so that no sum wraps around.
func (l Level) plus(m Level) Level {
	return Level{
		OnHand:         l.OnHand + m.OnHand,
		Available:      l.Available + m.Available,
		Reserved:       l.Reserved + m.Reserved,
		Committed:      l.Committed + m.Committed,
		SafetyStock:    l.SafetyStock + m.SafetyStock,
		Damaged:        l.Damaged + m.Damaged,
		QualityControl: l.QualityControl + m.QualityControl,
		Incoming:       l.Incoming + m.Incoming,
	}
}

// minus is the inverse of plus.
func (l Level) minus(m Level) Level {
	return Level{
		OnHand:         l.OnHand - m.OnHand,
		Available:      l.Available - m.Available,
		Reserved:       l.Reserved - m.Reserved,
		Committed:      l.Committed - m.Committed,
		SafetyStock:    l.SafetyStock - m.SafetyStock,
		Damaged:        l.Damaged - m.Damaged,
		QualityControl: l.QualityControl - m.QualityControl,
		Incoming:       l.Incoming - m.Incoming,
	}
}

// bounded reports whether every quantity is within ±MaxLevel.
func (l *Level) bounded() bool {
	return within(l.OnHand) && within(l.Available) && within(l.Reserved) && within(l.Committed) &&
		within(l.SafetyStock) && within(l.Damaged) && within(l.QualityControl) && within(l.Incoming)
}

func within(v int64) bool { return v >= -MaxLevel && v <= MaxLevel }

// Total is the sum of all locations, negative ones included.
func (i Item) Total() Level {
	if len(i.Locations) == 1 {
		return i.Locations[0].Level
	}
	var sum Level
	for k := range i.Locations {
		sum = sum.plus(i.Locations[k].Level)
	}
	return sum
}

// Sellable is what is available at locations above zero. A location below zero does not reduce what the others have.
// It never exceeds MaxLevel.
func (i Item) Sellable() int64 {
	var sum int64
	for k := range i.Locations {
		if available := i.Locations[k].Level.Available; available > 0 {
			sum = min(sum+available, MaxLevel)
		}
	}
	return sum
}
