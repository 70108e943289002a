package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// VersionError is the error for a server that is older than MinVersion.
type VersionError struct{ what string }

// Error implements error.
func (e *VersionError) Error() string { return e.what }

// Check is for readers. It checks that the server is new enough, and that every table has the columns and clauses that
// the migrations define. More columns are allowed, so that the writer can be upgraded before its readers. When tables
// do not exist yet, IsMissing is true for the error.
func (c *Conn) Check(ctx context.Context, m *Migrations) error {
	if err := c.Ping(ctx); err != nil {
		return err
	}
	applied, err := c.applied(ctx)
	if err != nil {
		return err
	}
	for _, file := range m.files {
		if _, done := applied[file.number]; !done {
			return &Error{
				op: "find the tables", Code: codeUnknownTable, Remedy: remedies[codeUnknownTable],
				Err: fmt.Errorf("migration %s is not applied to the database %s yet", file, c.database),
			}
		}
	}
	have, err := c.liveTables(ctx)
	if err != nil {
		return err
	}
	if err := c.checkReplicated(m.tables, have); err != nil {
		return err
	}
	for _, table := range m.tables {
		if _, exists := have[table.Name]; !exists { // dropped: a writer may create it again
			return c.Missing(table.Name)
		}
	}
	err = c.compare(m.tables, have, Table.lacks)
	if other := m.compatible(applied, c.database); err != nil && other != nil {
		return other // nobody has changed the tables: another program has made them
	}
	return err
}

// checkTables is for writers. It checks that the tables are exactly as the migrations define them.
func (c *Conn) checkTables(ctx context.Context, tables []Table) error {
	have, err := c.liveTables(ctx)
	if err != nil {
		return err
	}
	if err := c.checkReplicated(tables, have); err != nil {
		return err
	}
	return c.compare(tables, have, func(want Table, have liveTable) []string {
		return append(want.lacks(have), want.surplus(have)...)
	})
}

// checkReplicated refuses tables of one server in a cluster, whose other replicas would not have the rows, and
// replicated tables without a cluster: a read would not wait for what was written through another replica.
func (c *Conn) checkReplicated(tables []Table, have map[string]liveTable) error {
	for _, table := range tables {
		live, exists := have[table.Name]
		replicated := strings.HasPrefix(live.engine, "Replicated")
		switch {
		case !exists, replicated == (c.cluster != ""), strings.HasPrefix(live.engine, "Shared"):
		case replicated:
			return &ClusterError{fmt.Sprintf("the table %s of the database %s is replicated: name the cluster of its "+
				"replicas with --clickhouse-cluster, or reads may miss what was written through another replica",
				table.Name, c.database)}
		default:
			return &ClusterError{fmt.Sprintf("the table %s of the database %s is not replicated, and would be on one "+
				"replica of the cluster %s alone: name another database, which analytics-projector fills from the log, "+
				"or leave --clickhouse-cluster out", table.Name, c.database, c.cluster)}
		}
	}
	return nil
}

// liveTable is a table as it is in ClickHouse now.
type liveTable struct {
	engine, sortingKey, partitionKey string
	// engineFull is the engine with all its clauses.
	engineFull string
	columns    []TableColumn
}

// compare returns a SchemaError when differences finds any, or when a table is missing.
func (c *Conn) compare(
	tables []Table,
	have map[string]liveTable,
	differences func(want Table, have liveTable) []string,
) error {
	var wrong []string
	for _, table := range tables {
		if live, ok := have[table.Name]; ok {
			wrong = append(wrong, differences(table, live)...)
		} else {
			wrong = append(wrong, "the table "+table.Name+" is gone")
		}
	}
	if len(wrong) > 0 {
		return &SchemaError{what: fmt.Sprintf("the database %s was changed by hand: %s. Change it back, "+
			"or run `holdfast mirror rebuild`, which fills the tables again from the log",
			c.database, strings.Join(wrong, "; "))}
	}
	return nil
}

