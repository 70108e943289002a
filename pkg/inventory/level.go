package inventory

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

// Total is all locations added up, negative ones included.
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

// Sellable is what can be sold off the shelf: available of the locations that have any. A location
// below zero takes nothing away from the others. It never exceeds MaxLevel.
func (i Item) Sellable() int64 {
	var sum int64
	for k := range i.Locations {
		if available := i.Locations[k].Level.Available; available > 0 {
			sum = min(sum+available, MaxLevel)
		}
	}
	return sum
}

// backorderable is what is left of the backorder limit. A location that is below zero for another reason, a count or an
// adjustment, takes nothing of it.
func (i *Item) backorderable() int64 {
	if len(i.Backorders) >= MaxBackorders {
		return 0
	}
	left := i.BackorderLimit
	for k := range i.Backorders {
		left -= i.Backorders[k].Quantity
	}
	return max(0, left)
}

// find returns the index of a location, or -1.
func (i Item) find(location string) int {
	for k := range i.Locations {
		if i.Locations[k].Location == location {
			return k
		}
	}
	return -1
}

// at returns the level of a location; zero for one that was never used.
func (i Item) at(location string) Level {
	if k := i.find(location); k >= 0 {
		return i.Locations[k].Level
	}
	return Level{}
}

// first is the location that was used first.
func (i Item) first() string {
	if len(i.Locations) == 0 {
		return DefaultLocation
	}
	return i.Locations[0].Location
}

// Sums adds up what the reservation holds, over its locations.
func (r Reservation) Sums() (reserved, committed, fulfilled, restocked int64) {
	for k := range r.Held {
		h := &r.Held[k]
		reserved += h.Reserved
		committed += h.Committed
		fulfilled += h.Fulfilled
		restocked += h.Restocked
	}
	return reserved, committed, fulfilled, restocked
}

// Damaged adds up what came back and cannot be sold again.
func (r Reservation) Damaged() (damaged int64) {
	for k := range r.Held {
		damaged += r.Held[k].Damaged
	}
	return damaged
}

// Open reports whether the reservation still binds stock.
func (r Reservation) Open() bool {
	reserved, committed, _, _ := r.Sums()
	return reserved > 0 || committed > 0
}
