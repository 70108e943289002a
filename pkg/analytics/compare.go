package analytics

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

const (
	// examplesPerTable is how many rows that differ are named of each table.
	examplesPerTable = 3
	// offsetsPerSearch bounds the memory of a search for differing rows: it compares those of so many offsets.
	offsetsPerSearch = 100_000
	// valueRunes is how much of a value is shown.
	valueRunes = 60
)

// Comparison says how two mirrors differ, up to one position of the log that both have reached.
type Comparison struct {
	Position eventlog.Position `json:"-"`
	// Skipped is why nothing was compared; empty: it was.
	Skipped string            `json:"skipped,omitempty"`
	Tables  []TableComparison `json:"tables,omitempty"`
}

// TableComparison says how a table of the mirror in use differs from that of the shadow. Columns that both have, with
// the same type, are compared.
type TableComparison struct {
	Table string `json:"table"`
	// Rows are those of the mirror in use, ShadowRows those of the shadow.
	Rows       uint64 `json:"rows"`
	ShadowRows uint64 `json:"shadow_rows"`
	// Missing are columns that are not compared, because one of the two has them alone or with another type.
	Missing []string `json:"not_compared,omitempty"`
	// Partitions are those of the log whose rows differ, such as orders.events/3.
	Partitions []string `json:"differing_partitions,omitempty"`
	// Examples name rows that differ, and how.
	Examples []string `json:"examples,omitempty"`
}

// Differences is how many tables differ.
func (c *Comparison) Differences() (n int) {
	for _, table := range c.Tables {
		if len(table.Partitions) > 0 {
			n++
		}
	}
	return n
}

// compare compares the mirror in use with the shadow.
func (r *rebuild) compare(ctx context.Context) (Comparison, error) {
	if r.used.unusable != "" {
		return Comparison{Skipped: r.used.unusable}, nil
	}
	now, err := loadProgress(ctx, r.used.conn)
	if err != nil {
		return Comparison{}, err
	}
	both := eventlog.Offsets{}
	for tp, end := range r.shadow.mirror.reached() {
		both[tp] = min(end, now.next[tp])
	}
	c := Comparison{Position: eventlog.PositionOf(both)}
	if c.Position.IsZero() {
		return Comparison{Skipped: "the mirror in use is empty"}, nil
	}
	used, err := r.used.conn.Tables(ctx)
	if err != nil {
		return c, err
	}
	m, err := Migrations()
	if err != nil {
		return c, err
	}
	for _, table := range m.Tables() {
		columns, exists := used[table.Name]
		if table.Name == tableProgress || table.Name == tableRepairs || !exists {
			continue
		}
		pair := newTablePair(r.used.conn, r.shadow.conn, table, columns)
		compared, err := pair.compare(ctx, both)
		if err != nil {
			return c, fmt.Errorf("compare the table %s: %w", table.Name, err)
		}
		c.Tables = append(c.Tables, compared)
	}
	return c, nil
}

// tablePair is a table of the mirror in use and the one of the shadow.
type tablePair struct {
	used, shadow *clickhouse.Conn
	name         string
	columns      []string // those that are compared
	missing      []string
	hash         string // an expression for the hash of a row
	key          []string
}

func newTablePair(used, shadow *clickhouse.Conn, table clickhouse.Table, have []clickhouse.TableColumn) *tablePair {
	p := &tablePair{used: used, shadow: shadow, name: table.Name, key: []string{"offset"}}
	for _, col := range table.Columns {
		same := slices.ContainsFunc(have, func(h clickhouse.TableColumn) bool {
			return h.Name == col.Name && h.Type == col.Type
		})
		if !same {
			p.missing = append(p.missing, col.Name)
			continue
		}
		p.columns = append(p.columns, col.Name)
		if col.Name == "line" {
			p.key = append(p.key, "line")
		}
	}
	for _, col := range have {
		ours := slices.ContainsFunc(table.Columns, func(c clickhouse.TableColumn) bool { return c.Name == col.Name })
		if !ours {
			p.missing = append(p.missing, col.Name)
		}
	}
	p.hash = "cityHash64(" + strings.Join(p.columns, ", ") + ")"
	return p
}

// partitionSum is the number of rows of a partition, and the sum of their hashes.
type partitionSum struct{ rows, hash uint64 }

func (p *tablePair) compare(ctx context.Context, below eventlog.Offsets) (TableComparison, error) {
	c := TableComparison{Table: p.name, Missing: p.missing}
	used, err := p.sums(ctx, p.used, below)
	if err != nil {
		return c, err
	}
	shadow, err := p.sums(ctx, p.shadow, below)
	if err != nil {
		return c, err
	}
	for _, tp := range below.Partitions() {
		c.Rows += used[tp].rows
		c.ShadowRows += shadow[tp].rows
		if used[tp] == shadow[tp] {
			continue
		}
		c.Partitions = append(c.Partitions, fmt.Sprintf("%s/%d", tp.Topic, tp.Partition))
		if len(c.Examples) < examplesPerTable {
			examples, err := p.examples(ctx, tp, below[tp], examplesPerTable-len(c.Examples))
			if err != nil {
				return c, err
			}
			c.Examples = append(c.Examples, examples...)
		}
	}
	return c, nil
}

