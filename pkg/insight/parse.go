package insight

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of a definition.
const (
	MaxFileBytes = 64 << 10
	MaxColumns   = 64 // keys, and measures, of a stage
	MaxSQLBytes  = 4 << 10
	MaxRollups   = 16
	MaxExamples  = 100
)

// Problem is a fault of a definition, with its place.
type Problem struct {
	File    string
	Line    int    // 0: the whole file
	Field   string // such as measures.revenue; empty: the whole line
	Message string // what is wrong, and what to do
}

// Error implements error.
func (p *Problem) Error() string {
	place := p.File
	if p.Line > 0 {
		place += ":" + strconv.Itoa(p.Line)
	}
	if p.Field != "" {
		place += ": " + p.Field
	}
	return place + ": " + p.Message
}

// Problems are the faults in an error of this package, in the order of the file. other is what is no fault of the
// definition, such as a ClickHouse that is not there.
func Problems(err error) (found []*Problem, other error) {
	var one *Problem
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range many.Unwrap() {
			more, another := Problems(err)
			found, other = append(found, more...), errors.Join(other, another)
		}
	} else if errors.As(err, &one) {
		found = append(found, one)
	} else {
		other = err
	}
	slices.SortStableFunc(found, func(a, b *Problem) int { return a.Line - b.Line })
	return found, other
}

// Read reads a file with a definition.
func Read(path string) (*Definition, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a definition: %w", err)
	}
	return Parse(path, text)
}

// Parse reads a definition. The error has all problems that were found. SQL is not looked at: Validate does that.
func Parse(file string, text []byte) (*Definition, error) {
	p := &parser{d: &Definition{File: file, Zone: "UTC"}}
	if len(text) > MaxFileBytes {
		p.fault(nil, "", "the file has %d bytes, at most %d are allowed", len(text), MaxFileBytes)
		return nil, p.err()
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		p.faultOfYAML(err)
		return nil, p.err()
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		p.fault(nil, "", "a definition is a map with name, source, keys and measures")
		return nil, p.err()
	}
	p.definition(doc.Content[0])
	return p.d, p.err()
}

type parser struct {
	d      *Definition
	faults []error
}

func (p *parser) err() error { return errors.Join(p.faults...) }

func (p *parser) fault(at *yaml.Node, field, format string, args ...any) {
	problem := &Problem{File: p.d.File, Field: field, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		problem.Line = at.Line
	}
	p.faults = append(p.faults, problem)
}

var lineOfYAML = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

func (p *parser) faultOfYAML(err error) {
	problem := &Problem{File: p.d.File, Message: "no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := lineOfYAML.FindStringSubmatch(err.Error()); m != nil {
		problem.Line, _ = strconv.Atoi(m[1])
		problem.Message = "no YAML: " + m[2]
	}
	p.faults = append(p.faults, problem)
}

