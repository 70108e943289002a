package insight

import (
	"slices"
	"strings"
)

// Change is how a definition differs from the one that is live.
type Change string

// The changes.
const (
	// New means that nothing of this name is live.
	New Change = "new"
	// Unchanged means that readers get the same: a comment or a description may be another, or a unit that says of the
	// same number what it is, such as ratio in place of count.
	Unchanged Change = "unchanged"
	// Additive means that readers of today get the same rows and values: measures were added, or other sets of keys are
	// kept together. All of them are computed nevertheless (docs/adr/0024-replays.md).
	Additive Change = "additive"
	// Changed means that readers may get other rows, other values or other columns.
	Changed Change = "changed"
)

// FieldDifference is a field with both of its values. A side that does not have the field has an empty one.
type FieldDifference struct {
	// Field is a member of the file, such as measures.revenue or keys.month.
	Field      string
	Live, File string
}

// Changes says how a definition differs from the one that is live; nil: nothing is live.
func Changes(live, file *Definition) (Change, []FieldDifference) {
	if live == nil {
		return New, nil
	}
	c := &comparing{}
	c.field("description", live.Description, file.Description)
	breaking := 0
	c.field("source", live.Source.Table, file.Source.Table)
	c.field("time", live.Time, file.Time)
	c.field("zone", live.Zone, file.Zone)
	c.field("where", live.Where.canonical(), file.Where.canonical())
	a, b := live.entity(), file.entity()
	c.columns("entity.keys", a.Keys, b.Keys)
	c.measures("entity.measures", a.Measures, b.Measures)
	c.columns("overall", live.Overall, file.Overall)
	c.columns("with", live.With, file.With)
	c.columns("keys", live.Keys, file.Keys)
	c.measures("measures", live.Measures, file.Measures)
	c.field("rollups", rollupText(live.Rollups), rollupText(file.Rollups))
	for _, d := range c.differences {
		if !d.isAddition() && !d.isLabel() {
			breaking++
		}
	}
	switch {
	case live.Fingerprint() == file.Fingerprint():
		return Unchanged, c.differences
	case breaking == 0 && len(c.differences) > 0:
		return Additive, c.differences
	}
	return Changed, c.differences
}

// entity is the first stage of a question in two stages, and otherwise one without columns.
func (d *Definition) entity() *Stage {
	if d.Entity == nil {
		return &Stage{}
	}
	return d.Entity
}

// isAddition reports whether readers of today see nothing of the difference.
func (d FieldDifference) isAddition() bool {
	measure := strings.HasPrefix(d.Field, "measures.") || strings.HasPrefix(d.Field, "entity.measures.")
	return d.Field == "rollups" || measure && d.Live == ""
}

// isLabel reports whether the difference is in words about the figures, and not in the figures.
func (d FieldDifference) isLabel() bool {
	if !strings.HasSuffix(d.Field, unitField) {
		return d.Field == "description"
	}
	return strings.HasPrefix(d.Field, "entity.") || Unit(d.Live).form() == Unit(d.File).form()
}

// unitField ends the name of a field that is a measure's unit.
const unitField = ".unit"

type comparing struct{ differences []FieldDifference }

func (c *comparing) field(name, live, file string) {
	if live != file {
		c.differences = append(c.differences, FieldDifference{Field: name, Live: live, File: file})
	}
}

// columns compares columns by name, and then the order of those that both sides have.
func (c *comparing) columns(group string, live, file []Column) {
	find := func(columns []Column, name string) string {
		i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return ""
		}
		return columns[i].SQL.canonical()
	}
	for _, column := range file {
		c.field(group+"."+column.Name, find(live, column.Name), column.SQL.canonical())
	}
	for _, column := range live {
		if find(file, column.Name) == "" {
			c.field(group+"."+column.Name, column.SQL.canonical(), "")
		}
	}
	c.field(group, sharedNames(live, file), sharedNames(file, live))
}

// measures compares columns and their units.
func (c *comparing) measures(group string, live, file []Column) {
	c.columns(group, live, file)
	for _, a := range live {
		for _, b := range file {
			if a.Name == b.Name {
				c.field(group+"."+a.Name+unitField, string(a.Unit), string(b.Unit))
			}
		}
	}
}

// sharedNames are the names of columns that the others have too, in their order.
func sharedNames(columns, others []Column) string {
	var names []string
	for _, c := range columns {
		if slices.ContainsFunc(others, func(o Column) bool { return o.Name == c.Name }) {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

func rollupText(rollups []Rollup) string {
	texts := make([]string, len(rollups))
	for i, r := range rollups {
		texts[i] = "[" + strings.Join(r, ", ") + "]"
	}
	return strings.Join(texts, ", ")
}
