package insight

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// MaxDifferences is how many differences a comparison names. It counts all.
const MaxDifferences = 20

// verifySettings are for comparisons, which go through whole tables: what does not fit into memory goes to the disk.
var verifySettings = clickhouse.Settings{
	"max_memory_usage": ComputeMemory, "max_bytes_before_external_group_by": ComputeMemory / 4,
	"max_bytes_before_external_sort": ComputeMemory / 4,
}

// Side is a version in a comparison, with how far its table is known to be filled.
type Side struct {
	*Version
	Filled eventlog.Offsets
}

// Comparison says what two versions say at the same offsets.
type Comparison struct {
	// Keys and Measures are the names of what was compared.
	Keys, Measures []string
	// Rows are the numbers of rows of both sides, and Sums the sums of the measures that are counts or money.
	Rows [2]int64
	Sums [2]map[string]string
	// Different is the number of keys that have other measures, or which one side lacks.
	Different int64
	Examples  []Difference
	// Periods are by month, if there is a key of months or days.
	Periods []Period
}

// Difference is a key with the measures of both sides; nil: that side lacks the key.
type Difference struct {
	Key   map[string]string
	Sides [2]map[string]string
}

// Period says how many keys of a month are different.
type Period struct {
	Month           string
	Rows, Different int64
}

// Compare compares what two versions say of the events below at. The mirror must have these. It returns nil when the
// versions have no keys and measures in common.
func Compare(ctx context.Context, conn *clickhouse.Conn, a, b Side, at eventlog.Offsets) (*Comparison, error) {
	keys, measures := common(a.Version, b.Version)
	if keys == nil {
		return nil, nil
	}
	c := &Comparison{Keys: keys, Measures: columnNames(measures), Sums: [2]map[string]string{{}, {}}}
	grouped := fmt.Sprintf(`SELECT k, anyIf(m, side = 0) AS a, anyIf(m, side = 1) AS b, countIf(side = 0) AS na,
    countIf(side = 1) AS nb, a != b OR na != nb AS different
FROM (SELECT 0 AS side, * FROM (%s) UNION ALL SELECT 1 AS side, * FROM (%s)) GROUP BY k`,
		a.texts(keys, measures, at), b.texts(keys, measures, at))
	if err := c.count(ctx, conn, grouped, measures); err != nil {
		return nil, err
	}
	return c, c.byMonth(ctx, conn, grouped)
}

// common are the keys of the largest rollup that both versions have, and the measures that both have.
func common(a, b *Version) (keys []string, measures []Column) {
	if (a.Entity == nil) != (b.Entity == nil) {
		return nil, nil
	}
	for _, m := range a.Measures {
		if slices.ContainsFunc(b.Measures, func(o Column) bool { return o.Name == m.Name && o.Unit == m.Unit }) {
			measures = append(measures, m)
		}
	}
	if len(measures) == 0 {
		return nil, nil
	}
	for _, ours := range a.keySets() {
		for _, theirs := range b.keySets() {
			if len(ours) > len(keys) && slices.Equal(slices.Sorted(slices.Values(ours)), slices.Sorted(slices.Values(theirs))) {
				keys = ours
			}
		}
	}
	return keys, measures
}

// keySets are the sets of keys that answers are kept by.
func (v *Version) keySets() (sets []Rollup) {
	if v.Entity != nil {
		return []Rollup{columnNames(v.Keys)}
	}
	for _, r := range v.rollups {
		sets = append(sets, r.keys)
	}
	return sets
}

// texts is a query for the whole answer by these keys: k has the keys as texts, m the measures.
func (s Side) texts(keys []string, measures []Column, at eventlog.Offsets) string {
	d := *s.Definition
	d.Keys, d.Measures = columnsNamed(s.Keys, keys), pick(s.Measures, measures)
	if s.Entity != nil {
		entities := s.first.merged(s.merged, s.first.Keys).query(s.kept(s.rollups[0], "", extent{at: at, filled: s.Filled}))
		return textArrays(d.secondStage("("+entities+")"), d.Keys, d.Measures)
	}
	kept := s.kept(s.rollupOf(keys), "", extent{at: at, filled: s.Filled})
	query := s.first.merged(pick(s.merged, measures), d.Keys).query(kept)
	return textArrays(query, d.Keys, d.Measures)
}

