package insight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// Validate checks a definition's SQL with ClickHouse, and runs its examples. It reads no table, so any ClickHouse will
// do. The error has all problems that were found.
func (d *Definition) Validate(ctx context.Context, conn *clickhouse.Conn) error {
	if err := d.checkView(); err != nil {
		return err
	}
	if err := d.checkSQL(ctx, conn); err != nil {
		return err
	}
	if err := d.describe(ctx, conn); err != nil {
		return err
	}
	if err := d.checkSums(ctx, conn); err != nil {
		return err
	}
	var faults []error
	for i := range d.Examples {
		faults = append(faults, d.runExample(ctx, conn, i))
	}
	return errors.Join(faults...)
}

// checkSQL checks every expression by itself.
func (d *Definition) checkSQL(ctx context.Context, conn *clickhouse.Conn) error {
	columns := []string{"time"}
	for _, c := range d.Source.Columns {
		columns = append(columns, c.Name)
	}
	rows := scope{names: columns, what: "the source " + d.Source.Table}
	var faults []error
	if d.Where.SQL != "" {
		faults = append(faults, d.check(ctx, conn, d.Where, rows))
	}
	stages := []*Stage{&d.Stage}
	if d.Entity != nil {
		stages = []*Stage{d.Entity, &d.Stage}
	}
	for _, stage := range stages {
		for _, key := range stage.Keys {
			faults = append(faults, d.check(ctx, conn, key.SQL, rows))
		}
		measured := rows
		measured.aggregates = true
		for _, measure := range stage.Measures {
			faults = append(faults, d.check(ctx, conn, measure.SQL, measured))
		}
		rows = scope{what: "the entity"}
		for _, c := range slices.Concat(stage.Keys, stage.Measures) {
			rows.names = append(rows.names, c.Name)
		}
		if stage == d.Entity {
			overall := rows
			overall.aggregates = true
			for _, measure := range d.Overall {
				faults = append(faults, d.check(ctx, conn, measure.SQL, overall))
				rows.names = append(rows.names, measure.Name)
			}
			for _, c := range d.With {
				faults = append(faults, d.check(ctx, conn, c.SQL, rows))
				rows.names = append(rows.names, c.Name)
			}
		}
	}
	return errors.Join(faults...)
}

