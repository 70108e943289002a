package insight

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the images of the services have no files of zones

	"github.com/holdfast/holdfast/pkg/analytics"
)

// MaxAnswerRows is how many rows an answer to a question has at most.
const MaxAnswerRows = 5_000

// MaxKeyValues is how many values a question may choose of one key.
const MaxKeyValues = 1_000

// Parameters are the names of a question's parts in the API. No key has one of these names.
var Parameters = []string{"by", "measures", "from", "to", "tz", "order", "limit", "cursor", "version"}

// Question asks an insight for some of its keys and measures.
type Question struct {
	// By are the keys of the answer; nil: all, empty: none, which is one row of totals. Of an insight with money, currency
	// is always one of them.
	By []string
	// Measures are those of the answer; nil: all. Counts of what is distinct cost most.
	Measures []string
	// Where chooses rows by values of keys, as answers show them.
	Where map[string][]string
	// From is included, To is not; zero: no limit. They are about the column of time. With an entity they are about its
	// first key of days or months instead: an order that was placed on the last day is shown with what became of it.
	From, To time.Time
	// Zone is the time zone of days and months, such as Europe/London; empty: that of the definition.
	Zone string
	// Order is a key or a measure of the answer, behind - for descending; empty: the order of the keys. Rows with equal
	// values are in the order of their keys. What is no number comes last.
	Order string
	// Limit is how many rows the answer may have, from 1 to MaxAnswerRows.
	Limit int
	// After is Next of the answer with the rows before; empty: from the first row on.
	After string
}

// QuestionError is the error for a question that an insight cannot be asked.
type QuestionError struct {
	// Parameter is the name of the faulty part in the API: one of Parameters, or a key.
	Parameter string
	Message   string // what it must be
}

// Error implements error.
func (e *QuestionError) Error() string { return e.Parameter + " " + e.Message }

// QuestionTooLargeError is the error for a question that needs more time, rows or memory than it may take.
type QuestionTooLargeError struct {
	// Why is the reason why the answer had to be computed from the source; empty when it was read from what is kept.
	Why string
	// Limits are what it may take; from the source also ComputeRows.
	Limits analytics.Limits
	Err    error
}

// Error implements error.
func (e *QuestionTooLargeError) Error() string {
	if e.Why == "" {
		return "the question needs more time or memory than it may take: ask for fewer keys or a shorter time, or name " +
			"the measures"
	}
	return fmt.Sprintf("the answer is not kept, because %s, and to compute it takes more than the %v, %d million rows or "+
		"%d GiB that it may take: ask for what is kept, or for a shorter time",
		e.Why, e.Limits.Time, ComputeRows/1_000_000, e.Limits.Memory>>30)
}

// Unwrap implements errors.Unwrap.
func (e *QuestionTooLargeError) Unwrap() error { return e.Err }

// asked is a question in terms of the definition.
type asked struct {
	Question
	// d is the definition in the zone of the question, with the keys and measures of the answer alone.
	d *Definition
	// bounds are the keys of days, months or years that From and To can be compared with: both are the beginning of one.
	bounds []timeKey
	// rezoned is true when days or months are of another zone than those that are kept.
	rezoned bool

	// How it is answered: the query, its rows in their order, the rollup, and why the answer has to be computed (empty: it
	// is kept).
	query  string
	page   paging
	rollup rollup
	why    string
}