// rollupOf is the rollup that has exactly these keys.
func (v *Version) rollupOf(keys []string) rollup {
	want := slices.Sorted(slices.Values(keys))
	i := slices.IndexFunc(v.rollups, func(r rollup) bool {
		return slices.Equal(slices.Sorted(slices.Values([]string(r.keys))), want)
	})
	return v.rollups[i]
}

// columnsNamed are the columns with these names, in the order of the names.
func columnsNamed(columns []Column, names []string) []Column {
	named := make([]Column, len(names))
	for i, name := range names {
		named[i] = columns[slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })]
	}
	return named
}

// textArrays puts the keys and the measures of a query's rows into an array each, as texts.
func textArrays(query string, keys, measures []Column) string {
	texts := func(columns []Column) string {
		all := []string{}
		for _, c := range columns {
			all = append(all, "ifNull(toString("+c.Name+"), '')")
		}
		return "CAST([" + strings.Join(all, ", ") + "], 'Array(String)')"
	}
	return "SELECT " + texts(keys) + " AS k, " + texts(measures) + " AS m FROM (" + query + ")"
}

func (c *Comparison) count(ctx context.Context, conn *clickhouse.Conn, grouped string, measures []Column) error {
	columns := []string{
		"toInt64(sum(na))", "toInt64(sum(nb))", "toInt64(countIf(different))",
		fmt.Sprintf("toJSONString(groupArrayIf(%d)((k, if(na > 0, a, []), if(nb > 0, b, [])), different))", MaxDifferences),
	}
	var added []string
	for i, m := range measures {
		if m.Unit == Count || m.Unit == Money {
			added = append(added, m.Name)
			for _, side := range []string{"a", "b"} {
				columns = append(columns, fmt.Sprintf("toString(sum(toInt128OrZero(%s[%d])))", side, i+1))
			}
		}
	}
	var examples string
	sums := make([]string, 2*len(added))
	targets := []any{&c.Rows[0], &c.Rows[1], &c.Different, &examples}
	for i := range sums {
		targets = append(targets, &sums[i])
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM (" + grouped + ")"
	err := conn.Each(ctx, query, settingsOf(verifySettings), nil, func(rows clickhouse.Rows) error {
		return rows.Scan(targets...)
	})
	if err != nil {
		return fmt.Errorf("compare two versions: %w", err)
	}
	for i, name := range added {
		c.Sums[0][name], c.Sums[1][name] = sums[2*i], sums[2*i+1]
	}
	return c.setExamples(examples)
}

func (c *Comparison) setExamples(text string) error {
	var examples [][3][]string
	if err := json.Unmarshal([]byte(text), &examples); err != nil {
		return fmt.Errorf("the differences of two versions: %w", err)
	}
	for _, e := range examples {
		c.Examples = append(c.Examples, Difference{
			Key: named(c.Keys, e[0]), Sides: [2]map[string]string{named(c.Measures, e[1]), named(c.Measures, e[2])},
		})
	}
	return nil
}

// named are values by name; nil: there are none.
func named(names, values []string) map[string]string {
	if len(values) != len(names) {
		return nil
	}
	m := map[string]string{}
	for i, name := range names {
		m[name] = values[i]
	}
	return m
}

// byMonth counts the differences of each month.
func (c *Comparison) byMonth(ctx context.Context, conn *clickhouse.Conn, grouped string) error {
	i := slices.IndexFunc(c.Keys, func(name string) bool { return name == "month" || name == "day" })
	if i < 0 {
		return nil
	}
	query := fmt.Sprintf("SELECT substring(k[%d], 1, 7) AS month, toInt64(count()), toInt64(countIf(different)) "+
		"FROM (%s) GROUP BY month ORDER BY month", i+1, grouped)
	return conn.Each(ctx, query, settingsOf(verifySettings), nil, func(rows clickhouse.Rows) error {
		var p Period
		err := rows.Scan(&p.Month, &p.Rows, &p.Different)
		c.Periods = append(c.Periods, p)
		return err
	})
}

func settingsOf(more clickhouse.Settings) clickhouse.Settings {
	settings := maps.Clone(planSettings)
	maps.Copy(settings, more)
	return settings
}

// Sample is a part of what a version keeps: some keys of its first stage, with their measures.
type Sample struct {
	keys     []string
	measures []Column
	// rows are the measures by the keys, both as texts.
	rows map[string][]string
}

// Len is how many keys it has.
func (s *Sample) Len() int { return len(s.rows) }

// Sample draws about n keys of what the version keeps of the events below at. The seed chooses which.
func (s Side) Sample(
	ctx context.Context, conn *clickhouse.Conn, n int, seed uint64, at eventlog.Offsets,
) (*Sample, error) {
	r := s.rollups[0]
	for _, other := range s.rollups {
		if len(other.keys) > len(r.keys) {
			r = other
		}
	}
	sample := &Sample{keys: r.keys, measures: s.first.Measures}
	stage := s.first.merged(s.merged, columnsNamed(s.first.Keys, r.keys))
	query := textArrays(stage.query(s.kept(r, "", extent{at: at, filled: s.Filled})), stage.Keys, stage.Measures)
	query = fmt.Sprintf("SELECT toJSONString(k), toJSONString(m) FROM (%s) ORDER BY cityHash64(k, %d) LIMIT %d",
		query, seed, n)
	var err error
	sample.rows, err = readSample(ctx, conn, query)
	return sample, err
}

// CheckAgainst computes the keys of a sample by one plain query over a table of another database, which has the rows of
// the source below the offsets at which the sample was drawn, and perhaps later ones. It returns those that have other
// measures there, or none.
func (s Side) CheckAgainst(
	ctx context.Context, conn *clickhouse.Conn, sample *Sample, database string, at eventlog.Offsets,
) ([]Difference, error) {
	if sample.Len() == 0 {
		return nil, nil
	}
	stage := &Stage{Keys: columnsNamed(s.first.Keys, sample.keys), Measures: sample.measures}
	conditions := append([]string{s.Where.SQL}, multiplied(s.first.Keys...)...)
	source := "(SELECT * FROM " + s.Source.in(database) + " WHERE " + belowOffsets(at) + ")"
	query := stage.query(s.timed(source), conditions...)
	query = textArrays(query, stage.Keys, stage.Measures)
	wanted := clickhouse.Literals(slices.Sorted(maps.Keys(sample.rows))...)
	query = "SELECT toJSONString(k) AS key, toJSONString(m) FROM (" + query + ") WHERE key IN (" + wanted + ")"
	rows, err := readSample(ctx, conn, query)
	if err != nil {
		return nil, err
	}
	var differences []Difference
	for _, key := range slices.Sorted(maps.Keys(sample.rows)) {
		if slices.Equal(rows[key], sample.rows[key]) {
			continue
		}
		var values []string
		if err := json.Unmarshal([]byte(key), &values); err != nil {
			return nil, fmt.Errorf("a key of a sample: %w", err)
		}
		names := columnNames(sample.measures)
		differences = append(differences, Difference{
			Key:   named(sample.keys, values),
			Sides: [2]map[string]string{named(names, sample.rows[key]), named(names, rows[key])},
		})
	}
	return differences, nil
}

func readSample(ctx context.Context, conn *clickhouse.Conn, query string) (map[string][]string, error) {
	found := map[string][]string{}
	err := conn.Each(ctx, query, settingsOf(verifySettings), nil, func(rows clickhouse.Rows) error {
		var key, texts string
		if err := rows.Scan(&key, &texts); err != nil {
			return err
		}
		var measures []string
		err := json.Unmarshal([]byte(texts), &measures)
		found[key] = measures
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("measures of sampled keys: %w", err)
	}
	return found, nil
}
