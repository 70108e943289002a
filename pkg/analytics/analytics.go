// Package analytics keeps ClickHouse: the mirror of the log, and the reports that read it.
//
// Each row of the mirror is a function of one event, under the event's place in the log: writing a row again
// changes nothing, whoever does it and in whatever batches. So correctness rests neither on exactly-once
// delivery nor on ClickHouse's deduplication of inserts (docs/adr/0005-mirror.md). How far the mirror is stands
// in ClickHouse too, written after the rows.
//
// It reads the event schema, and knows nothing of how orders and stock are decided.
package analytics

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations are the tables of the mirror.
func Migrations() (*clickhouse.Migrations, error) {
	folder, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("the migrations of the mirror: %w", err)
	}
	return clickhouse.ParseMigrations(folder)
}

func migrate(ctx context.Context, conn *clickhouse.Conn) error {
	m, err := Migrations()
	if err != nil {
		return err
	}
	return conn.Migrate(ctx, m)
}

// Rebuild drops the mirror and makes its tables anew. Projectors that run notice, and fill it from the start of
// the log.
func Rebuild(ctx context.Context, conn *clickhouse.Conn) error {
	m, err := Migrations()
	if err != nil {
		return err
	}
	// The progress goes after the rows it speaks of, and the record of the migrations last: a projector that
	// starts in between refuses to work with half of the tables.
	for _, table := range append(m.Tables(), clickhouse.Table{Name: "schema_migrations"}) {
		if err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+table.Name+" SYNC", nil, nil); err != nil {
			return err
		}
	}
	return conn.Migrate(ctx, m)
}
