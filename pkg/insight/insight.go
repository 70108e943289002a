// Package insight owns questions that are asked of the whole history: insights. An insight is a name with keys and
// measures, written in SQL in a YAML file (Definition, docs/insights.md). It is a question about one source, a table of
// the mirror in ClickHouse.
//
// A definition can be trusted before it has run: it is parsed here, its SQL is parsed by ClickHouse, and only functions
// of an allow-list may occur (functions.go). So its answer is a function of the log alone, and does not depend on when
// or in which parts it is computed. What has changed in a definition is seen in its fingerprint.
//
// The package reads tables. It does not know how they are filled (pkg/analytics), and does not serve HTTP.
package insight

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Definition is an insight as its file has it.
type Definition struct {
	// File is where it was read from, for messages.
	File string
	// Name is what readers ask for, such as revenue.
	Name string
	// Description says in one line what the figures mean.
	Description string
	// Source is the table that the question is about.
	Source Source
	// Time is the column that filters of time mean, and the column time in SQL: by default the one of the source.
	Time string
	// Zone is the time zone that days and months are of, such as Europe/London; UTC by default.
	Zone string
	// Where chooses rows; empty: all.
	Where Expression
	// Entity is the first stage of a question in two stages; nil: the question has one stage.
	Entity *Stage
	// Overall are measures over all entities together, which the second stage may use; none without an entity.
	Overall []Column
	// With names expressions of an entity, which the second stage may use, and those of With that follow. An arrayJoin
	// makes several rows of the entity, such as one for each month. None without an entity.
	With []Column
	Stage
	// Rollups are the sets of keys that are kept, by their names. A question is answered from the smallest that has all
	// keys which it needs. None: all keys are kept together. A definition with an entity has none: its entities are kept.
	Rollups []Rollup
	// Examples are run by Validate.
	Examples []Example
}

// Stage groups rows: each combination of keys has a row with measures.
type Stage struct {
	Keys, Measures []Column
}

// Rollup is a set of keys that are kept together, in the order of the definition, such as month, country, currency.
type Rollup []string

func (r Rollup) columns() []Column {
	columns := make([]Column, len(r))
	for i, name := range r {
		columns[i].Name = name
	}
	return columns
}

// Column is a key or a measure.
type Column struct {
	Name string
	SQL  Expression
	// Unit says what a measure counts in. Keys have none.
	Unit Unit
}

// Expression is SQL with its place in the file.
type Expression struct {
	SQL   string
	Field string // such as measures.revenue
	Line  int
}

// Unit is what a measure counts in.
type Unit string

// The units of measures.
const (
	// Count is a whole number: orders, units of a SKU.
	Count Unit = "count"
	// Money is an amount in millionths, shown as a decimal of the row's currency. The insight needs a key currency.
	Money Unit = "money"
	// Ratio is any other number, such as a share or an average.
	Ratio Unit = "ratio"
	// Duration is in seconds.
	Duration Unit = "duration"
	// Text is shown as it is.
	Text Unit = "text"
)

var units = []Unit{Count, Money, Ratio, Duration, Text}

// form is the unit where answers show the measure in a form of its own: money is a decimal of millionths, and text is
// no number. It is empty for all others, which are the same number.
func (u Unit) form() Unit {
	if u == Money || u == Text {
		return u
	}
	return ""
}

// Example is a small source with the answer that the definition must give. It is checked like a unit test.
type Example struct {
	Line int
	// Rows are rows of the source. A column that is left out has its type's empty value.
	Rows []map[string]string
	// Want are the rows of the answer, in any order, as the API shows them.
	Want []map[string]string
}

// Fingerprint names what the definition computes: the first 12 hexadecimal digits of a SHA-256. White space, comments,
// descriptions and examples do not change it, nor do units, unless the unit is or was money or text: then answers have
// another value.
func (d *Definition) Fingerprint() string {
	h := sha256.New()
	part := func(words ...string) {
		for _, word := range words {
			h.Write([]byte(word))
			h.Write([]byte{0})
		}
	}
	stage := func(name string, s *Stage) {
		for _, columns := range [][]Column{s.Keys, s.Measures} {
			part(name)
			for _, c := range columns {
				part(c.Name, c.SQL.canonical())
			}
		}
	}
	part("1", d.Name, d.Source.Table, d.Time, d.Zone, d.Where.canonical())
	if d.Entity != nil {
		stage("entity", d.Entity)
		stage("overall", &Stage{Measures: d.Overall})
	}
	if len(d.With) > 0 {
		stage("with", &Stage{Measures: d.With})
	}
	stage("stage", &d.Stage)
	for _, c := range d.Measures {
		if form := c.Unit.form(); form != "" {
			part("unit of "+c.Name, string(form))
		}
	}
	for _, rollup := range d.Rollups {
		part("rollup")
		part(rollup...)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// canonical is the SQL without comments, with one space between tokens.
func (e Expression) canonical() string {
	tokens, err := lex(e.SQL)
	if err != nil {
		return e.SQL
	}
	texts := make([]string, len(tokens))
	for i, t := range tokens {
		texts[i] = t.text
	}
	return strings.Join(texts, " ")
}
