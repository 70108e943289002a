package clickhouse_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// safe is a table with every clause that is compared.
const safe = `CREATE TABLE IF NOT EXISTS nests (
    tree String COMMENT 'Where it is',
    height Int64 COMMENT 'How high',
    built Date COMMENT 'When'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(built)
ORDER BY (tree, height)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10
COMMENT 'Nests';
`

// A table that somebody has created again with another engine or key accepts the same rows, but would count repeated
// ones twice or lose some.
func TestATableThatWasMadeAnewIsRefused(t *testing.T) {
	ctx, conn := open(t)
	m := migrations(t, safe)
	made := strings.TrimSuffix(strings.TrimSpace(safe), ";")
	fsync := "fsync_after_insert = 1, fsync_part_directory = 1, "
	for name, c := range map[string]struct{ statement, want string }{
		"engine": {
			strings.ReplaceAll(made, "ReplacingMergeTree", "MergeTree"),
			"nests has the engine MergeTree and should have ReplacingMergeTree",
		},
		"order": {
			strings.ReplaceAll(made, "ORDER BY (tree, height)", "ORDER BY tree"),
			"nests has ORDER BY tree and should have tree, height",
		},
		"partitions": {
			strings.ReplaceAll(made, "toYYYYMM(built)", "toYear(built)"),
			"nests has PARTITION BY toYear(built) and should have toYYYYMM(built)",
		},
		"no partitions": {
			strings.ReplaceAll(made, "PARTITION BY toYYYYMM(built)\n", ""),
			"nests has PARTITION BY (none) and should have toYYYYMM(built)",
		},
		"no fsync": {
			strings.ReplaceAll(made, fsync, ""),
			"nests has the setting fsync_after_insert = (none) and should have 1; " +
				"nests has the setting fsync_part_directory = (none) and should have 1",
		},
		"fsync off": {
			strings.ReplaceAll(made, "fsync_after_insert = 1", "fsync_after_insert = 0"),
			"nests has the setting fsync_after_insert = 0 and should have 1",
		},
		"TTL": {
			strings.ReplaceAll(made, "SETTINGS", "TTL built + INTERVAL 1 DAY\nSETTINGS"),
			"nests has a TTL, which deletes rows",
		},
		"a view": {
			"CREATE VIEW nests AS SELECT '' AS tree, toInt64(1) AS height, today() AS built",
			"nests has the engine View",
		},
		"another setting": {strings.ReplaceAll(made, "merge_selector_base = 10", "merge_selector_base = 8"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, statement := range []string{"DROP TABLE IF EXISTS nests", "DROP TABLE IF EXISTS schema_migrations"} {
				if err := conn.Exec(ctx, statement, nil, nil); err != nil && !clickhouse.IsMissing(err) {
					t.Fatal(err)
				}
			}
			if err := conn.Migrate(ctx, m); err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{"DROP TABLE nests", c.statement} {
				if err := conn.Exec(ctx, statement, nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			for reader, err := range map[string]error{"writers": conn.Migrate(ctx, m), "readers": conn.Check(ctx, m)} {
				var schema *clickhouse.SchemaError
				switch {
				case c.want == "" && err != nil:
					t.Errorf("%s: %v", reader, err)
				case c.want != "" && (!errors.As(err, &schema) || !strings.Contains(err.Error(), c.want) ||
					!strings.Contains(err.Error(), "`holdfast mirror rebuild`")):
					t.Errorf("%s: it says %v, want %q", reader, err, c.want)
				}
			}
		})
	}
}

func TestReadersCheckWhatTheyRead(t *testing.T) {
	ctx, conn := open(t)
	m := migrations(t, first, second)
	if err := conn.Check(ctx, m); !clickhouse.IsMissing(err) {
		t.Errorf("there is no database: %v", err)
	}
	if err := conn.Migrate(ctx, migrations(t, first)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Check(ctx, m); !clickhouse.IsMissing(err) ||
		!strings.Contains(err.Error(), "migration 2 (step) is not applied") {
		t.Errorf("an older schema: %v", err)
	}
	if err := conn.Migrate(ctx, m); err != nil {
		t.Fatal(err)
	}
	if err := conn.Check(ctx, migrations(t, first)); err != nil {
		t.Errorf("a newer schema: %v", err)
	}
	if err := conn.Exec(ctx, "ALTER TABLE birds DROP COLUMN wings", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := conn.Check(ctx, m); err == nil || !strings.Contains(err.Error(), "birds.wings is gone") {
		t.Errorf("it says %v", err)
	}
	if err := conn.Exec(ctx, "DROP TABLE birds", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := conn.Check(ctx, m); !clickhouse.IsMissing(err) || !strings.Contains(err.Error(), "has no table birds") {
		t.Errorf("it says %v", err)
	}
}
