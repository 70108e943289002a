package analytics

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// DropRows is what a mirror of another log does to its tables.
func DropRows(ctx context.Context, conn *clickhouse.Conn) error {
	return dropRows(ctx, conn, slog.New(slog.DiscardHandler))
}

// LimitWhole replaces the limits of a report with all rows.
func (r *Reports) LimitWhole(limits Limits) { r.whole = limits }

// RetryWith is Retry with another way to park the letter as retried.
var RetryWith = retry

// AsNewerProgram makes this process a program with one more migration, until the test ends.
func AsNewerProgram(t *testing.T, migration string) {
	t.Helper()
	names, err := fs.Glob(embeddedFiles, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	added := fmt.Sprintf("migrations/%04d_newer.sql", len(names)+1)
	files := fstest.MapFS{added: &fstest.MapFile{Data: []byte(migration)}}
	for _, name := range names {
		text, err := embeddedFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	migrationFiles = files
	t.Cleanup(func() { migrationFiles = embeddedFiles })
}

// ShadowDefinitions create what a shadow has beside the tables of a mirror.
var ShadowDefinitions = []string{fmt.Sprintf(createSwapping, "a rebuild"), createUndecoded}