// resolve checks a question.
func (v *Version) resolve(q Question) (*asked, error) {
	narrow := *v.Definition
	a := &asked{Question: q, d: &narrow}
	for _, check := range []func(*Version) error{a.keys, a.measures, a.filters, a.zone, a.times, a.order} {
		if err := check(v); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *asked) keys(v *Version) error {
	if a.By == nil {
		return nil
	}
	by := slices.Clone(a.By)
	if v.HasMoney() && !slices.Contains(by, currencyKey) {
		by = append(by, currencyKey)
	}
	var err error
	a.d.Keys, err = choose(v.Keys, by, "by", "key")
	return err
}

func (a *asked) measures(v *Version) (err error) {
	if a.Measures != nil {
		a.d.Measures, err = choose(v.Measures, a.Measures, "measures", "measure")
	}
	return err
}

// choose are the columns with these names.
func choose(columns []Column, names []string, parameter, what string) ([]Column, error) {
	chosen := make([]Column, len(names))
	for i, name := range names {
		at := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
		switch {
		case at < 0:
			return nil, &QuestionError{parameter, fmt.Sprintf("names %q, which is no %s; there are %s",
				name, what, strings.Join(columnNames(columns), ", "))}
		case slices.Contains(names[:i], name):
			return nil, &QuestionError{parameter, fmt.Sprintf("names %s twice", name)}
		}
		chosen[i] = columns[at]
	}
	return chosen, nil
}

func (a *asked) filters(v *Version) error {
	for name, values := range a.Where {
		switch {
		case !slices.Contains(columnNames(v.Keys), name):
			return &QuestionError{name, "is no key; there are " + strings.Join(columnNames(v.Keys), ", ")}
		case len(values) == 0 || len(values) > MaxKeyValues:
			return &QuestionError{name, fmt.Sprintf("must have 1 to %d values", MaxKeyValues)}
		}
	}
	return nil
}

// filtered are the keys that Where names, in the order of the definition.
func (a *asked) filtered(v *Version) (keys []Column) {
	for _, key := range v.Keys {
		if len(a.Where[key.Name]) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

func (a *asked) zone(v *Version) error {
	if a.Zone == "" {
		return nil
	}
	if _, err := LoadZone(a.Zone); err != nil {
		return &QuestionError{"tz", err.Error()}
	}
	used := slices.Concat(a.d.Keys, a.filtered(v), a.d.Measures)
	if v.Entity != nil {
		used = slices.Concat(v.Entity.Keys, v.Entity.Measures)
	}
	inZone := v.Where.mentions("time") || slices.ContainsFunc(used, func(c Column) bool { return c.SQL.mentions("time") })
	switch {
	case inZone:
		a.d.Zone, a.rezoned = a.Zone, a.Zone != v.Zone
	case a.From.IsZero() && a.To.IsZero():
		return &QuestionError{"tz", "makes no difference: nothing that is asked for depends on a time zone"}
	}
	return nil
}

// zonePattern is the form of a zone's name. Folders of other editions of the database, such as right/, and names
// without meaning elsewhere, such as localtime, are in lower case.
var zonePattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*$`)

// LoadZone finds a time zone of the IANA database. The error is the fault of a parameter.
func LoadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || !zonePattern.MatchString(name) || name == "Local" || name == "Factory" {
		return nil, fmt.Errorf("must be a time zone of the IANA database, such as Europe/London; %q is none", name)
	}
	return zone, nil
}

// mentions reports whether a name or function is in the SQL.
func (e Expression) mentions(name string) bool {
	tokens, err := lex(e.SQL)
	return err == nil && slices.ContainsFunc(tokens, func(t token) bool {
		return t.kind == tokenWord && t.text == name
	})
}

// times finds the keys that From and To can be compared with.
func (a *asked) times(v *Version) error {
	if a.From.IsZero() && a.To.IsZero() {
		return nil
	}
	if !a.From.IsZero() && !a.To.IsZero() && !a.From.Before(a.To) {
		return &QuestionError{"to", "must be after from"}
	}
	for name, at := range map[string]time.Time{"from": a.From, "to": a.To} {
		if !at.IsZero() && (at.Before(FirstTime) || at.After(LastTime)) {
			return &QuestionError{name, "must be in the years 1900 to 2299"}
		}
	}
	zone, err := LoadZone(a.d.Zone)
	if err != nil {
		return err
	}
	keys := timeKeys(v.Definition)
	for _, key := range keys {
		if key.bounds(a.From.In(zone)) && key.bounds(a.To.In(zone)) {
			a.bounds = append(a.bounds, key)
		}
		if v.Entity != nil {
			break
		}
	}
	switch {
	case v.Entity == nil || a.bounds != nil:
		return nil
	case len(keys) == 0:
		return &QuestionError{fromOrTo(a.From), "cannot be asked for: the insight has no key of days or months"}
	}
	return &QuestionError{fromOrTo(a.From), fmt.Sprintf("and to must be the beginning of a %s, of which the key %s is",
		keys[0].unit, keys[0].Name)}
}

func fromOrTo(from time.Time) string {
	if from.IsZero() {
		return "to"
	}
	return "from"
}

func (a *asked) order(*Version) error {
	name := strings.TrimPrefix(a.Order, "-")
	columns := columnNames(slices.Concat(a.d.Keys, a.d.Measures))
	if a.Order != "" && !slices.Contains(columns, name) {
		return &QuestionError{"order", fmt.Sprintf("must be one of %s, with - before it for descending order",
			strings.Join(columns, ", "))}
	}
	return nil
}