// describe lets ClickHouse check the types, and holds those of measures to their units. An error is put where it
// belongs: where the whole is wrong, each column is looked at by itself.
func (d *Definition) describe(ctx context.Context, conn *clickhouse.Conn) error {
	types, whole := d.types(ctx, conn)
	if whole == nil {
		return d.checkUnits(types)
	}
	one := Column{Name: "_rows", SQL: Expression{SQL: "count()"}}
	try := func(e Expression, part Definition) error {
		if _, err := part.types(ctx, conn); err != nil {
			return d.sqlProblem(e, err)
		}
		return nil
	}
	alone := *d
	alone.Entity = nil
	alone.Stage = Stage{Measures: []Column{one}}
	faults := []error{try(d.Where, alone)}
	columnByColumn := func(stage *Stage, within Definition) {
		for _, key := range stage.Keys {
			within.Stage = Stage{Keys: []Column{key}, Measures: []Column{one}}
			faults = append(faults, try(key.SQL, within))
		}
		for _, measure := range stage.Measures {
			within.Stage = Stage{Measures: []Column{one, measure}}
			faults = append(faults, try(measure.SQL, within))
		}
	}
	if d.Entity != nil {
		columnByColumn(d.Entity, alone)
		if errors.Join(faults...) == nil {
			within := *d
			within.Overall, within.With = nil, nil
			columnByColumn(&Stage{Measures: d.Overall}, within)
		}
		for i := 0; i < len(d.With) && errors.Join(faults...) == nil; i++ {
			within := *d
			within.With = d.With[:i]
			columnByColumn(&Stage{Keys: d.With[i : i+1]}, within)
		}
		if errors.Join(faults...) == nil {
			columnByColumn(&d.Stage, *d)
		}
	} else {
		columnByColumn(&d.Stage, alone)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return d.sqlProblem(Expression{}, whole)
}

// types are ClickHouse's types of the answer's columns, by name.
func (d *Definition) types(ctx context.Context, conn *clickhouse.Conn) (map[string]string, error) {
	columns, err := conn.Describe(ctx, d.query(d.Source.rowsOf(nil)), planSettings)
	types := map[string]string{}
	for _, c := range columns {
		types[c.Name] = c.Type
	}
	return types, err
}

var (
	wholeNumber = regexp.MustCompile(`^(?:LowCardinality\(|Nullable\()*U?Int\d+\)*$`)
	anyNumber   = regexp.MustCompile(`^(?:LowCardinality\(|Nullable\()*(?:U?Int\d+|Float\d+)\)*$`)
)

// checkUnits checks that each measure is what its unit says: an answer has numbers as they are.
func (d *Definition) checkUnits(types map[string]string) error {
	var faults []error
	for _, c := range d.Measures {
		typ, problem := types[c.Name], ""
		switch {
		case c.Unit == Count && !wholeNumber.MatchString(typ):
			problem = "a count is a whole number, and this is %s: set the unit to ratio, duration or text"
		case c.Unit == Money && !wholeNumber.MatchString(typ):
			problem = "money is a whole number of millionths, and this is %s: use sums of amounts, not an average or a share"
		case (c.Unit == Ratio || c.Unit == Duration) && !anyNumber.MatchString(typ):
			problem = "a " + string(c.Unit) + " is a number, and this is %s: use toFloat64, or the unit text"
		}
		if problem != "" {
			faults = append(faults, d.problem(c.SQL, fmt.Sprintf(problem, typ)))
		}
	}
	return errors.Join(faults...)
}

// sumOfFractions is the type of a state that adds up fractions, or of such a sum.
var sumOfFractions = regexp.MustCompile(`^(?:AggregateFunction\((sum|avg)[A-Za-z]*, )?(?:Nullable\()?Float`)

// checkSums refuses sums of fractions. Their last digits depend on the order in which they are added up, so the answer
// would depend on the parts in which it was computed.
func (d *Definition) checkSums(ctx context.Context, conn *clickhouse.Conn) error {
	v, err := NewVersion(d, "")
	if err != nil {
		return err
	}
	columns, err := conn.Describe(ctx, v.rows(d.Source.rowsOf(nil)), planSettings)
	if err != nil {
		return d.sqlProblem(Expression{Field: "rollups"}, err)
	}
	var faults []error
	for n := range v.states {
		i := slices.IndexFunc(columns, func(c clickhouse.TableColumn) bool { return c.Name == stateColumn(n) })
		sum := sumOfFractions.FindStringSubmatch(columns[i].Type)
		if sum == nil {
			continue
		}
		for i, measure := range v.merged {
			if strings.Contains(measure.SQL.SQL, "("+stateColumn(n)+")") {
				faults = append(faults, d.problem(v.first.Measures[i].SQL, cmp.Or(sum[1], "sum")+" of fractions depends on the "+
					"order in which rows are added up: add up whole numbers or decimals, such as toDecimal128(quantity / 3, 6)"))
			}
		}
	}
	return errors.Join(faults...)
}

// runExample computes an example, and compares its rows.
func (d *Definition) runExample(ctx context.Context, conn *clickhouse.Conn, i int) error {
	example := d.Examples[i]
	field := fmt.Sprintf("examples[%d]", i)
	problem := func(format string, args ...any) error {
		return &Problem{File: d.File, Line: example.Line, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	for _, row := range example.Rows {
		for _, name := range slices.Sorted(maps.Keys(row)) {
			if d.Source.column(name) == nil {
				return problem("the source %s has no column %s", d.Source.Table, name)
			}
		}
	}
	got, err := d.read(ctx, conn, d.query(d.Source.rowsOf(example.Rows)), nil, paging{}, 0)
	if err != nil {
		return d.sqlProblem(Expression{Field: field, Line: example.Line}, err)
	}
	if !sameRows(got.Rows, example.Want) {
		return problem("the answer is\n%s\nand should be\n%s", textOf(got.Rows), textOf(example.Want))
	}
	for _, keys := range d.Rollups {
		narrow := *d
		narrow.Keys = pick(d.Keys, keys.columns())
		whole, err := narrow.read(ctx, conn, narrow.query(d.Source.rowsOf(example.Rows)), nil, paging{}, 0)
		if err != nil {
			return d.sqlProblem(Expression{Field: field, Line: example.Line}, err)
		}
		if err := d.compareParts(ctx, conn, example, narrow.Keys, whole, problem); err != nil {
			return err
		}
	}
	if len(d.Rollups) > 0 {
		return nil
	}
	return d.compareParts(ctx, conn, example, d.Keys, got, problem)
}

// compareParts compares an answer with that of a table which has each row in a segment of its own.
func (d *Definition) compareParts(
	ctx context.Context, conn *clickhouse.Conn, example Example, keys []Column, whole *Answer,
	problem func(string, ...any) error,
) error {
	parts, err := d.inParts(ctx, conn, example.Rows, keys)
	switch {
	case err != nil:
		return d.sqlProblem(Expression{Line: example.Line}, err)
	case !sameRows(parts.Rows, whole.Rows):
		return problem("the answer is another one when each row is a part of its own:\n%s", textOf(parts.Rows))
	}
	return nil
}

// inParts answers the question about rows as a table of a version does that has each row in a segment of its own.
func (d *Definition) inParts(
	ctx context.Context, conn *clickhouse.Conn, rows []map[string]string, keys []Column,
) (*Answer, error) {
	v, err := NewVersion(d, "")
	if err != nil {
		return nil, err
	}
	v.segmentOffsets = 1
	placed := make([]map[string]string, len(rows))
	for i, row := range rows {
		placed[i] = maps.Clone(row)
		placed[i]["offset"] = strconv.Itoa(i)
	}
	parts := "(" + v.rows(d.Source.rowsOf(placed)) + ")"
	narrow := *d
	narrow.Keys = keys
	if d.Entity != nil {
		entities := v.first.merged(v.merged, v.first.Keys).query(parts)
		return narrow.read(ctx, conn, narrow.secondStage("("+entities+")"), nil, paging{}, 0)
	}
	r := v.rollups[slices.IndexFunc(v.rollups, func(r rollup) bool { return slices.Equal(r.keys, columnNames(keys)) })]
	parts = fmt.Sprintf("(SELECT * FROM %s WHERE _rollup = %d)", parts, r.missing)
	return narrow.read(ctx, conn, v.first.merged(v.merged, keys).query(parts), nil, paging{}, 0)
}

func sameRows(a, b []map[string]string) bool {
	return len(rowsLacking(a, b))+len(rowsLacking(b, a)) == 0
}

// rowsLacking are the rows that want has more often than have.
func rowsLacking(have, want []map[string]string) (lacking []map[string]string) {
	have = slices.Clone(have)
	for _, row := range want {
		if i := slices.IndexFunc(have, func(h map[string]string) bool { return maps.Equal(h, row) }); i >= 0 {
			have = slices.Delete(have, i, i+1)
		} else {
			lacking = append(lacking, row)
		}
	}
	return lacking
}

func textOf(rows []map[string]string) string {
	lines := make([]string, len(rows))
	for i, row := range rows {
		var members []string
		for _, name := range slices.Sorted(maps.Keys(row)) {
			members = append(members, name+": "+row[name])
		}
		lines[i] = "  {" + strings.Join(members, ", ") + "}"
	}
	slices.Sort(lines)
	if len(lines) == 0 {
		return "  nothing"
	}
	return strings.Join(lines, "\n")
}
