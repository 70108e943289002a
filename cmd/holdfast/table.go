package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// columns aligns lines whose columns are separated by tabs. Numbers are aligned right, and so are their headings. An
// empty line ends a table; the next one has columns of its own.
type columns struct {
	out   io.Writer
	lines bytes.Buffer
}

func newTable(out io.Writer) *columns { return &columns{out: out} }

// Write collects lines until Flush.
func (c *columns) Write(p []byte) (int, error) { return c.lines.Write(p) }

// Flush writes what was collected.
func (c *columns) Flush() error {
	all := strings.TrimSuffix(c.lines.String(), "\n")
	c.lines.Reset()
	if all == "" {
		return nil
	}
	var tables []string
	for block := range strings.SplitSeq(all, "\n\n") {
		lines := strings.TrimLeft(block, "\n")
		tables = append(tables, block[:len(block)-len(lines)]+alignColumns(lines))
	}
	_, err := fmt.Fprintln(c.out, strings.Join(tables, "\n\n"))
	return err
}

// numeric is a cell that is aligned right: a number, with commas between thousands or not, and with a currency or not.
var numeric = regexp.MustCompile(`^-?[\d,]+(\.\d+)?( [A-Z]{3})?$`)

// alignColumns aligns the columns of one table.
func alignColumns(block string) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	var numbers, texts []bool // by column: a cell is a number; a cell below the heading is text
	for i, line := range strings.Split(block, "\n") {
		var row table.Row
		for n, cell := range strings.Split(line, "\t") {
			row = append(row, cell)
			for len(numbers) <= n {
				numbers, texts = append(numbers, false), append(texts, false)
			}
			isNumber := numeric.MatchString(cell)
			numbers[n] = numbers[n] || isNumber
			texts[n] = texts[n] || i > 0 && !isNumber && cell != ""
		}
		t.AppendRow(row)
	}
	var configs []table.ColumnConfig
	for n := range numbers {
		if numbers[n] && !texts[n] {
			configs = append(configs, table.ColumnConfig{Number: n + 1, Align: text.AlignRight})
		}
	}
	t.SetColumnConfigs(configs)
	lines := strings.Split(t.Render(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
