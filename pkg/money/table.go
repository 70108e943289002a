package money

import "fmt"

// Table says which columns of a table are money, for figures that were computed in micro-units.
type Table struct {
	// Columns are the names of all columns.
	Columns []string
	// Currency is the index of the column with the currency's code, Amounts those of the columns with micro-units.
	Currency int
	Amounts  []int
}

// Format puts the amounts of a row into their currency, as FormatText does. An empty one stays empty: the sum of
// nothing has no value. It fails for what is no whole number, and names the column.
func (t *Table) Format(row []string) error {
	for _, i := range t.Amounts {
		if row[i] == "" {
			continue
		}
		text, err := FormatText(row[t.Currency], row[i])
		if err != nil {
			return fmt.Errorf("%s is %s, and no whole number of millionths", t.Columns[i], row[i])
		}
		row[i] = text
	}
	return nil
}