func (c *Conn) liveTables(ctx context.Context) (map[string]liveTable, error) {
	tables := map[string]liveTable{}
	database := Parameters{"database": c.database}
	err := c.Each(ctx, "SELECT name, engine, sorting_key, partition_key, engine_full FROM system.tables "+
		"WHERE database = {database:String}",
		nil, database, func(rows Rows) error {
			var name string
			var table liveTable
			err := rows.Scan(&name, &table.engine, &table.sortingKey, &table.partitionKey, &table.engineFull)
			tables[name] = table
			return err
		})
	if err != nil {
		return nil, err
	}
	err = c.Each(ctx, "SELECT table, name, type FROM system.columns "+
		"WHERE database = {database:String} ORDER BY table, position",
		nil, database, func(rows Rows) error {
			var name string
			var col TableColumn
			err := rows.Scan(&name, &col.Name, &col.Type)
			table := tables[name]
			table.columns = append(table.columns, col)
			tables[name] = table
			return err
		})
	return tables, err
}

// lacks lists the columns and clauses that the table should have and does not have.
func (t Table) lacks(have liveTable) []string {
	var wrong []string
	differs := func(what, is, should string) {
		if is != should {
			wrong = append(wrong,
				fmt.Sprintf("%s has %s %s and should have %s", t.Name, what, orNone(is), orNone(should)))
		}
	}
	differs("the engine", plainEngine(have.engine), t.clause("ENGINE ="))
	differs("ORDER BY", have.sortingKey, strings.TrimSuffix(strings.TrimPrefix(t.OrderBy(), "("), ")"))
	differs("PARTITION BY", have.partitionKey, t.clause("PARTITION BY"))
	_, settings, _ := strings.Cut(have.engineFull, " SETTINGS ")
	is, should := durabilitySettings(settings), durabilitySettings(t.clause("SETTINGS"))
	for _, name := range slices.Sorted(maps.Keys(should)) {
		differs("the setting "+name+" =", is[name], should[name])
	}
	if ttlPattern.MatchString(have.engineFull) {
		wrong = append(wrong, t.Name+" has a TTL, which deletes rows, and should have none")
	}
	for _, want := range t.Columns {
		i := slices.IndexFunc(have.columns, func(col TableColumn) bool { return col.Name == want.Name })
		switch {
		case i < 0:
			wrong = append(wrong, fmt.Sprintf("%s.%s is gone", t.Name, want.Name))
		case have.columns[i].Type != want.Type:
			wrong = append(wrong,
				fmt.Sprintf("%s.%s is %s and should be %s", t.Name, want.Name, have.columns[i].Type, want.Type))
		}
	}
	return wrong
}

// surplus lists the columns that the table has and should not have.
func (t Table) surplus(have liveTable) []string {
	var wrong []string
	for _, col := range have.columns {
		if !slices.ContainsFunc(t.Columns, func(want TableColumn) bool { return want.Name == col.Name }) {
			wrong = append(wrong, fmt.Sprintf("%s.%s is not ours", t.Name, col.Name))
		}
	}
	return wrong
}

var ttlPattern = regexp.MustCompile(`\bTTL\b`)

// plainEngine is the engine without its prefix for replication: ReplicatedReplacingMergeTree treats rows as
// ReplacingMergeTree does.
func plainEngine(engine string) string {
	return strings.TrimPrefix(strings.TrimPrefix(engine, "Replicated"), "Shared")
}

// durabilitySettings are the fsync_ settings: without them ClickHouse may acknowledge an insert before it is on disk.
// All other settings concern speed, and an operator may change them.
func durabilitySettings(settings string) map[string]string {
	values := map[string]string{}
	for setting := range strings.SplitSeq(settings, ", ") {
		if name, value, _ := strings.Cut(setting, " = "); strings.HasPrefix(name, "fsync_") {
			values[name] = value
		}
	}
	return values
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}
