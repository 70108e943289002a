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

// Table is a table as the migrations define it.
type Table struct {
	Name, Comment string
	// Engine are the lines after the columns, such as "ENGINE = ReplacingMergeTree" and "ORDER BY (topic, offset)".
	Engine  []string
	Columns []TableColumn
}

// clause is the text after a keyword such as ORDER BY in Engine; empty when there is none.
func (t Table) clause(keyword string) string {
	for _, line := range t.Engine {
		if text, ok := strings.CutPrefix(line, keyword+" "); ok {
			return text
		}
	}
	return ""
}

// OrderBy is the order of its rows, such as "(topic, partition, offset)".
func (t Table) OrderBy() string { return t.clause("ORDER BY") }

// TableColumn is a column of a table.
type TableColumn struct{ Name, Type, Default, Comment string }

// Migrations are SQL files numbered without gaps: 0001_name.sql, 0002_name.sql and so on. This package derives from
// them what each table should look like, so they have a restricted form. A statement is CREATE TABLE IF NOT EXISTS with
// one column or index a line, ALTER TABLE … ADD COLUMN IF NOT EXISTS, or ALTER TABLE … COMMENT COLUMN IF EXISTS. Every
// table and every column has a comment.
// Running a migration again changes nothing.
type Migrations struct {
	files  []migration
	tables []Table
}

type migration struct {
	number         int
	name, checksum string
	statements     []string
}

// codec is how a column is compressed. Nothing depends on it, as on indexes: they are not compared with the table.
const codec = `(?: CODEC\(.+?\))?`

var (
	filePattern   = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)
	createPattern = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS ([a-z_]+) \($`)
	columnPattern = regexp.MustCompile(`^    ([a-z_]+) (.+?)(?: DEFAULT (.+?))? COMMENT '((?:[^']|'')+)'` + codec + `,?$`)
	indexPattern  = regexp.MustCompile(`^    INDEX [a-z_]+ .+ TYPE .+ GRANULARITY \d+,?$`)
	alterPattern  = regexp.MustCompile(`^ALTER TABLE ([a-z_]+) ADD COLUMN IF NOT EXISTS ` +
		`([a-z_]+) (.+?)(?: DEFAULT (.+?))? COMMENT '((?:[^']|'')+)'` + codec + `$`)
	renotePattern  = regexp.MustCompile(`^ALTER TABLE ([a-z_]+) COMMENT COLUMN IF EXISTS ([a-z_]+) '((?:[^']|'')+)'$`)
	commentPattern = regexp.MustCompile(`^COMMENT '((?:[^']|'')+)'$`)
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
		match := filePattern.FindStringSubmatch(name)
		if match == nil || match[1] != fmt.Sprintf("%04d", i+1) {
			return nil, fmt.Errorf("migration %s: files are named 0001_name.sql, 0002_name.sql and so on; "+
				"this should be number %d", name, i+1)
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		sum := sha256.Sum256(text)
		file := migration{number: i + 1, name: match[2], checksum: hex.EncodeToString(sum[:])}
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if statement = strings.TrimSpace(statement); statement == "" {
				continue
			}
			if err := m.apply(statement); err != nil {
				return nil, fmt.Errorf("migration %s: %w", name, err)
			}
			file.statements = append(file.statements, statement)
		}
		m.files = append(m.files, file)
	}
	return m, nil
}

// Tables are the tables after the last migration, in the order of their creation.
func (m *Migrations) Tables() []Table { return m.tables }

// Count is how many migrations there are.
func (m *Migrations) Count() int { return len(m.files) }

// apply applies a statement to the definitions of the tables.
func (m *Migrations) apply(statement string) error {
	if alter := alterPattern.FindStringSubmatch(statement); alter != nil {
		i := slices.IndexFunc(m.tables, func(t Table) bool { return t.Name == alter[1] })
		if i < 0 {
			return fmt.Errorf("there is no table %s to alter", alter[1])
		}
		m.tables[i].Columns = append(m.tables[i].Columns, TableColumn{
			Name: alter[2], Type: alter[3], Default: alter[4], Comment: unquote(alter[5]),
		})
		return nil
	}
	if note := renotePattern.FindStringSubmatch(statement); note != nil {
		return m.renote(note[1], note[2], unquote(note[3]))
	}
	lines := strings.Split(statement, "\n")
	create := createPattern.FindStringSubmatch(lines[0])
	if create == nil {
		return fmt.Errorf("%q is neither CREATE TABLE IF NOT EXISTS nor ALTER TABLE … ADD COLUMN IF NOT EXISTS "+
			"nor ALTER TABLE … COMMENT COLUMN IF EXISTS", lines[0])
	}
	table := Table{Name: create[1]}
	for i, line := range lines[1:] {
		if line == ")" {
			return m.addTable(table, lines[i+2:])
		}
		if indexPattern.MatchString(line) {
			continue
		}
		col := columnPattern.FindStringSubmatch(line)
		if col == nil {
			return fmt.Errorf("table %s: %q is no column with a comment", table.Name, line)
		}
		table.Columns = append(table.Columns, TableColumn{
			Name: col[1], Type: col[2], Default: col[3], Comment: unquote(col[4]),
		})
	}
	return fmt.Errorf("table %s does not end", table.Name)
}

// renote gives a column another comment.
func (m *Migrations) renote(table, column, comment string) error {
	for i := range m.tables {
		for k := range m.tables[i].Columns {
			if m.tables[i].Name == table && m.tables[i].Columns[k].Name == column {
				m.tables[i].Columns[k].Comment = comment
				return nil
			}
		}
	}
	return fmt.Errorf("there is no column %s.%s to comment", table, column)
}

// addTable adds a table whose columns are followed by these lines: the engine with its clauses, then the comment.
func (m *Migrations) addTable(table Table, afterColumns []string) error {
	last := len(afterColumns) - 1
	comment := commentPattern.FindStringSubmatch(afterColumns[last])
	if comment == nil {
		return fmt.Errorf("table %s has no comment on its last line", table.Name)
	}
	table.Comment, table.Engine = unquote(comment[1]), afterColumns[:last]
	m.tables = append(m.tables, table)
	return nil
}

func unquote(s string) string { return strings.ReplaceAll(s, "''", "'") }

func (m migration) String() string { return strconv.Itoa(m.number) + " (" + m.name + ")" }
