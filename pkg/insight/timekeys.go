package insight

import (
	"regexp"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// FirstTime and LastTime are the earliest and the latest time that a question can be limited to.
var (
	FirstTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	LastTime  = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Microsecond)
)

// timeKey is a key whose values are days, months or years.
type timeKey struct {
	Column
	unit calendarUnit
	// layout is how its values are written.
	layout string
	// date is true for a value of the type Date, false for a text.
	date bool
}

type calendarUnit int

const (
	dayUnit calendarUnit = iota
	monthUnit
	yearUnit
)

func (u calendarUnit) String() string { return [...]string{"day", "month", "year"}[u] }

// timeForms are the SQL of keys of time, without spaces that need not be there.
var timeForms = []struct {
	pattern *regexp.Regexp
	unit    calendarUnit
	layout  string
	date    bool
}{
	{regexp.MustCompile(`^formatDateTime \( (.*) , '%Y-%m-%d' \)$`), dayUnit, "2006-01-02", false},
	{regexp.MustCompile(`^formatDateTime \( (.*) , '%Y-%m' \)$`), monthUnit, "2006-01", false},
	{regexp.MustCompile(`^formatDateTime \( (.*) , '%Y' \)$`), yearUnit, "2006", false},
	{regexp.MustCompile(`^toDate \( (.*) \)$`), dayUnit, time.DateOnly, true},
	{regexp.MustCompile(`^toStartOfMonth \( (.*) \)$`), monthUnit, time.DateOnly, true},
	{regexp.MustCompile(`^toStartOfYear \( (.*) \)$`), yearUnit, time.DateOnly, true},
}

// timeKeys are the keys that are days, months or years of the column time, or with an entity of any of its times.
func timeKeys(d *Definition) (keys []timeKey) {
	for _, key := range d.Keys {
		sql := key.SQL.canonical()
		for _, form := range timeForms {
			if m := form.pattern.FindStringSubmatch(sql); m != nil && (m[1] == "time" || d.Entity != nil) {
				keys = append(keys, timeKey{key, form.unit, form.layout, form.date})
				break
			}
		}
	}
	return keys
}

// bounds reports whether a moment is the beginning of one of the key's values. No moment (zero) is.
func (k timeKey) bounds(at time.Time) bool {
	if at.IsZero() {
		return true
	}
	year, month, day := at.Date()
	if k.unit == yearUnit {
		month = time.January
	}
	if k.unit >= monthUnit {
		day = 1
	}
	return at.Equal(time.Date(year, month, day, 0, 0, 0, 0, at.Location()))
}

// condition is the SQL for the values from one moment up to another; sql is the key's.
func (k timeKey) condition(sql string, from, to time.Time) string {
	compare := func(operator string, at time.Time) string {
		if at.IsZero() {
			return ""
		}
		value := clickhouse.Literals(at.Format(k.layout))
		if k.date {
			value = "toDate32(" + value + ")"
		}
		return sql + " " + operator + " " + value
	}
	return all(compare(">=", from), compare("<", to))
}