// members calls the reader of each member of a map. A member that has no reader is a fault.
func (p *parser) members(n *yaml.Node, field string, readers map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fault(n, field, "this is no map; its members are %s", strings.Join(slices.Sorted(maps.Keys(readers)), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := key.Value
		if field != "" {
			path = field + "." + key.Value
		}
		switch read := readers[key.Value]; {
		case read == nil:
			p.fault(key, path, "there is no such member; there are %s", strings.Join(slices.Sorted(maps.Keys(readers)), ", "))
		case seen[key.Value]:
			p.fault(key, path, "it is there twice")
		default:
			read(value)
		}
		seen[key.Value] = true
	}
}

func (p *parser) definition(n *yaml.Node) {
	d := p.d
	var source, timeColumn *yaml.Node
	var entity, overall, with, rollups *yaml.Node
	p.members(n, "", map[string]func(*yaml.Node){
		"name":        func(n *yaml.Node) { d.Name = p.name(n, "name") },
		"description": func(n *yaml.Node) { d.Description = p.text(n, "description") },
		"source":      func(n *yaml.Node) { source = n },
		"time":        func(n *yaml.Node) { timeColumn = n },
		"zone":        func(n *yaml.Node) { d.Zone = p.zone(n) },
		"where":       func(n *yaml.Node) { d.Where = p.expression(n, "where") },
		"entity":      func(n *yaml.Node) { entity = n },
		"overall":     func(n *yaml.Node) { overall, d.Overall = n, p.columns(n, "overall") },
		"with":        func(n *yaml.Node) { with, d.With = n, p.columns(n, "with") },
		"keys":        func(n *yaml.Node) { d.Keys = p.columns(n, "keys") },
		"measures":    func(n *yaml.Node) { d.Measures = p.columns(n, "measures") },
		"rollups":     func(n *yaml.Node) { rollups = n },
		"examples":    func(n *yaml.Node) { d.Examples = p.examples(n) },
	})
	p.needs(n, "name", d.Name != "")
	p.needs(n, "description", d.Description != "")
	p.needs(n, "source", source != nil)
	p.needs(n, "measures", len(d.Measures) > 0)
	if source != nil {
		p.source(source, timeColumn)
	}
	if entity != nil {
		d.Entity = &Stage{}
		p.members(entity, "entity", map[string]func(*yaml.Node){
			"keys":     func(n *yaml.Node) { d.Entity.Keys = p.columns(n, "entity.keys") },
			"measures": func(n *yaml.Node) { d.Entity.Measures = p.columns(n, "entity.measures") },
		})
		if len(d.Entity.Keys) == 0 {
			p.fault(entity, "entity.keys", "an entity needs keys, such as customer_id: customer_id")
		}
		p.distinct(&Stage{Keys: d.Entity.Keys, Measures: slices.Concat(d.Entity.Measures, d.Overall, d.With)})
	} else {
		p.needEntity(overall, "overall")
		p.needEntity(with, "with")
	}
	p.distinct(&d.Stage)
	p.parameters()
	p.currency(n)
	if rollups != nil {
		p.rollups(rollups)
	}
}

// needEntity checks that a member which is about entities is not there.
func (p *parser) needEntity(n *yaml.Node, member string) {
	if n != nil {
		p.fault(n, member, "it needs an entity, whose keys and measures it is about")
	}
}

// needs checks that a member is there, unless it has a fault already.
func (p *parser) needs(n *yaml.Node, member string, there bool) {
	found, _ := Problems(p.err())
	faulty := slices.ContainsFunc(found, func(f *Problem) bool { return f.Field == member })
	if !there && !faulty {
		p.fault(n, member, "it is missing")
	}
}

// source looks up the source, and its column of time.
func (p *parser) source(n, timeColumn *yaml.Node) {
	sources, err := Sources()
	if err != nil {
		p.fault(n, "source", "%v", err)
		return
	}
	name := p.text(n, "source")
	var names []string
	for _, s := range sources {
		names = append(names, s.Table)
		if s.Table == name {
			p.d.Source, p.d.Time = s, s.Time
		}
	}
	if p.d.Source.Table == "" {
		p.fault(n, "source", "there is no source %q; there are %s", name, strings.Join(names, ", "))
		return
	}
	if timeColumn == nil {
		return
	}
	p.d.Time = p.text(timeColumn, "time")
	if c := p.d.Source.column(p.d.Time); c == nil || !strings.HasPrefix(c.Type, "DateTime") {
		p.fault(timeColumn, "time", "%q is no column of %s that has times; docs/tables.md lists them", p.d.Time, name)
	}
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func (p *parser) name(n *yaml.Node, field string) string {
	if n.Kind != yaml.ScalarNode || !namePattern.MatchString(n.Value) {
		p.fault(n, field, "%q is no name: use lower-case letters, digits and _, at most 63, a letter first", n.Value)
	}
	return n.Value
}

func (p *parser) text(n *yaml.Node, field string) string {
	if n.Kind != yaml.ScalarNode {
		p.fault(n, field, "this is no text")
	}
	return strings.TrimSpace(n.Value)
}

func (p *parser) zone(n *yaml.Node) string {
	zone := p.text(n, "zone")
	if _, err := LoadZone(zone); err != nil {
		p.fault(n, "zone", "%q is no time zone of the IANA database, such as Europe/London", zone)
	}
	return zone
}

func (p *parser) expression(n *yaml.Node, field string) Expression {
	e := Expression{SQL: p.text(n, field), Field: field, Line: n.Line}
	tokens, err := lex(e.SQL)
	switch {
	case e.SQL == "":
		p.fault(n, field, "the SQL is missing")
	case len(e.SQL) > MaxSQLBytes:
		p.fault(n, field, "the SQL has %d bytes, at most %d are allowed", len(e.SQL), MaxSQLBytes)
	case err != nil:
		p.fault(n, field, "%v", err)
	default:
		e.SQL = withoutComments(tokens)
	}
	return e
}

// columns reads keys or measures. Each is a name with its SQL; a measure may be a map with sql and unit.
func (p *parser) columns(n *yaml.Node, field string) (columns []Column) {
	if n.Kind != yaml.MappingNode {
		p.fault(n, field, "this is no map of names with their SQL")
		return nil
	}
	if len(n.Content)/2 > MaxColumns {
		p.fault(n, field, "there are %d, at most %d are allowed", len(n.Content)/2, MaxColumns)
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := field + "." + key.Value
		c := Column{Name: p.name(key, path)}
		isMeasure := strings.HasSuffix(field, "measures")
		if isMeasure {
			c.Unit = Count
		}
		if value.Kind == yaml.MappingNode && isMeasure {
			p.members(value, path, map[string]func(*yaml.Node){
				"sql":  func(n *yaml.Node) { c.SQL = p.expression(n, path) },
				"unit": func(n *yaml.Node) { c.Unit = p.unit(n, path+".unit") },
			})
			if c.SQL.SQL == "" {
				p.fault(value, path, "sql is missing")
			}
		} else {
			c.SQL = p.expression(value, path)
		}
		columns = append(columns, c)
	}
	return columns
}

func (p *parser) unit(n *yaml.Node, field string) Unit {
	unit := Unit(p.text(n, field))
	if !slices.Contains(units, unit) {
		p.fault(n, field, "%q is no unit; there are %v", unit, units)
	}
	return unit
}

// distinct checks that each name of a stage is there once.
func (p *parser) distinct(s *Stage) {
	seen := map[string]bool{}
	for _, c := range slices.Concat(s.Keys, s.Measures) {
		if seen[c.Name] {
			p.faults = append(p.faults, &Problem{
				File: p.d.File, Line: c.SQL.Line, Field: c.SQL.Field,
				Message: fmt.Sprintf("the name %s is there twice: rename the key or the measure", c.Name),
			})
		}
		seen[c.Name] = true
	}
}

// currencyKey is the key that money is in.
const currencyKey = "currency"

// HasMoney reports whether a measure is money. Its currency is a key of each answer then.
func (d *Definition) HasMoney() bool {
	return slices.ContainsFunc(d.Measures, func(c Column) bool { return c.Unit == Money })
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// currency checks that money comes with its currency: amounts of different currencies must not be added up.
func (p *parser) currency(n *yaml.Node) {
	money := slices.IndexFunc(p.d.Measures, func(c Column) bool { return c.Unit == Money })
	if money >= 0 && !slices.Contains(columnNames(p.d.Keys), currencyKey) {
		p.fault(n, p.d.Measures[money].SQL.Field, "money needs a key named currency, such as currency: currency, "+
			"so that amounts of different currencies are not added up")
	}
}

// parameters checks that no key has the name of a parameter: a question chooses rows by ?key=value.
func (p *parser) parameters() {
	for _, key := range p.d.Keys {
		if slices.Contains(Parameters, key.Name) {
			p.faults = append(p.faults, &Problem{
				File: p.d.File, Line: key.SQL.Line, Field: key.SQL.Field,
				Message: fmt.Sprintf("a key cannot be named %s, which is a parameter of questions: rename it", key.Name),
			})
		}
	}
}

// rollups reads the sets of keys that are kept.
func (p *parser) rollups(n *yaml.Node) {
	d := p.d
	switch {
	case d.Entity != nil:
		p.fault(n, "rollups", "an insight with an entity has none: its entities are kept, and serve all keys")
		return
	case n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(n.Content) > MaxRollups:
		p.fault(n, "rollups", "this is no list of 1 to %d lists of keys, such as [[month, country], [day]]", MaxRollups)
		return
	}
	for i, item := range n.Content {
		field := fmt.Sprintf("rollups[%d]", i)
		rollup, ok := p.rollup(item, field)
		switch same := func(r Rollup) bool { return slices.Equal(r, rollup) }; {
		case !ok:
		case slices.ContainsFunc(d.Rollups, same):
			p.fault(item, field, "these keys are there twice")
		case d.HasMoney() && !slices.Contains(rollup, currencyKey):
			p.fault(item, field, "the key currency is missing: the insight measures money, and amounts of different "+
				"currencies are not added up")
		default:
			d.Rollups = append(d.Rollups, rollup)
		}
	}
	for i, key := range d.Keys {
		for _, other := range d.Keys[:i] {
			if key.SQL.canonical() == other.SQL.canonical() {
				p.fault(n, "rollups", "the keys %s and %s have the same SQL: leave one out", other.Name, key.Name)
			}
		}
	}
}

// rollup reads the keys of one rollup, and puts them in the order of the definition.
func (p *parser) rollup(n *yaml.Node, field string) (rollup Rollup, ok bool) {
	if n.Kind != yaml.SequenceNode {
		p.fault(n, field, "this is no list of keys, such as [month, country]")
		return nil, false
	}
	names := map[string]bool{}
	for _, item := range n.Content {
		name := p.text(item, field)
		switch {
		case !slices.ContainsFunc(p.d.Keys, func(c Column) bool { return c.Name == name }):
			p.fault(item, field, "there is no key %q; there are %s", name, strings.Join(columnNames(p.d.Keys), ", "))
			return nil, false
		case names[name]:
			p.fault(item, field, "the key %s is there twice", name)
			return nil, false
		}
		names[name] = true
	}
	for _, key := range p.d.Keys {
		if names[key.Name] {
			rollup = append(rollup, key.Name)
		}
	}
	return rollup, true
}

func (p *parser) examples(n *yaml.Node) (examples []Example) {
	if n.Kind != yaml.SequenceNode || len(n.Content) > MaxExamples {
		p.fault(n, "examples", "this is no list of at most %d examples with rows and want", MaxExamples)
		return nil
	}
	for i, item := range n.Content {
		e := Example{Line: item.Line}
		field := fmt.Sprintf("examples[%d]", i)
		p.members(item, field, map[string]func(*yaml.Node){
			"rows": func(n *yaml.Node) { e.Rows = p.rows(n, field+".rows") },
			"want": func(n *yaml.Node) { e.Want = p.rows(n, field+".want") },
		})
		examples = append(examples, e)
	}
	return examples
}

func (p *parser) rows(n *yaml.Node, field string) (rows []map[string]string) {
	if n.Kind != yaml.SequenceNode {
		p.fault(n, field, "this is no list of rows")
		return nil
	}
	for _, item := range n.Content {
		row := map[string]string{}
		if item.Kind != yaml.MappingNode {
			p.fault(item, field, "this is no row: write {column: value, …}")
			continue
		}
		for i := 0; i < len(item.Content); i += 2 {
			row[item.Content[i].Value] = p.text(item.Content[i+1], field+"."+item.Content[i].Value)
		}
		rows = append(rows, row)
	}
	return rows
}
