package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// MigrationsTable is the table that says which migrations were applied. Each database with tables has one.
const MigrationsTable = "schema_migrations"

// migrationsTable records which migrations were applied. When two replicas write the same row, one of them remains.
const migrationsTable = `CREATE TABLE IF NOT EXISTS schema_migrations (
    number UInt32 COMMENT 'Number of the migration',
    name String COMMENT 'Its name',
    checksum String COMMENT 'SHA-256 of its text',
    applied_at DateTime DEFAULT now() COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1
COMMENT 'Migrations that were applied to this database'`

// Migrate creates the database and its tables, and checks that they are as the migrations define them. It may run any
// number of times, and in several replicas at once: a statement whose work is done already changes nothing.
func (c *Conn) Migrate(ctx context.Context, m *Migrations) error {
	if err := c.createDatabase(ctx); err != nil {
		return err
	}
	if err := c.createMigrationsTable(ctx); err != nil {
		return err
	}
	applied, err := c.applied(ctx)
	if err != nil {
		return err
	}
	if err := m.compatible(applied, c.database); err != nil {
		return err
	}
	for _, file := range m.files {
		if _, done := applied[file.number]; done {
			continue
		}
		for _, statement := range file.statements {
			if err := c.Exec(ctx, statement, nil, nil); err != nil {
				return fmt.Errorf("migration %s: %w", file, err)
			}
		}
		err := c.Insert(ctx, MigrationsTable, []Column{
			{"number", "UInt32", []uint32{uint32(file.number)}},
			{"name", "String", []string{file.name}},
			{"checksum", "String", []string{file.checksum}},
		})
		if err != nil {
			return fmt.Errorf("record migration %s: %w", file, err)
		}
	}
	return c.checkTables(ctx, m.tables)
}

// createMigrationsTable creates schema_migrations unless it exists. It looks first, so that a user who may not create
// tables can work with existing ones.
func (c *Conn) createMigrationsTable(ctx context.Context) error {
	exists := false
	err := c.Each(ctx,
		"SELECT name FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'",
		nil, Parameters{"database": c.database}, func(rows Rows) error {
			exists = true
			return rows.Scan(new(string))
		})
	if err != nil || exists {
		return err
	}
	return c.Exec(ctx, migrationsTable, nil, nil)
}

func (c *Conn) createDatabase(ctx context.Context) error {
	conn, err := driver.Open(c.server)
	if err != nil {
		return c.explain(ctx, "connect", err)
	}
	defer conn.Close()
	if err := c.checkVersion(ctx, conn); err != nil {
		return err
	}
	if err := c.checkCluster(ctx, conn); err != nil {
		return err
	}
	var count uint64
	err = conn.QueryRow(queryContext(ctx, nil, Parameters{"database": c.database}),
		"SELECT count() FROM system.databases WHERE name = {database:String}").Scan(&count)
	if err != nil {
		return c.explain(ctx, "look for the database", err)
	}
	if count > 0 { // a user who may not create databases can work with an existing one
		return nil
	}
	create := OnCluster("CREATE DATABASE IF NOT EXISTS "+identifier(c.database)+" ENGINE = Atomic", c.cluster)
	if err := conn.Exec(ctx, create); err != nil {
		return c.explain(ctx, "create the database", err)
	}
	return nil
}

func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// applied returns the checksums of the applied migrations, by number.
func (c *Conn) applied(ctx context.Context) (map[int]string, error) {
	applied := map[int]string{}
	err := c.Each(ctx, "SELECT number, checksum FROM schema_migrations FINAL", nil, nil, func(rows Rows) error {
		var number uint32
		var checksum string
		err := rows.Scan(&number, &checksum)
		applied[int(number)] = checksum
		return err
	})
	return applied, err
}

// Applied is how many of the migrations the database has. It is 0 where there are no tables. The error is a SchemaError
// when the database has other migrations than these.
func (c *Conn) Applied(ctx context.Context, m *Migrations) (int, error) {
	tables, err := c.Tables(ctx)
	if err != nil {
		return 0, err
	}
	if _, exists := tables[MigrationsTable]; !exists {
		return 0, nil
	}
	applied, err := c.applied(ctx)
	if err != nil {
		return 0, err
	}
	return len(applied), m.compatible(applied, c.database)
}

// SchemaError is the error for tables that are not as the migrations define them.
type SchemaError struct {
	// Newer is true when a newer program has created the tables. Otherwise an older program has, or somebody has
	// changed them by hand, and a caller that can fill them again may drop them.
	Newer bool
	what  string
}

// Error implements error.
func (e *SchemaError) Error() string { return e.what }

// compatible refuses a database with migrations that this program does not know, or whose text was different.
func (m *Migrations) compatible(applied map[int]string, database string) error {
	numbers := slices.Sorted(maps.Keys(applied))
	if n := len(numbers); n > 0 && numbers[n-1] > len(m.files) {
		return &SchemaError{Newer: true, what: fmt.Sprintf("the database %s is newer than this program: "+
			"it has migration %d, the program knows %d. Run the newer program, or another database",
			database, numbers[n-1], len(m.files))}
	}
	for _, number := range numbers {
		if file := m.files[number-1]; file.checksum != applied[number] {
			return &SchemaError{what: fmt.Sprintf("migration %s was applied to the database %s with another text "+
				"(SHA-256 %.12s, here %.12s): run `holdfast mirror rebuild`, which fills the tables again from the log, "+
				"or the program that made them, or give another database",
				file, database, applied[number], file.checksum)}
		}
	}
	return nil
}
