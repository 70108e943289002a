package clickhouse

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Table is a table as the migrations leave it.
type Table struct {
	Name, Comment string
	// Engine is what follows the columns: engine, partitions, order.
	Engine  []string
	Columns []TableColumn
}

// clause is what follows a keyword such as ORDER BY in the table's engine; empty when it is not there.
func (t Table) clause(keyword string) string {
	for _, line := range t.Engine {
		if rest, ok := strings.CutPrefix(line, keyword+" "); ok {
			return rest
		}
	}
	return ""
}

// TableColumn is a column of a table.
type TableColumn struct{ Name, Type, Default, Comment string }

// Migrations are numbered SQL files, 0001_name.sql and so on, without gaps. They keep to a plain form, so that
// this package knows what a table should look like: CREATE TABLE IF NOT EXISTS and ALTER TABLE … ADD COLUMN IF
// NOT EXISTS, a column a line, a comment on every table and column. Running one again changes nothing.
type Migrations struct {
	files  []migration
	tables []Table
}

type migration struct {
	number         int
	name, checksum string
	statements     []string
}

var (
	filePattern   = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)
	createPattern = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS ([a-z_]+) \($`)
	columnPattern = regexp.MustCompile(`^    ([a-z_]+) (.+?)(?: DEFAULT (.+?))? COMMENT '((?:[^']|'')+)',?$`)
	alterPattern  = regexp.MustCompile(`^ALTER TABLE ([a-z_]+) ADD COLUMN IF NOT EXISTS ([a-z_]+) (.+?)(?: DEFAULT (.+?))? COMMENT '((?:[^']|'')+)'$`)
	notePattern   = regexp.MustCompile(`^COMMENT '((?:[^']|'')+)'$`)
)

// ParseMigrations reads the .sql files of a folder.
func ParseMigrations(folder fs.FS) (*Migrations, error) {
	names, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list the migrations: %w", err)
	}
	slices.Sort(names)
	m := &Migrations{}
	for i, name := range names {
		parts := filePattern.FindStringSubmatch(name)
		if parts == nil || parts[1] != fmt.Sprintf("%04d", i+1) {
			return nil, fmt.Errorf("migration %s: files are named 0001_name.sql, 0002_name.sql and so on; this should be number %d", name, i+1)
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		sum := sha256.Sum256(text)
		one := migration{number: i + 1, name: parts[2], checksum: hex.EncodeToString(sum[:])}
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if statement = strings.TrimSpace(statement); statement == "" {
				continue
			}
			if err := m.take(statement); err != nil {
				return nil, fmt.Errorf("migration %s: %w", name, err)
			}
			one.statements = append(one.statements, statement)
		}
		m.files = append(m.files, one)
	}
	return m, nil
}

// Tables are the tables as the last migration leaves them, in the order of their creation.
func (m *Migrations) Tables() []Table { return m.tables }

// take applies a statement to the tables.
func (m *Migrations) take(statement string) error {
	if alter := alterPattern.FindStringSubmatch(statement); alter != nil {
		i := slices.IndexFunc(m.tables, func(t Table) bool { return t.Name == alter[1] })
		if i < 0 {
			return fmt.Errorf("there is no table %s to alter", alter[1])
		}
		m.tables[i].Columns = append(m.tables[i].Columns, TableColumn{alter[2], alter[3], alter[4], unquote(alter[5])})
		return nil
	}
	lines := strings.Split(statement, "\n")
	create := createPattern.FindStringSubmatch(lines[0])
	if create == nil {
		return fmt.Errorf("%q is neither CREATE TABLE IF NOT EXISTS nor ALTER TABLE … ADD COLUMN IF NOT EXISTS", lines[0])
	}
	table := Table{Name: create[1]}
	for i, line := range lines[1:] {
		if line != ")" {
			col := columnPattern.FindStringSubmatch(line)
			if col == nil {
				return fmt.Errorf("table %s: %q is no column with a comment", table.Name, line)
			}
			table.Columns = append(table.Columns, TableColumn{col[1], col[2], col[3], unquote(col[4])})
			continue
		}
		rest := lines[i+2:]
		note := notePattern.FindStringSubmatch(rest[len(rest)-1])
		if note == nil {
			return fmt.Errorf("table %s has no comment on its last line", table.Name)
		}
		table.Comment, table.Engine = unquote(note[1]), rest[:len(rest)-1]
		m.tables = append(m.tables, table)
		return nil
	}
	return fmt.Errorf("table %s does not end", table.Name)
}

func unquote(s string) string { return strings.ReplaceAll(s, "''", "'") }

func (m migration) String() string { return strconv.Itoa(m.number) + " (" + m.name + ")" }
