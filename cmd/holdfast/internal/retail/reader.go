package retail

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/datafile"
)

// Columns are the data set's columns, in the order in which WriteCSV writes them. A file may have them in any order.
var Columns = []string{
	"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
}

const (
	columnInvoice = iota
	columnSKU
	columnDescription
	columnQuantity
	columnDate
	columnPrice
	columnCustomer
	columnCountry
	columnCount
)

// ReadFile reads a .csv, .gz or .xz file.
func ReadFile(path string) (*Book, error) {
	if !slices.Contains([]string{".csv", ".gz", ".xz"}, filepath.Ext(path)) {
		return nil, fmt.Errorf("read %s: not a .csv, .gz or .xz file", path)
	}
	f, err := datafile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read retail data: %w", err)
	}
	defer f.Close()
	book, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return book, nil
}

// Read reads the CSV text of the data set. Rows that cannot be used are in Book.Rejected with their line and reason. An
// error means that the file as a whole cannot be read.
func Read(r io.Reader) (*Book, error) {
	c := csv.NewReader(bufio.NewReaderSize(r, 1<<20))
	c.FieldsPerRecord = -1 // Read checks it for each row, so that one bad row does not end the import
	c.ReuseRecord = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	positions, err := columnPositions(header)
	if err != nil {
		return nil, err
	}
	width := len(header)
	g := newGrouper()
	for row := 1; ; row++ {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return g.book(), nil
		}
		var parse *csv.ParseError
		switch {
		case errors.As(err, &parse):
			g.rejectUnread(parse.StartLine, row, record, parse.Err.Error())
			continue
		case err != nil:
			return nil, fmt.Errorf("row %d: %w", row, err)
		}
		line, _ := c.FieldPos(0)
		if len(record) != width {
			g.rejectUnread(line, row, record, fmt.Sprintf("%d fields where the header has %d", len(record), width))
			continue
		}
		var fields [columnCount]string
		for i, p := range positions {
			fields[i] = record[p]
		}
		g.add(line, row, &fields)
	}
}

func columnPositions(header []string) ([columnCount]int, error) {
	var positions [columnCount]int
	for i, name := range Columns {
		positions[i] = -1
		for p, have := range header {
			if strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(have, "\ufeff")), name) {
				positions[i] = p
			}
		}
		if positions[i] < 0 {
			return positions, fmt.Errorf("the header has no column %s; it needs %s", name, strings.Join(Columns, ", "))
		}
	}
	return positions, nil
}

// text makes a field valid UTF-8. There are copies of the data set in Latin-1, whose bytes are its code points.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, 0, len(s))
	for i := range len(s) {
		runes = append(runes, rune(s[i]))
	}
	return string(runes)
}

// WriteCSV writes records under the data set's header.
func WriteCSV(w io.Writer, records [][]string) error {
	c := csv.NewWriter(w)
	if err := c.Write(Columns); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	if err := c.WriteAll(records); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return nil
}
