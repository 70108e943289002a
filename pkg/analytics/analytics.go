// Package analytics owns the tables in ClickHouse. It has two halves: the mirror, which copies the log into the tables,
// and the reports, which read them.
//
// Each row is a function of the log, and its key is the topic, partition and offset of an event. A row of sales depends
// on that event and earlier ones of its order (docs/adr/0021-sales.md), any other row on that event alone. Writing a
// row again changes nothing, whoever writes it and in whatever batches. So the mirror needs neither exactly-once
// delivery nor ClickHouse's deduplication of inserts (docs/adr/0005-mirror.md). The progress of the mirror is in
// ClickHouse too, and is written after the rows.
//
// The package reads the event schema. It does not know how orders and stock are decided, and it does not serve HTTP.
package analytics

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

//go:embed migrations/*.sql
var embeddedFiles embed.FS

// migrationFiles has the folder migrations. Tests put that of a newer program in its place.
var migrationFiles fs.FS = embeddedFiles

// Migrations define the tables of the mirror.
func Migrations() (*clickhouse.Migrations, error) {
	folder, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("the migrations of the mirror: %w", err)
	}
	return clickhouse.ParseMigrations(folder)
}

func migrate(ctx context.Context, conn *clickhouse.Conn, logger *slog.Logger) error {
	m, err := Migrations()
	if err != nil {
		return err
	}
	return create(ctx, conn, m, logger)
}

// create creates the tables with their indexes, as far as they are not there.
func create(ctx context.Context, conn *clickhouse.Conn, m *clickhouse.Migrations, logger *slog.Logger) error {
	if err := conn.Migrate(ctx, m); err != nil {
		return err
	}
	createIndexes(ctx, conn, m, logger)
	return nil
}

// dropRows drops the tables of the mirror and creates them again. It is for rows that are wrong; Rebuild replaces a
// mirror while it is read. Running projectors notice, and fill the tables from the start of the log.
func dropRows(ctx context.Context, conn *clickhouse.Conn, logger *slog.Logger) error {
	m, err := Migrations()
	if err != nil {
		return err
	}
	// The progress is dropped after the rows. schema_migrations is dropped last, so that a projector that starts in
	// between refuses to work with some of the tables.
	for _, table := range append(m.Tables(), clickhouse.Table{Name: clickhouse.MigrationsTable}) {
		if err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+table.Name+" SYNC", nil, nil); err != nil {
			return err
		}
	}
	return create(ctx, conn, m, logger)
}
