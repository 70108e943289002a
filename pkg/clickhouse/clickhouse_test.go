package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// open connects to a database that only this test uses.
func open(t *testing.T) (context.Context, *clickhouse.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return ctx, conn
}

const first = `CREATE TABLE IF NOT EXISTS birds (
    name LowCardinality(String) COMMENT 'What it''s called',
    eggs Int64 DEFAULT 2 COMMENT 'How many it lays'
)
ENGINE = ReplacingMergeTree
ORDER BY name
COMMENT 'Birds';
`

const second = "ALTER TABLE birds ADD COLUMN IF NOT EXISTS wings UInt8 DEFAULT 2 COMMENT 'How many it has';\n"

func migrations(t *testing.T, files ...string) *clickhouse.Migrations {
	t.Helper()
	folder := fstest.MapFS{}
	for i, text := range files {
		folder[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	m, err := clickhouse.ParseMigrations(folder)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func names(t *testing.T, ctx context.Context, conn *clickhouse.Conn) string {
	t.Helper()
	var out []string
	const query = "SELECT toString(name), eggs FROM birds FINAL ORDER BY name"
	err := conn.Each(ctx, query, nil, nil, func(rows clickhouse.Rows) error {
		var name string
		var eggs int64
		err := rows.Scan(&name, &eggs)
		out = append(out, fmt.Sprint(name, " ", eggs))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, ", ")
}

func TestMigrationsRunTwiceAndFromManyAtOnce(t *testing.T) {
	ctx, conn := open(t)
	var replicas sync.WaitGroup
	for range 4 {
		replicas.Go(func() {
			if err := conn.Migrate(ctx, migrations(t, first, second)); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	if err := conn.Migrate(ctx, migrations(t, first, second)); err != nil {
		t.Fatal(err)
	}
}

func TestASchemaThatIsNotOursIsRefused(t *testing.T) {
	ctx, conn := open(t)
	if err := conn.Migrate(ctx, migrations(t, first, second)); err != nil {
		t.Fatal(err)
	}
	refused := func(m *clickhouse.Migrations, want string) {
		t.Helper()
		var schema *clickhouse.SchemaError
		if err := conn.Migrate(ctx, m); !errors.As(err, &schema) || !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v, want %q", err, want)
		} else if newer := strings.Contains(want, "newer"); schema.Newer != newer ||
			strings.Contains(err.Error(), "holdfast mirror rebuild") == newer {
			t.Errorf("newer: %v, and it says %v", schema.Newer, err)
		}
	}
	edited := func(text string) string { return strings.ReplaceAll(text, "DEFAULT 2", "DEFAULT 4") }
	refused(migrations(t, first), "is newer than this program: it has migration 2, the program knows 1")
	refused(migrations(t, edited(first)), "is newer than this program") // whatever else has changed
	refused(migrations(t, first, edited(second)), "migration 2 (step) was applied")
	for _, change := range []string{
		"ALTER TABLE birds MODIFY COLUMN wings UInt16",
		"ALTER TABLE birds ADD COLUMN beak UInt8",
	} {
		if err := conn.Exec(ctx, change, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	refused(migrations(t, first, second), "birds.wings is UInt16 and should be UInt8; birds.beak is not ours")
	if err := conn.Exec(ctx, "DROP TABLE birds", nil, nil); err != nil {
		t.Fatal(err)
	}
	refused(migrations(t, first, second), "the table birds is gone")
}

func TestInsertsReplaceByKeyAndKeepTheirValues(t *testing.T) {
	ctx, conn := open(t)
	if err := conn.Migrate(ctx, migrations(t, first)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := conn.Insert(ctx, "birds", []clickhouse.Column{
			{Name: "eggs", Wire: "Int64", Values: []int64{3, 4, -5}},
			{Name: "name", Wire: "String", Values: []string{"wren", `it's a \t "duck"` + "\n", "wren"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, want := names(t, ctx, conn), `it's a \t "duck"`+"\n 4, wren -5"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	found := 0
	params := clickhouse.Parameters{"name": `it's a \t "duck"` + "\n"}
	const query = "SELECT eggs FROM birds FINAL WHERE name = {name:String}"
	settings := clickhouse.Settings{"max_threads": 1}
	err := conn.Each(ctx, query, settings, params, func(rows clickhouse.Rows) error {
		found++
		var eggs int64
		return rows.Scan(&eggs)
	})
	if err != nil || found != 1 {
		t.Fatalf("%d rows, %v", found, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	ctx, conn := open(t)
	if err := conn.Migrate(ctx, migrations(t, first)); err != nil {
		t.Fatal(err)
	}
	err := conn.Exec(ctx, "DROP TABLE eagles", nil, nil)
	if !clickhouse.IsMissing(err) || !strings.Contains(err.Error(), "holdfast mirror rebuild") {
		t.Errorf("it says %v", err)
	}
	err = conn.Insert(ctx, "birds", []clickhouse.Column{{Name: "beaks", Wire: "Int64", Values: []int64{1}}})
	if err == nil || !strings.Contains(err.Error(), "changed by hand") {
		t.Errorf("it says %v", err)
	}
	away, err := clickhouse.Open("http://user:secret@127.0.0.1:1/x")
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	says(t, "nobody listens", away.Ping(ctx), "127.0.0.1:1 does not answer")
	if _, err := clickhouse.Open("http://user:secret@[x/"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("it says %v", err)
	}
}

func TestMigrationsThatCannotBeReadAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"gap": {"0002_step.sql", first, "this should be number 1"},
		"no comment": {
			"0001_step.sql",
			strings.ReplaceAll(first, " COMMENT 'How many it lays'", ""),
			"is no column with a comment",
		},
		"no table's": {
			"0001_step.sql",
			strings.ReplaceAll(first, "COMMENT 'Birds'", "SETTINGS a = 1"),
			"has no comment on its last line",
		},
		"other statement": {"0001_step.sql", "DROP TABLE birds;\n", "is neither CREATE TABLE"},
		"unknown table":   {"0001_step.sql", second, "there is no table birds"},
		"unknown column": {
			"0001_step.sql", first + ";\n\nALTER TABLE birds COMMENT COLUMN IF EXISTS song 'How it sings';\n",
			"there is no column birds.song",
		},
		"no end": {"0001_step.sql", first[:strings.Index(first, "\n)")], "does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := clickhouse.ParseMigrations(fstest.MapFS{c.file: &fstest.MapFile{Data: []byte(c.text)}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("it says %v, want %q", err, c.want)
			}
		})
	}
}
