package retail

import (
	"maps"
	"slices"
)

// Figures are the numbers that a reconciliation compares.
type Figures struct {
	Documents, Rows int64
	// Quantity is in units. Sales are above 0, credit notes and adjustments below.
	Quantity int64
	// Micros is the money in millionths, exact and signed like Quantity.
	Micros int64
}

// Plus adds two sets of figures.
func (f Figures) Plus(g Figures) Figures {
	return Figures{f.Documents + g.Documents, f.Rows + g.Rows, f.Quantity + g.Quantity, f.Micros + g.Micros}
}

// Tally is figures in total, by month ("2011-03") and by country.
type Tally struct {
	Total     Figures
	Months    map[string]Figures
	Countries map[string]Figures
}

// NewTally returns an empty tally.
func NewTally() Tally {
	return Tally{Months: map[string]Figures{}, Countries: map[string]Figures{}}
}

// Add counts figures under a month and a country.
func (t *Tally) Add(month, country string, f Figures) {
	t.Total = t.Total.Plus(f)
	t.Months[month] = t.Months[month].Plus(f)
	t.Countries[country] = t.Countries[country].Plus(f)
}

// MonthNames are the months of all tallies, in order.
func MonthNames(tallies ...Tally) []string {
	names := map[string]bool{}
	for _, t := range tallies {
		for name := range t.Months {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// CountryNames are the countries of all tallies, in order.
func CountryNames(tallies ...Tally) []string {
	names := map[string]bool{}
	for _, t := range tallies {
		for name := range t.Countries {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Refused are the keys of commands that the API refused for good, with the reasons.
type Refused map[string]string

// Accepted adds up the file's accepted rows, without those that the API refused.
func (b *Book) Accepted(refused Refused) Tally {
	t := NewTally()
	for _, d := range b.Documents {
		if f := d.figures(refused, false); f.Rows > 0 {
			f.Documents = 1
			t.Add(d.Month(), d.Country, f)
		}
	}
	return t
}

// RejectedTally adds up the rows that were not imported: those rejected on reading, and those that the API refused.
func (b *Book) RejectedTally(refused Refused) Tally {
	t := NewTally()
	for i := range b.Rejected {
		r := &b.Rejected[i]
		f := Figures{Rows: 1, Quantity: r.Quantity, Micros: r.AmountMicros}
		if r.Document {
			f.Documents = 1
		}
		t.Add(r.Month, r.Country, f)
	}
	for _, d := range b.Documents {
		f := d.figures(refused, true)
		if f.Rows == int64(len(d.Lines)) {
			f.Documents = 1
		}
		if f.Rows > 0 {
			t.Add(d.Month(), d.Country, f)
		}
	}
	return t
}

// figures adds up the lines of the document whose command was refused, or those whose command was not.
func (d *Document) figures(refused Refused, wantRefused bool) Figures {
	var f Figures
	_, whole := refused[d.Key()]
	for i := range d.Lines {
		l := &d.Lines[i]
		isRefused := whole && d.Kind != KindAdjustment
		if d.Kind == KindAdjustment && len(refused) > 0 {
			_, isRefused = refused[d.LineKey(l)]
		}
		if isRefused == wantRefused {
			f = f.Plus(Figures{Rows: 1, Quantity: l.Quantity, Micros: l.AmountMicros})
		}
	}
	return f
}