// sums are the sums of each partition, up to the offsets.
func (p *tablePair) sums(
	ctx context.Context, conn *clickhouse.Conn, below eventlog.Offsets,
) (map[eventlog.TopicPartition]partitionSum, error) {
	bounds := []string{"false"}
	for tp, end := range below {
		bounds = append(bounds, fmt.Sprintf("(%s AND offset < %d)", ofPartition(tp), end))
	}
	slices.Sort(bounds)
	query := fmt.Sprintf("SELECT toString(topic), partition, count(), sum(%s) FROM %s FINAL WHERE %s "+
		"GROUP BY topic, partition", p.hash, conn.Qualified(p.name), strings.Join(bounds, " OR "))
	sums := map[eventlog.TopicPartition]partitionSum{}
	err := conn.Each(ctx, query, readSettings, nil, func(rows clickhouse.Rows) error {
		var tp eventlog.TopicPartition
		var sum partitionSum
		err := rows.Scan(&tp.Topic, &tp.Partition, &sum.rows, &sum.hash)
		sums[tp] = sum
		return err
	})
	return sums, err
}

func ofPartition(tp eventlog.TopicPartition) string {
	return fmt.Sprintf("topic = %s AND partition = %d", clickhouse.Literals(tp.Topic), tp.Partition)
}

// differing is a query for the first groups of rows whose hashes differ between the two tables. The rows are grouped by
// expressions, which have names.
func (p *tablePair) differing(expressions, names, where string, limit int) string {
	side := func(conn *clickhouse.Conn, sign string) string {
		return fmt.Sprintf("SELECT %s, %stoInt64(count()) AS row_count, %sreinterpretAsInt64(sum(%s)) AS row_hash "+
			"FROM %s FINAL WHERE %s GROUP BY %s", expressions, sign, sign, p.hash, conn.Qualified(p.name), where, names)
	}
	return fmt.Sprintf("SELECT %s FROM (%s UNION ALL %s) GROUP BY %s HAVING sum(row_count) != 0 OR sum(row_hash) != 0 "+
		"ORDER BY %s LIMIT %d", names, side(p.used, ""), side(p.shadow, "-"), names, names, limit)
}

// examples names the first rows of a partition that differ. It looks for them in two steps, so that neither needs the
// memory for the whole partition.
func (p *tablePair) examples(ctx context.Context, tp eventlog.TopicPartition, end int64, limit int) ([]string, error) {
	where := fmt.Sprintf("%s AND offset < %d", ofPartition(tp), end)
	var found []int64
	search := fmt.Sprintf("intDiv(offset, %d)", offsetsPerSearch)
	err := p.used.Each(ctx, p.differing(search+" AS part", "part", where, 1), readSettings, nil,
		func(rows clickhouse.Rows) error {
			var part int64
			err := rows.Scan(&part)
			found = append(found, part)
			return err
		})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	where += fmt.Sprintf(" AND %s = %d", search, found[0])
	var keys [][]any
	key := strings.Join(p.key, ", ")
	err = p.used.Each(ctx, p.differing(key, key, where, limit), readSettings, nil,
		func(rows clickhouse.Rows) error {
			offset, line := new(int64), new(uint32)
			key := []any{offset, line}[:len(p.key)]
			keys = append(keys, key)
			return rows.Scan(key...)
		})
	if err != nil {
		return nil, err
	}
	var examples []string
	for _, key := range keys {
		example, err := p.example(ctx, tp, key)
		if err != nil {
			return nil, err
		}
		examples = append(examples, example)
	}
	return examples, nil
}

// example says how one row differs.
func (p *tablePair) example(ctx context.Context, tp eventlog.TopicPartition, key []any) (string, error) {
	name := fmt.Sprintf("%s/%d/%d", tp.Topic, tp.Partition, *key[0].(*int64))
	where := fmt.Sprintf("%s AND offset = %d", ofPartition(tp), *key[0].(*int64))
	if len(key) > 1 {
		line := *key[1].(*uint32)
		name += fmt.Sprintf(" line %d", line)
		where += fmt.Sprintf(" AND line = %d", line)
	}
	used, err := p.row(ctx, p.used, where)
	if err != nil {
		return "", err
	}
	shadow, err := p.row(ctx, p.shadow, where)
	if err != nil {
		return "", err
	}
	switch {
	case len(shadow) == 0:
		return name + ": only the mirror in use has this row", nil
	case len(used) == 0:
		return name + ": the mirror in use lacks this row", nil
	case len(used) != len(shadow):
		return fmt.Sprintf("%s: the mirror in use has this row %d times", name, len(used)), nil
	}
	var differing []string
	for i, column := range p.columns {
		if used[0][i] != shadow[0][i] {
			differing = append(differing, fmt.Sprintf("%s is %s and should be %s",
				column, shown(used[0][i]), shown(shadow[0][i])))
		}
	}
	return name + ": " + strings.Join(differing, "; "), nil
}

// row are the values of the rows, as text.
func (p *tablePair) row(ctx context.Context, conn *clickhouse.Conn, where string) (found [][]string, err error) {
	texts := make([]string, len(p.columns))
	for i, column := range p.columns {
		texts[i] = "toString(" + column + ")"
	}
	query := fmt.Sprintf("SELECT %s FROM %s FINAL WHERE %s", strings.Join(texts, ", "), conn.Qualified(p.name), where)
	err = conn.Each(ctx, query, readSettings, nil, func(rows clickhouse.Rows) error {
		values := make([]string, len(p.columns))
		targets := make([]any, len(values))
		for i := range values {
			targets[i] = &values[i]
		}
		found = append(found, values)
		return rows.Scan(targets...)
	})
	return found, err
}

// shown is a value as a message has it.
func shown(value string) string {
	if runes := []rune(value); len(runes) > valueRunes {
		value = string(runes[:valueRunes]) + "…"
	}
	return fmt.Sprintf("%q", value)
}
